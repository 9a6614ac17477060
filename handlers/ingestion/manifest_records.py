"""The file table, where it holds manifests: one record each, `MANIFEST#<id>` under the day the manifest was made.

A record exists only where an execution does, and is `running` (and in the index `open`) from before the first of its
files is `manifested` until after the last of them is settled. So no file can be forgotten in a run that died.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.time_and_ids.ulid import parse_ulid_time
from handlers.ingestion.file_admission import MANIFEST_KEY
from handlers.ingestion.status_transitions import ManifestStatus
from handlers.ingestion.table_items import (
    OPEN_INDEX,
    SCHEMA_VERSION,
    RecordId,
    Values,
    expiry,
    number,
    text,
    update,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

RUNNING_SHARD = "running"


@dataclass(frozen=True)
class ManifestRecord:
    """One manifest."""

    manifest_id: str
    status: ManifestStatus
    execution_arn: str
    redrives: int


def record_id(manifest_id: str) -> RecordId:
    """Where a manifest's record is: its id tells the day, so whoever knows the id finds it."""
    return RecordId(parse_ulid_time(manifest_id).strftime("%Y-%m-%d"), f"{MANIFEST_KEY}{manifest_id}")


class ManifestRecords:
    """Records of manifests."""

    def __init__(self, client: "DynamoDBClient", name: str, record_days: int, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = name
        self._record_days = record_days
        self._clock = clock

    def begin(self, manifest_id: str, execution_arn: str, files: int, redrive: int = 0) -> bool:
        """Records that this execution has the manifest; false where it has ended already, or a later one has it.

        Written by whoever comes first: builder, workflow or sweeper.
        """
        now = self._clock()
        return self._changed(
            manifest_id,
            "attribute_not_exists( #status ) OR ( #status = :running AND #execution_arn = :execution_arn )"
            " OR ( #status = :failed AND #redrives < :redrives )",
            {
                "running": ManifestStatus.RUNNING,
                "failed": ManifestStatus.FAILED,
                "execution_arn": execution_arn,
                "redrives": redrive,
            },
            sets={
                "status": ManifestStatus.RUNNING,
                "manifest_id": manifest_id,
                "execution_arn": execution_arn,
                "redrives": redrive,
                "file_count": files,
                "open_shard": RUNNING_SHARD,
                "schemaVersion": SCHEMA_VERSION,
            },
            once={
                "created_at": timestamp(now),
                "open_since": timestamp(now),
                "ttl": expiry(now, self._record_days),
            },
            removes=("cause",),
        )

    def end(
        self, manifest_id: str, execution_arn: str, status: ManifestStatus, counts: Mapping[str, int], cause: str = ""
    ) -> bool:
        """Records how the manifest's execution ended; false where it is not this one that has the manifest."""
        return self._changed(
            manifest_id,
            "#status = :running AND #execution_arn = :execution_arn",
            {"running": ManifestStatus.RUNNING, "execution_arn": execution_arn},
            sets={
                "status": status,
                "ended_at": timestamp(self._clock()),
                "cause": cause,
                **{f"files_{name}": count for name, count in counts.items()},
            },
            removes=("open_shard", "open_since"),
        )

    def get(self, manifest_id: str) -> ManifestRecord | None:
        """The record as it is now."""
        answer = self._client.get_item(TableName=self._name, Key=record_id(manifest_id).key, ConsistentRead=True)
        if "Item" not in answer:
            return None
        item = answer["Item"]
        return ManifestRecord(
            manifest_id=manifest_id,
            status=ManifestStatus(text(item, "status")),
            execution_arn=text(item, "execution_arn"),
            redrives=number(item, "redrives"),
        )

    def running(self, before: datetime) -> list[tuple[str, str]]:
        """Manifest id and execution of those that were begun before a moment and have not ended."""
        found: list[tuple[str, str]] = []
        following: dict[str, Any] = {}
        while True:
            answer = self._client.query(
                TableName=self._name,
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_shard = :shard AND open_since < :before",
                ExpressionAttributeValues={":shard": {"S": RUNNING_SHARD}, ":before": {"S": timestamp(before)}},
                **following,
            )
            found += [(text(item, "manifest_id"), text(item, "execution_arn")) for item in answer["Items"]]
            if "LastEvaluatedKey" not in answer:
                return found
            following = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _changed(self, manifest_id: str, condition: str, given: Values, **changes: Any) -> bool:
        request = update(record_id(manifest_id), condition, given, **changes)
        try:
            self._client.update_item(TableName=self._name, **request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

"""DynamoDB gateway for manifest records: one item `MANIFEST#<id>` for each manifest, under the date of its creation.

A manifest is a list of files for one workflow execution. Its record is created with the status `running` when the
execution has started, and only then are the files marked as part of the manifest (`manifested`). The record stays
`running` until the results of all files are stored. If the execution fails, an operator can redrive the manifest, that
is, start another execution for it. The index `open` lists the running records. With this list, the sweeper (a scheduled
function) finds each execution that ended before it had stored the results.

No code reads the attributes `file_count`, `created_at`, `ended_at`, `cause` and `files_<status>`. They are stored for
operators.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from handlers.common.ids import parse_ulid_time, timestamp
from handlers.ingestion.status_transitions import ManifestStatus
from handlers.ingestion.table_keys_and_updates import (
    MANIFEST_KEY_PREFIX,
    SCHEMA_VERSION,
    RecordId,
    Values,
    build_update,
    compute_ttl,
    get_number,
    get_text,
    query_open_items,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

RUNNING_SHARD = "running"
"""Partition of the index `open` with the running manifests."""


@dataclass(frozen=True)
class ManifestRecord:
    manifest_id: str
    status: ManifestStatus
    execution_arn: str
    redrives: int
    """Number of the latest redrive (additional execution), or 0 if there was none."""


def record_id(manifest_id: str) -> RecordId:
    """Return the primary key of a manifest's record. Its date is part of the manifest id, which is a ULID."""
    return RecordId(parse_ulid_time(manifest_id).strftime("%Y-%m-%d"), f"{MANIFEST_KEY_PREFIX}{manifest_id}")


class ManifestRecords:
    def __init__(self, client: "DynamoDBClient", name: str, record_days: int, clock: Callable[[], datetime]) -> None:
        self._client = client
        self._name = name
        self._record_days = record_days
        self._clock = clock

    def begin(self, manifest_id: str, execution_arn: str, file_count: int, redrive: int = 0) -> bool:
        """Record that this execution processes the manifest.

        Return False if this execution has already ended, or if a redrive (a later execution) has replaced it. The
        function that starts the execution, the workflow itself and the sweeper all call this method. The first call
        creates the record.
        """
        now = self._clock()
        return self._update(
            manifest_id,
            "attribute_not_exists( #status ) OR ( #status = :running AND #execution_arn = :execution_arn )"
            " OR ( #status = :failed AND #redrives < :redrives )",
            {
                "running": ManifestStatus.RUNNING,
                "failed": ManifestStatus.FAILED,
                "execution_arn": execution_arn,
                "redrives": redrive,
            },
            assign={
                "status": ManifestStatus.RUNNING,
                "manifest_id": manifest_id,
                "execution_arn": execution_arn,
                "redrives": redrive,
                "file_count": file_count,
                "open_shard": RUNNING_SHARD,
                "schemaVersion": SCHEMA_VERSION,
            },
            assign_if_absent={
                "created_at": timestamp(now),
                "open_since": timestamp(now),
                "ttl": compute_ttl(now, self._record_days),
            },
            remove=("cause",),
        )

    def end(
        self, manifest_id: str, execution_arn: str, status: ManifestStatus, counts: Mapping[str, int], cause: str = ""
    ) -> bool:
        """Record how the execution ended. Return False if the manifest is not `running` with this execution."""
        return self._update(
            manifest_id,
            "#status = :running AND #execution_arn = :execution_arn",
            {"running": ManifestStatus.RUNNING, "execution_arn": execution_arn},
            assign={
                "status": status,
                "ended_at": timestamp(self._clock()),
                "cause": cause,
                **{f"files_{name}": count for name, count in counts.items()},
            },
            remove=("open_shard", "open_since"),
        )

    def get(self, manifest_id: str) -> ManifestRecord | None:
        response = self._client.get_item(TableName=self._name, Key=record_id(manifest_id).key, ConsistentRead=True)
        if "Item" not in response:
            return None
        item = response["Item"]
        return ManifestRecord(
            manifest_id=manifest_id,
            status=ManifestStatus(get_text(item, "status")),
            execution_arn=get_text(item, "execution_arn"),
            redrives=get_number(item, "redrives"),
        )

    def list_running(self, before: datetime) -> list[tuple[str, str]]:
        """Return manifest id and execution ARN of the running manifests that began before a moment, oldest first."""
        items = query_open_items(self._client, self._name, RUNNING_SHARD, before=before)
        return [(get_text(item, "manifest_id"), get_text(item, "execution_arn")) for item in items]

    def _update(self, manifest_id: str, condition: str, condition_values: Values, **changes: Any) -> bool:
        request = build_update(record_id(manifest_id), condition, condition_values, **changes)
        try:
            self._client.update_item(TableName=self._name, **request)
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

"""Files of ingestion, and their records in the file table. No other module reads or writes records of files.

A file is one version of an object in the landing bucket. A manifest is a list of files for one execution of the
workflow, which runs Spark once. The table also has the records of manifests, which `manifests.py` reads and writes with
the functions at the end of this module.

A file is tracked, which means that its record is created as `pending`. A manifest takes it by a conditional update from
`pending` to `manifested`, which succeeds for one manifest only. From then on the record names this manifest, and only
its executions change the record. So no lock is needed, and a late or repeated call changes nothing.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any, Literal

from boto3.dynamodb.conditions import Attr, ConditionBase, ConditionExpressionBuilder, Key
from pydantic import Field

from handlers.common.events import NotifiedObject, parse_new_objects
from handlers.common.ids import timestamp
from handlers.common.json_models import Message
from handlers.ingestion.environment import ALLOWED_SUFFIXES

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

OPEN_INDEX = "open"
"""Sparse index of pending files and running manifests. Its partition key is `open_shard`, its sort key `open_since`."""
PENDING_SHARD = "pending"
"""Partition of the index with all pending files. A partition takes 1,000 writes per second. docs/ingestion.md compares
this limit with the load."""
MAX_SORT_KEY_BYTES = 1024
"""DynamoDB's limit for a sort key."""


class FileStatus(StrEnum):
    """Status of one file."""

    PENDING = "pending"
    """Waits for a manifest."""
    MANIFESTED = "manifested"
    """Belongs to a manifest whose execution has started."""
    PROCESSED = "processed"
    """Read by a run, which has written the file's rows to the lake. A file with only blank lines has no rows."""
    REJECTED = "rejected"
    """Invalid or not allowed: its rows are not in the lake, and no run tries it again."""
    SUPERSEDED = "superseded"
    """Deleted before the run read it. The landing bucket deletes a version some days after a newer version of the
    object has superseded it."""
    FAILED = "failed"
    """The execution of its manifest failed or ended without a result. An operator can start a redrive, which is a new
    execution that processes the file again."""


class FileRejection(StrEnum):
    """Reasons to reject a file before a run reads it. They are stored as the `reason` of its record."""

    EMPTY = "EMPTY"
    TOO_LARGE = "TOO_LARGE"
    SUFFIX_NOT_ALLOWED = "SUFFIX_NOT_ALLOWED"


def to_date(time: datetime) -> str:
    """Return the UTC date of a time, for example `2026-01-31`."""
    return time.astimezone(UTC).strftime("%Y-%m-%d")


class ArrivedFile(NotifiedObject):
    """File that a notification announces."""

    @property
    def arrival_date(self) -> str:
        """UTC date of the arrival, for example `2026-01-31`. It is the partition key of the file's record."""
        return to_date(self.arrived)

    @property
    def sort_key(self) -> str:
        """Sort key of the file's record: object key and version id.

        A hash replaces both if together they are too long for DynamoDB. All keys begin with the prefix of the landing
        bucket, so they differ from hashes and from the sort keys of manifest records.
        """
        plain = f"{self.key}#{self.version_id}".encode()
        is_short = len(plain) <= MAX_SORT_KEY_BYTES
        return plain.decode() if is_short else f"sha256:{hashlib.sha256(plain).hexdigest()}"

    def find_rejection(self, max_bytes: int) -> FileRejection | None:
        """Return the reason to reject the file, or None if it is accepted."""
        if not self.key.lower().endswith(ALLOWED_SUFFIXES):
            return FileRejection.SUFFIX_NOT_ALLOWED
        if self.size == 0:
            return FileRejection.EMPTY
        return FileRejection.TOO_LARGE if self.size > max_bytes else None


def parse_arrived_files(body: str) -> list[ArrivedFile]:
    """Return the files that an SQS message announces."""
    return [ArrivedFile(**dict(new_object)) for new_object in parse_new_objects(body)]


class RecordedFile(Message):
    """A file by the primary key of its record."""

    date_prefix: str
    """UTC date of arrival: the partition key."""
    file_key: str
    """Sort key."""


class ListedFile(RecordedFile):
    """A pending file, or a file in the list of a manifest."""

    bucket: str
    object_key: str
    version_id: str
    size: Annotated[int, Field(ge=0)]
    """Size in bytes."""
    arrived_at: str
    """Time of arrival: ISO 8601 in UTC, with milliseconds."""
    open_since: str
    """Time at which the file's record was created, in the same form."""


class FileResult(RecordedFile):
    """Result of a Spark run for one file."""

    status: Literal["processed", "rejected", "superseded"]
    reason: str = ""
    """Cause of the status. Empty for a file that is processed without problems."""
    rows: Annotated[int, Field(ge=0)] = 0
    rejected_rows: Annotated[int, Field(ge=0)] = 0


@dataclass(frozen=True)
class FileTable:
    """Gateway for the records of files. Each change is one conditional write."""

    table: "Table"
    record_days: int
    clock: Callable[[], datetime]

    def track(self, file: ArrivedFile, rejection: FileRejection | None = None) -> bool:
        """Create a file's record, as rejected if a reason is given, otherwise as pending.

        Return False if the file already has a record, in any status.
        """
        now = self.clock()
        state = (
            {"status": FileStatus.REJECTED, "reason": rejection}
            if rejection
            else {"status": FileStatus.PENDING, "open_shard": PENDING_SHARD, "open_since": timestamp(now)}
        )
        item: dict[str, Any] = {
            **state,
            "date_prefix": file.arrival_date,
            "file_key": file.sort_key,
            "bucket": file.bucket,
            "object_key": file.key,
            "version_id": file.version_id,
            "size": file.size,
            "etag": file.etag,  # for operators: no code reads it
            "arrived_at": timestamp(file.arrived),
            "tracked_at": timestamp(now),
            "ttl": self.compute_ttl(),
            "schemaVersion": 1,
        }
        try:
            self.table.put_item(Item=item, ConditionExpression=Attr("file_key").not_exists())
        except self.table.meta.client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def has_record(self, file: ArrivedFile) -> bool:
        """Return True if the file has a record under its date of arrival, the day before or the day after.

        The command `announce` takes the time from S3's listing. S3's notification gives a slightly different time, so
        around midnight the dates can differ.
        """
        days = (file.arrived + timedelta(days=offset) for offset in (0, -1, 1))
        keys = ({"date_prefix": to_date(day), "file_key": file.sort_key} for day in days)
        return any("Item" in self.table.get_item(Key=key) for key in keys)

    def list_pending(self, max_count: int) -> list[ListedFile]:
        """Return the pending files that have waited longest, oldest first. The index may lag behind the table."""
        items = query_open_items(self.table, Key("open_shard").eq(PENDING_SHARD), Limit=max_count)
        return [ListedFile.model_validate(item) for item in islice(items, max_count)]

    def take(self, file: RecordedFile, manifest_id: str, *, from_failed: bool) -> FileStatus | None:
        """Mark a pending file as `manifested` by this manifest.

        With `from_failed`, a file of this manifest that failed in an earlier execution becomes `manifested` again.
        A file in another status does not change. Return the status afterwards, or None if the file belongs to another
        manifest or has no record.
        """
        sources = [FileStatus.PENDING, FileStatus.MANIFESTED, *([FileStatus.FAILED] if from_failed else [])]
        return self._change(file, manifest_id, sources, FileStatus.MANIFESTED, {"reason": ""})

    def record_result(self, result: FileResult, manifest_id: str) -> FileStatus | None:
        """Store a run's result for a file of this manifest, unless it already has one. Return like `take`."""
        sources = [FileStatus.MANIFESTED, FileStatus.FAILED]
        values = result.model_dump(include={"reason", "rows", "rejected_rows"})
        return self._change(result, manifest_id, sources, FileStatus(result.status), values)

    def fail(self, file: RecordedFile, manifest_id: str, reason: str) -> FileStatus | None:
        """Mark a file of this manifest as failed, unless it has a result. Return like `take`.

        A pending file on the manifest's list becomes a failed file of this manifest, too. So the builder cannot take
        it for a manifest that has already failed.
        """
        sources = [FileStatus.PENDING, FileStatus.MANIFESTED]
        return self._change(file, manifest_id, sources, FileStatus.FAILED, {"reason": reason})

    def compute_ttl(self) -> int:
        """Return the TTL of a new record: the epoch second after which DynamoDB may delete it."""
        return int((self.clock() + timedelta(days=self.record_days)).timestamp())

    def _change(
        self,
        file: RecordedFile,
        manifest_id: str,
        sources: list[FileStatus],
        target: FileStatus,
        values: Mapping[str, Any],
    ) -> FileStatus | None:
        """Change the status from one of `sources` to `target`, unless the file belongs to another manifest.

        A pending file belongs to no manifest yet. After the change, it belongs to this manifest. Return like `take`.
        """
        is_free_or_own = Attr("manifest_id").not_exists() | Attr("manifest_id").eq(manifest_id)
        condition = Attr("status").is_in(sources) & is_free_or_own
        changes = {"status": target, "manifest_id": manifest_id, **values}
        key = {"date_prefix": file.date_prefix, "file_key": file.file_key}
        # Without these attributes, the item leaves the index `open`.
        item = change_item(self.table, key, condition, changes, remove=("open_shard", "open_since"))
        if item is None:
            return target
        return FileStatus(item["status"]) if item.get("manifest_id") == manifest_id else None


def query_open_items(table: "Table", condition: ConditionBase, **options: Any) -> Iterator[Mapping[str, Any]]:
    """Yield the items of the index `open` for a key condition, ordered by `open_since`. `options` are those of Query."""
    next_page: dict[str, Any] = {}
    while True:
        response = table.query(IndexName=OPEN_INDEX, KeyConditionExpression=condition, **options, **next_page)
        yield from response["Items"]
        if "LastEvaluatedKey" not in response:
            return
        next_page = {"ExclusiveStartKey": response["LastEvaluatedKey"]}


def change_item(
    table: "Table", key: Mapping[str, str], condition: ConditionBase, values: Mapping[str, Any], remove: Sequence[str]
) -> Mapping[str, str] | None:
    """Set and remove attributes of an item if it meets a condition, and return None.

    Otherwise return the unchanged item's string attributes: an empty mapping if the item does not exist.
    """
    # `Table` would build the condition itself, but several threads share it, and its builder counts placeholders.
    built = ConditionExpressionBuilder().build_expression(condition)
    set_values = ", ".join(f"#{name} = :{name}" for name in values)
    try:
        table.update_item(
            Key=key,
            UpdateExpression=f"SET {set_values} REMOVE {', '.join(f'#{name}' for name in remove)}",
            ConditionExpression=built.condition_expression,
            ExpressionAttributeNames=built.attribute_name_placeholders
            | {f"#{name}": name for name in (*values, *remove)},
            ExpressionAttributeValues=built.attribute_value_placeholders
            | {f":{name}": values[name] for name in values},
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException as error:
        item: Any = error.response.get("Item", {})  # boto3 does not convert the attributes of an error
        return {name: value["S"] for name, value in item.items() if "S" in value}
    return None

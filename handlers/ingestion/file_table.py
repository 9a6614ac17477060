"""DynamoDB gateway for file records. No other module reads or writes them.

A manifest is a list of files for one workflow execution. A file is tracked (its record is created), then claimed for a
manifest, then marked as `manifested` when the manifest's execution runs, and finally gets a result. Each change is one
conditional update, which succeeds only from the statuses that `status_transitions` allows. So a late or repeated call
changes nothing.

A redrive is a new execution for a manifest that failed. A file's record has the number of the last redrive that changed
it, so that late calls of earlier executions can be refused.
"""

import heapq
from collections.abc import Callable, Collection, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.ids import timestamp
from handlers.ingestion.arrived_files import ArrivedFile
from handlers.ingestion.environment_bases import MAX_OPEN_SHARDS, OPEN_SHARDS
from handlers.ingestion.file_records import FileRecord, OpenFile, build_file_item, choose_open_shard
from handlers.ingestion.manifest_documents import FileResult
from handlers.ingestion.status_transitions import FileStatus, source_statuses
from handlers.ingestion.table_keys_and_updates import Item, RecordId, Values, build_update, query_open_items

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient


class FileTable:
    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        record_days: int,
        clock: Callable[[], datetime],
        open_shards: int = OPEN_SHARDS,
        *,
        read_all_shards: bool = False,
    ) -> None:
        """`open_shards` is the number of partitions of the index `open` to which pending files are written.

        With `read_all_shards`, list them from every possible partition, in case `open_shards` was lowered.
        """
        self._client = client
        self._name = name
        self._record_days = record_days
        self._clock = clock
        self._shard_count = open_shards
        self._read_shard_count = MAX_OPEN_SHARDS if read_all_shards else open_shards

    def track(self, file: ArrivedFile, rejection: str | None = None, *, check_adjacent_dates: bool = False) -> bool:
        """Create a file's record, as rejected if a reason is given, otherwise as pending.

        Return False if the file already has a record, in any status. With `check_adjacent_dates`, a record under the
        day before or after counts too. This is needed because the notification and the bucket listing can give
        different days for a file. The check and the write are one transaction.
        """
        put = {
            "TableName": self._name,
            "Item": build_file_item(file, rejection, self._clock(), self._record_days, self._shard_count),
            "ConditionExpression": "attribute_not_exists(file_key)",
        }
        try:
            if check_adjacent_dates:
                items: list[Any] = [{"Put": put}, *self._absence_checks(file)]
                self._client.transact_write_items(TransactItems=items)
            else:
                self._client.put_item(**put)  # type: ignore[arg-type]
        except ClientError as error:
            if _is_condition_failure(error):
                return False
            raise
        return True

    def list_pending(self, max_count: int, skip: Collection[RecordId] = ()) -> list[OpenFile]:
        """Return the pending files that have waited longest, oldest first. Leave out the files in `skip`."""
        page_size = max_count + len(skip)
        shards = [
            map(OpenFile.from_item, query_open_items(self._client, self._name, f"pending#{shard}", page_size=page_size))
            for shard in range(self._read_shard_count)
        ]
        oldest = heapq.merge(*shards, key=lambda file: file.open_since)
        return list(islice((file for file in oldest if file.id not in skip), max_count))

    def list_claims(self, before: datetime) -> list[OpenFile]:
        """Return the files that were claimed before a moment."""
        return [
            OpenFile.from_item(item)
            for shard in range(MAX_OPEN_SHARDS)
            for item in query_open_items(self._client, self._name, f"claimed#{shard}", before=before)
        ]

    def claim(self, record_id: RecordId, manifest_id: str) -> FileRecord | None:
        """Claim a pending file for a manifest.

        Return its record, also if this manifest has already claimed it. Return None if another manifest has claimed the
        file, if its status is neither `pending` nor `claimed`, or if it has no record.
        """
        record = self._transition(
            record_id,
            dict.fromkeys(source_statuses(FileStatus.CLAIMED)),
            None,
            assign={
                "status": FileStatus.CLAIMED,
                "manifest_id": manifest_id,
                "open_shard": self._choose_open_shard(FileStatus.CLAIMED, record_id),
                "open_since": timestamp(self._clock()),
            },
        )
        return record if record and (record.status, record.manifest_id) == (FileStatus.CLAIMED, manifest_id) else None

    def release(self, record_id: RecordId, manifest_id: str) -> bool:
        """Make a file that this manifest has claimed pending again. It keeps its place in the order of waiting files.

        Return True if the file is pending afterwards.
        """
        record = self._transition(
            record_id,
            dict.fromkeys(source_statuses(FileStatus.PENDING)),
            manifest_id,
            assign={"status": FileStatus.PENDING, "open_shard": self._choose_open_shard(FileStatus.PENDING, record_id)},
            copy={"open_since": "tracked_at"},
            remove=("manifest_id",),
        )
        return record is not None and record.status is FileStatus.PENDING

    def mark_manifested(self, record_id: RecordId, manifest_id: str, redrive: int = 0) -> FileRecord | None:
        """Mark a claimed file of this manifest as `manifested`, because the manifest's execution runs.

        `redrive` is the number of the execution's redrive, or 0 for the first execution. A redrive also marks the files
        that failed in an earlier execution. Return the record as it is afterwards, even if it was not changed, or None
        if the record no longer exists.
        """
        allowed = [
            status for status in source_statuses(FileStatus.MANIFESTED) if redrive or status != FileStatus.FAILED
        ]
        return self._transition(
            record_id,
            dict.fromkeys(allowed, redrive - 1),
            manifest_id,
            assign={"status": FileStatus.MANIFESTED, "redrives": redrive},
            remove=("open_shard", "open_since", "reason"),
        )

    def record_result(self, result: FileResult, manifest_id: str, redrive: int = 0) -> FileRecord | None:
        """Store an execution's result for a file, unless the file has one already or belongs to a later execution.

        Return the record as it is afterwards, even if it was not changed, or None if the record no longer exists.
        """
        status = FileStatus(result.status)
        counts: Values = {"rows": result.rows, "rejected_rows": result.rejected_rows}
        allowed: dict[FileStatus, int | None] = dict.fromkeys(source_statuses(status), redrive)
        if status is FileStatus.FAILED:
            # If a redrive fails before it has marked the file, the file is still `failed` from an earlier execution.
            # The number of the redrive is stored all the same, so that late calls of this redrive can no longer mark
            # the file as `manifested`.
            allowed[FileStatus.FAILED] = redrive - 1
        return self._transition(
            result.record_id,
            allowed,
            manifest_id,
            assign={"status": status, "reason": result.reason, "redrives": redrive, **counts},
            remove=("open_shard", "open_since"),
        )

    def _absence_checks(self, file: ArrivedFile) -> Iterator[dict[str, Any]]:
        for days in (-1, 1):
            moved = file.model_copy(update={"arrived": file.arrived + timedelta(days=days)})
            yield {
                "ConditionCheck": {
                    "TableName": self._name,
                    "Key": RecordId(moved.arrival_date, file.sort_key).key,
                    "ConditionExpression": "attribute_not_exists(file_key)",
                }
            }

    def _transition(
        self, record_id: RecordId, allowed: Mapping[FileStatus, int | None], manifest_id: str | None, **changes: Any
    ) -> FileRecord | None:
        """Change the record if its status is in `allowed` and, unless `manifest_id` is None, if it has that manifest.

        `allowed` maps each status to the highest redrive number that the record may have, or to None for any number.
        Example: `{MANIFESTED: 1}` changes no record that redrive 2 has changed. Return the record after the change, the
        unchanged record if the condition failed, or None if there is no record.
        """
        values: dict[str, str | int] = {}
        alternatives = []
        for index, (status, max_redrives) in enumerate(allowed.items()):
            alternative = f"#status = :from_{index}"
            values[f"from_{index}"] = status
            if max_redrives is not None:
                alternative += f" AND ( attribute_not_exists( #redrives ) OR #redrives <= :max_redrives_{index} )"
                values[f"max_redrives_{index}"] = max_redrives
            alternatives.append(alternative)
        condition = " OR ".join(alternatives)
        if manifest_id is not None:
            # DynamoDB refuses redundant parentheses.
            condition = f"{f'( {condition} )' if len(alternatives) > 1 else condition} AND #manifest_id = :mine"
            values["mine"] = manifest_id
        try:
            response: Item = self._client.update_item(
                TableName=self._name, **build_update(record_id, condition, values, **changes)
            )
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Item | None = error.response.get("Item")  # type: ignore[assignment]
            return FileRecord.from_item(item) if item else None
        return FileRecord.from_item(response["Attributes"])

    def _choose_open_shard(self, status: FileStatus, record_id: RecordId) -> str:
        return choose_open_shard(status, record_id, self._shard_count)


def _is_condition_failure(error: ClientError) -> bool:
    """Return True if a write failed because of its condition.

    A transaction conflict is not a condition failure, because it does not show whether the record exists.
    """
    if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
        return True
    reasons = {reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])}
    return "ConditionalCheckFailed" in reasons

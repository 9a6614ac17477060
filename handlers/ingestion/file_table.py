"""The file table, where it holds files: the one place that reads and writes their records.

Each move is one conditional update on the file's own record, and the condition is made of the table of moves, so that
whoever comes late, twice or in the wrong order changes nothing.
"""

import heapq
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.ingestion.environment import MOST_SHARDS
from handlers.ingestion.file_admission import ArrivedFile
from handlers.ingestion.file_records import FileRecord, OpenFile, new_record, shard_of
from handlers.ingestion.manifest import FileResult
from handlers.ingestion.status_transitions import FileStatus, sources
from handlers.ingestion.table_items import OPEN_INDEX, Item, RecordId, Values, id_of, update

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

BATCH_GET = 100
"""The most records that one BatchGetItem reads."""


class FileTable:
    """Records of files, one a version."""

    def __init__(
        self,
        client: "DynamoDBClient",
        name: str,
        record_days: int,
        clock: Callable[[], datetime],
        open_shards: int = 2,
        *,
        every_shard: bool = False,
    ) -> None:
        """`every_shard`: look for pending files wherever any may be, also where fewer shards are in use by now."""
        self._client = client
        self._name = name
        self._record_days = record_days
        self._clock = clock
        self._shards = open_shards
        self._looked_into = MOST_SHARDS if every_shard else open_shards

    def track(self, file: ArrivedFile, refusal: str | None = None, *, look_around: bool = False) -> bool:
        """Records a file as pending, or as rejected; false where it is recorded, in whatever state it has reached.

        `look_around`: unless it is recorded under the day before or after, in one transaction. Event and listing
        may name different days for one version, so whoever could meet the other one's record has to ask for this.
        """
        put = {
            "TableName": self._name,
            "Item": new_record(file, refusal, self._clock(), self._record_days, self._shards),
            "ConditionExpression": "attribute_not_exists(file_key)",
        }
        try:
            if look_around:
                self._client.transact_write_items(TransactItems=[{"Put": put}, *self._absent(file)])  # type: ignore[list-item, typeddict-item]
            else:
                self._client.put_item(**put)  # type: ignore[arg-type]
        except ClientError as error:
            if _stopped_by_condition(error):
                return False
            raise
        return True

    def pending(self, most: int, skip: Collection[RecordId] = ()) -> list[OpenFile]:
        """The files that wait longest, oldest first."""
        shards = [self._open(f"pending#{shard}", most + len(skip)) for shard in range(self._looked_into)]
        oldest = heapq.merge(*shards, key=lambda one: one.since)
        return list(islice((one for one in oldest if one.id not in skip), most))

    def claims(self, before: datetime) -> list[OpenFile]:
        """Files claimed before a moment, wherever any may be."""
        moment = timestamp(before)
        return [one for shard in range(MOST_SHARDS) for one in self._open(f"claimed#{shard}", 1000, before=moment)]

    def claim(self, one: RecordId, manifest_id: str) -> FileRecord | None:
        """Takes a pending file for a manifest; none where somebody else was first."""
        found = self._move(
            one,
            sources(FileStatus.CLAIMED),
            None,
            sets={
                "status": FileStatus.CLAIMED,
                "manifest_id": manifest_id,
                "open_shard": self._shard(FileStatus.CLAIMED, one),
                "open_since": timestamp(self._clock()),
            },
        )
        return found if found and (found.status, found.manifest_id) == (FileStatus.CLAIMED, manifest_id) else None

    def release(self, one: RecordId, manifest_id: str) -> bool:
        """Gives a claimed file back, in the place it had: nothing but a claim of this manifest is undone."""
        found = self._move(
            one,
            sources(FileStatus.PENDING),
            manifest_id,
            sets={"status": FileStatus.PENDING, "open_shard": self._shard(FileStatus.PENDING, one)},
            copies={"open_since": "tracked_at"},
            removes=("manifest_id",),
        )
        return found is not None and found.status is FileStatus.PENDING

    def confirm(self, one: RecordId, manifest_id: str, *, redriven: bool = False) -> FileRecord | None:
        """Makes a claimed file, or a failed one where its manifest is redriven, part of the run.

        The record as it then is, whatever that may be; none where there is no record any more.
        """
        allowed = [one for one in sources(FileStatus.MANIFESTED) if redriven or one is not FileStatus.FAILED]
        return self._move(
            one,
            tuple(allowed),
            manifest_id,
            sets={"status": FileStatus.MANIFESTED},
            removes=("open_shard", "open_since", "reason"),
        )

    def settle(self, result: FileResult, manifest_id: str) -> FileRecord | None:
        """Writes what became of a file, once; the record as it then is."""
        one = RecordId(result.date_prefix, result.file_key)
        status = FileStatus(result.status)
        counts: Values = {"rows": result.rows, "rejected_rows": result.rejected_rows}
        return self._move(
            one,
            sources(status),
            manifest_id,
            sets={"status": status, "reason": result.reason, **counts},
            removes=("open_shard", "open_since"),
        )

    def known(self, ids: Iterable[RecordId]) -> set[RecordId]:
        """Those of the ids that have a record."""
        wanted, found = list(ids), set()
        while wanted:
            answer = self._client.batch_get_item(
                RequestItems={
                    self._name: {
                        "Keys": [one.key for one in wanted[:BATCH_GET]],
                        "ProjectionExpression": "date_prefix, file_key",
                    }
                }
            )
            found |= {id_of(item) for item in answer["Responses"].get(self._name, [])}
            left = answer.get("UnprocessedKeys", {}).get(self._name, {"Keys": []})["Keys"]
            wanted = [id_of(key) for key in left] + wanted[BATCH_GET:]
        return found

    def _absent(self, file: ArrivedFile) -> Iterator[dict[str, Any]]:
        for days in (-1, 1):
            other = file.model_copy(update={"arrived": file.arrived + timedelta(days=days)})
            yield {
                "ConditionCheck": {
                    "TableName": self._name,
                    "Key": RecordId(other.date_prefix, file.file_key).key,
                    "ConditionExpression": "attribute_not_exists(file_key)",
                }
            }

    def _move(
        self, one: RecordId, allowed: tuple[FileStatus, ...], manifest_id: str | None, **changes: Any
    ) -> FileRecord | None:
        """The record after the move or, where its condition did not hold, as it is."""
        given: dict[str, str | int] = {f"from_{index}": status for index, status in enumerate(allowed)}
        condition = f"#status IN ( {', '.join(f':{name}' for name in given)} )"
        if manifest_id is not None:
            condition += " AND #manifest_id = :mine"
            given["mine"] = manifest_id
        try:
            answer: Item = self._client.update_item(TableName=self._name, **update(one, condition, given, **changes))
        except self._client.exceptions.ConditionalCheckFailedException as error:
            item: Item | None = error.response.get("Item")  # type: ignore[assignment]
            return FileRecord.of(item) if item else None
        return FileRecord.of(answer["Attributes"])

    def _open(self, shard: str, page: int, *, before: str | None = None) -> Iterator[OpenFile]:
        values = {":shard": {"S": shard}} | ({":before": {"S": before}} if before else {})
        following: dict[str, Any] = {}
        while True:
            answer = self._client.query(
                TableName=self._name,
                IndexName=OPEN_INDEX,
                KeyConditionExpression="open_shard = :shard" + (" AND open_since < :before" if before else ""),
                ExpressionAttributeValues=values,
                Limit=page,
                **following,
            )
            for item in answer["Items"]:
                yield OpenFile.of(item)
            if "LastEvaluatedKey" not in answer:
                return
            following = {"ExclusiveStartKey": answer["LastEvaluatedKey"]}

    def _shard(self, status: FileStatus, one: RecordId) -> str:
        return shard_of(status, one, self._shards)


def _stopped_by_condition(error: ClientError) -> bool:
    """Whether a write failed for its condition and nothing else: a clash of transactions says nothing of the record."""
    if error.response["Error"]["Code"] == "ConditionalCheckFailedException":
        return True
    reasons = {one.get("Code", "None") for one in error.response.get("CancellationReasons", [])}
    return "ConditionalCheckFailed" in reasons

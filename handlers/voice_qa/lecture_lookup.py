"""Lectures as they are asked about: whether one is ready, where its audio is, and whose a new one is.

What an upload is worth is the validator's to say. Here its word is read, and the owner is written beside it: nothing of
the validator's is touched, and the item has no time to live.
"""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from handlers.common.items import stored
from handlers.voice_qa.lecture_table import SCHEMA_VERSION
from handlers.voice_qa.lectures import LectureStatus
from handlers.voice_qa.protocol import Code
from handlers.voice_qa.records import lecture_key
from handlers.voice_qa.unanswerable import Unanswerable

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

LONGEST_REASON = 300
NO_REASON = "The recording cannot be used."
LENGTH = re.compile(r"[0-9]{1,12}")


@dataclass(frozen=True)
class ReadyLecture:
    """A lecture that may be asked about: the version of its audio that was validated."""

    key: str
    version_id: str
    format: str
    duration_ms: int


class LectureLookup:
    """Items of lectures, with GetItem and UpdateItem."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def ready(self, lecture_id: str) -> ReadyLecture:
        """A lecture that may be asked about; raises Unanswerable."""
        answer = self._client.get_item(TableName=self._table, Key=stored(lecture_key(lecture_id)), ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        if item is None:
            raise Unanswerable(Code.LECTURE_UNKNOWN, "There is no such lecture.")
        status, duration = item.get("status", {}).get("S"), item.get("duration_ms", {}).get("N", "")
        if status == LectureStatus.REJECTED:
            reason = item.get("reason", {}).get("S") or NO_REASON
            raise Unanswerable(Code.LECTURE_REJECTED, reason[:LONGEST_REASON])
        if status != LectureStatus.READY or not LENGTH.fullmatch(duration):
            raise Unanswerable(Code.LECTURE_NOT_READY, "The lecture is not ready yet. Ask again later.", retryable=True)
        return ReadyLecture(item["object_key"]["S"], item["version_id"]["S"], item["format"]["S"], int(duration))

    def reserve(self, lecture_id: str, owner: str) -> None:
        """Says whose a lecture is, before anything is uploaded; who has it already keeps it."""
        self._client.update_item(
            TableName=self._table,
            Key=stored(lecture_key(lecture_id)),
            UpdateExpression=(
                "SET #owner = if_not_exists(#owner, :owner), schema_version = if_not_exists(schema_version, :schema)"
            ),
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}, ":schema": {"N": str(SCHEMA_VERSION)}},
        )

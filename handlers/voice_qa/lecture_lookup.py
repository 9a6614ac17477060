"""Lectures as the socket handler sees them: whether one may be asked about, and whose a new one is.

What an upload is worth is the validator's to say. Here its word is read, and the owner is written beside it: nothing of
the validator's is touched, and the item has no time to live.
"""

from typing import TYPE_CHECKING, Any

from handlers.common.errors import HandlerError
from handlers.common.versioned import texts
from handlers.voice_qa.lecture_table import SCHEMA_VERSION
from handlers.voice_qa.lectures import LectureStatus
from handlers.voice_qa.protocol import Code
from handlers.voice_qa.records import lecture_key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

LONGEST_REASON = 300
NO_REASON = "The recording cannot be used."


class LectureLookup:
    """Items of lectures, with GetItem and UpdateItem."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def check_ready(self, lecture_id: str) -> None:
        """Raises HandlerError where nothing can be asked about a lecture."""
        answer = self._client.get_item(TableName=self._table, Key=texts(lecture_key(lecture_id)), ConsistentRead=True)
        item: dict[str, Any] | None = answer.get("Item")
        if item is None:
            raise HandlerError(Code.LECTURE_UNKNOWN, "There is no such lecture.", 404)
        match item.get("status", {}).get("S"):
            case LectureStatus.READY:
                return
            case LectureStatus.REJECTED:
                reason = item.get("reason", {}).get("S") or NO_REASON
                raise HandlerError(Code.LECTURE_REJECTED, reason[:LONGEST_REASON], 409)
            case _:
                raise HandlerError(Code.LECTURE_NOT_READY, "The lecture is not ready yet. Ask again later.", 409)

    def reserve(self, lecture_id: str, owner: str) -> None:
        """Says whose a lecture is, before anything is uploaded; who has it already keeps it."""
        self._client.update_item(
            TableName=self._table,
            Key=texts(lecture_key(lecture_id)),
            UpdateExpression=(
                "SET #owner = if_not_exists(#owner, :owner), schema_version = if_not_exists(schema_version, :schema)"
            ),
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": owner}, ":schema": {"N": str(SCHEMA_VERSION)}},
        )

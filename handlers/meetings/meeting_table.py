"""DynamoDB gateway for the records of meetings.

A writer reads a record, computes the changed record, and writes it on the condition that the table still has the
version that was read. If another writer was faster, the writer reads again. boto3 repeats a call whose response was
lost, and the repetition then fails the condition. So a failed write still counts as done if the table holds exactly the
record that was to be written.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.records import TooManyWriters, deserialize_item, serialize_item
from handlers.meetings.meeting_record import PARTITION, SORT, MeetingRecord
from handlers.meetings.s3_keys import MeetingId

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_WRITE_ATTEMPTS = 8
"""Maximum number of tries to write a change. A try fails only if another writer was faster. A meeting has few
writers, so more tries are not needed.
"""
CONFLICT_ERRORS = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
"""Error codes of PutItem which mean that another writer was faster."""


@dataclass(frozen=True)
class MeetingChange:
    """A meeting's record before and after an update."""

    before: MeetingRecord
    after: MeetingRecord

    @property
    def has_changed(self) -> bool:
        """True if the update changed the record. A repeated update changes nothing."""
        return self.before != self.after


class MeetingTable:
    """Reads and writes records of meetings."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def read(self, meeting: MeetingId) -> MeetingRecord | None:
        """Return a meeting's record, or None if it does not exist."""
        key = serialize_item({PARTITION: meeting.user, SORT: meeting.meeting_id})
        item = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else MeetingRecord.model_validate(deserialize_item(item))

    def write(self, before: MeetingRecord | None, after: MeetingRecord) -> bool:
        """Write `after` if the table still has the version of `before`. Return True if the table now has `after`."""
        return self._put_item(before, after) or self.read(after.meeting) == after

    def update(self, meeting: MeetingId, change: Callable[[MeetingRecord], MeetingRecord]) -> MeetingChange | None:
        """Apply `change` to a meeting's record and write the result; return None if there is no record.

        `change` is called again if another writer was faster. Raises TooManyWriters if that happens in every try.
        """
        for _ in range(MAX_WRITE_ATTEMPTS):
            before = self.read(meeting)
            if before is None:
                return None
            after = change(before)
            if after == before or self.write(before, after):
                return MeetingChange(before, after)
        raise TooManyWriters

    def _put_item(self, before: MeetingRecord | None, after: MeetingRecord) -> bool:
        """Write the record. Return False if another writer was faster."""
        condition: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(#user)", "ExpressionAttributeNames": {"#user": PARTITION}}
            if before is None
            else {
                "ConditionExpression": "#version = :read",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": {"N": str(before.version)}},
            }
        )
        try:
            self._client.put_item(
                TableName=self._name, Item=serialize_item(after.model_dump(mode="json", by_alias=True)), **condition
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in CONFLICT_ERRORS:
                return False
            raise
        return True

"""DynamoDB gateway for the records of meetings, and for the due items, which list the meetings that a scheduled
function, the sweep, must check.

A writer reads a record, computes the changed record, and writes it on the condition that the table still has the
version that was read. If another writer was faster, the writer reads again. boto3 repeats a call whose response was
lost, and the repetition then fails the condition. So a failed write still counts as done if the table holds exactly the
record that was to be written.

The sweep checks meetings that make no progress. A record's field `due` is the time of the meeting's next check. Unless
`due` is None, the meeting has a second item, the due item, with the partition key `#open` and the sort key
`<due>#<user>#<meetingId>`. So a single query finds the meetings to check. A write that changes `due` writes the record
and the due item in one transaction.

No user is called `#open`, so a role that is restricted to its user's partition cannot read due items. The table's index
by date does not contain them, because they lack its sort key `startedAt`. All due items are in one partition, which
accepts 1,000 write units per second. The due items of one meeting cost four to eight write units, so more than 100
meetings per second are possible.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.aws.dynamodb_values import Item, deserialize_item, serialize_item
from handlers.common.aws.dynamodb_versioned_items import TooManyWriters
from handlers.meetings.meeting_record import DUE_PARTITION, PARTITION, SORT, MeetingRecord
from handlers.meetings.s3_keys import MeetingId

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_WRITE_ATTEMPTS = 8
"""Maximum number of tries to write a change. A try fails only if another writer was faster. A meeting has few
writers, so more tries are not needed.
"""
CONFLICT_REASONS = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
"""Cancellation reasons of a transaction which mean that another writer was faster."""
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


@dataclass(frozen=True)
class DueMeeting:
    """A due item: a meeting, and the time at which the sweep must check it."""

    meeting: MeetingId
    due_at: str


class MeetingTable:
    """Reads and writes records of meetings, and lists and deletes due items."""

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
        return self._write_items(before, after) or self.read(after.meeting) == after

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

    def list_due(self, before: str) -> Iterator[DueMeeting]:
        """Yield the due items with a time before `before`, the earliest first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#partition = :open AND #sort < :before",
            ExpressionAttributeNames={"#partition": PARTITION, "#sort": SORT},
            ExpressionAttributeValues=serialize_item({":open": DUE_PARTITION, ":before": before}),
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                due, user, meeting_id = item[SORT]["S"].split("#")
                yield DueMeeting(MeetingId(user, meeting_id), due)

    def delete_due_item(self, due: DueMeeting) -> None:
        """Delete a due item. The caller must have checked that the meeting has no record, or a record with another due
        time.
        """
        self._client.delete_item(TableName=self._name, Key=_due_key(due.meeting, due.due_at))

    def _write_items(self, before: MeetingRecord | None, after: MeetingRecord) -> bool:
        """Write the record, and replace its due item if `due` changed. Return False if another writer was faster."""
        meeting, put = after.meeting, self._put_request(before, after)
        old_due, new_due = None if before is None else before.due, after.due
        if old_due == new_due:
            return self._put_item(put)
        items: list[Any] = [{"Put": put}]
        if old_due is not None:
            items.append({"Delete": {"TableName": self._name, "Key": _due_key(meeting, old_due)}})
        if new_due is not None:
            items.append({"Put": {"TableName": self._name, "Item": _due_key(meeting, new_due)}})
        try:
            self._client.transact_write_items(TransactItems=items)
        except self._client.exceptions.TransactionCanceledException as error:
            reasons = {reason.get("Code", "None") for reason in error.response["CancellationReasons"]} - {"None"}
            if reasons <= CONFLICT_REASONS:
                return False
            raise
        return True

    def _put_item(self, put: dict[str, Any]) -> bool:
        try:
            self._client.put_item(**put)
        except ClientError as error:
            if error.response["Error"]["Code"] in CONFLICT_ERRORS:
                return False
            raise
        return True

    def _put_request(self, before: MeetingRecord | None, after: MeetingRecord) -> dict[str, Any]:
        condition: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(#user)", "ExpressionAttributeNames": {"#user": PARTITION}}
            if before is None
            else {
                "ConditionExpression": "#version = :read",
                "ExpressionAttributeNames": {"#version": "version"},
                "ExpressionAttributeValues": {":read": {"N": str(before.version)}},
            }
        )
        return {
            "TableName": self._name,
            "Item": serialize_item(after.model_dump(mode="json", by_alias=True)),
            **condition,
        }


def _due_key(meeting: MeetingId, due: str) -> Item:
    return serialize_item({PARTITION: DUE_PARTITION, SORT: f"{due}#{meeting.user}#{meeting.meeting_id}"})

"""Meetings in their table: read as they are now, and written if they still are as they were seen.

What is written follows from what was read (`standing.py`, `deciding.py`), so each write names the version that it
follows. Where another was quicker it is not written; whoever wanted it reads again and makes his move on top of what is
there. The client repeats calls whose answers are lost: a write that finds itself done has succeeded.

A meeting that somebody is to look at again has a second item, in the partition `#open` and sorted by when:
`<due>#<user># <meetingId>`. So the sweep finds what is due without an index of its own and without reading what is not.
Both items are written in one transaction. No user is called `#open`, so a role that is bound to a user's name never
reads that partition; its items have no `startedAt`, so the index does not have them. All of it is one partition, which
takes a thousand writes a second: a meeting makes two or three.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from handlers.common.aws.dynamodb_values import Item, plain, stored
from handlers.common.aws.versioned_items import TooManyWriters
from handlers.meetings.meeting_record import DUE_PARTITION, PARTITION, SORT, MeetingRecord
from handlers.meetings.s3_keys import MeetingId

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_WRITE_ATTEMPTS = 8
"""More than can collide: a few functions write to one meeting, each a few times in hours."""
CONFLICT_REASONS = frozenset({"ConditionalCheckFailed", "TransactionConflict"})
"""Why a transaction is cancelled where another was quicker."""
CONFLICT_ERRORS = frozenset({"ConditionalCheckFailedException", "TransactionConflictException"})
"""The same of a single write."""


@dataclass(frozen=True)
class MeetingChange:
    """A meeting before and after a move; the same where it did not move."""

    before: MeetingRecord
    after: MeetingRecord

    @property
    def has_changed(self) -> bool:
        """Whether this has moved it, and not another."""
        return self.before != self.after


@dataclass(frozen=True)
class DueMeeting:
    """A meeting that is to be looked at."""

    meeting: MeetingId
    due_at: str


class MeetingTable:
    """Reads and writes meetings."""

    def __init__(self, client: "DynamoDBClient", name: str) -> None:
        self._client = client
        self._name = name

    def read(self, meeting: MeetingId) -> MeetingRecord | None:
        """A meeting; none where there is none."""
        answer = self._client.get_item(TableName=self._name, Key=_meeting_key(meeting), ConsistentRead=True)
        item = answer.get("Item")
        return None if item is None else MeetingRecord.model_validate(plain(item))

    def write(self, before: MeetingRecord | None, after: MeetingRecord) -> bool:
        """Writes a meeting that is as it was seen; whether it was."""
        return self._write_items(before, after) or self.read(after.meeting) == after

    def update(self, meeting: MeetingId, move: Callable[[MeetingRecord], MeetingRecord]) -> MeetingChange | None:
        """Moves a meeting; none where there is none. The move may be made more than once."""
        for _ in range(MAX_WRITE_ATTEMPTS):
            before = self.read(meeting)
            if before is None:
                return None
            after = move(before)
            if after == before or self.write(before, after):
                return MeetingChange(before, after)
        raise TooManyWriters

    def list_due(self, before: str) -> Iterator[DueMeeting]:
        """Meetings that were to be looked at before then, the most urgent first."""
        pages = self._client.get_paginator("query").paginate(
            TableName=self._name,
            KeyConditionExpression="#partition = :open AND #sort < :before",
            ExpressionAttributeNames={"#partition": PARTITION, "#sort": SORT},
            ExpressionAttributeValues=stored({":open": DUE_PARTITION, ":before": before}),
            ConsistentRead=True,
        )
        for page in pages:
            for item in page["Items"]:
                due, user, meeting_id = item[SORT]["S"].split("#")
                yield DueMeeting(MeetingId(user, meeting_id), due)

    def delete_due_item(self, due: DueMeeting) -> None:
        """Takes away what says that a meeting is due: it is not, or was put there by nobody."""
        self._client.delete_item(TableName=self._name, Key=_due_key(due.meeting, due.due_at))

    def _write_items(self, before: MeetingRecord | None, after: MeetingRecord) -> bool:
        meeting, put = after.meeting, self._put_request(before, after)
        old, new = None if before is None else before.due, after.due
        if old == new:
            return self._put_item(put)
        items: list[Any] = [{"Put": put}]
        if old is not None:
            items.append({"Delete": {"TableName": self._name, "Key": _due_key(meeting, old)}})
        if new is not None:
            items.append({"Put": {"TableName": self._name, "Item": _due_key(meeting, new)}})
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
        seen: dict[str, Any] = (
            {"ConditionExpression": "attribute_not_exists(#at)", "ExpressionAttributeNames": {"#at": PARTITION}}
            if before is None
            else {
                "ConditionExpression": "#at = :seen",
                "ExpressionAttributeNames": {"#at": "version"},
                "ExpressionAttributeValues": {":seen": {"N": str(before.version)}},
            }
        )
        return {"TableName": self._name, "Item": stored(after.model_dump(mode="json", by_alias=True)), **seen}


def _meeting_key(meeting: MeetingId) -> Item:
    return stored({PARTITION: meeting.user, SORT: meeting.meeting_id})


def _due_key(meeting: MeetingId, due: str) -> Item:
    return stored({PARTITION: DUE_PARTITION, SORT: f"{due}#{meeting.user}#{meeting.meeting_id}"})

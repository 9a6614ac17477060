"""Reads a user's meetings: by date from the table's index, one by its id, and what was made of one from the bucket.

There is one index, by date. Whoever looks for a participant or a tag reads the dates and leaves out the others here: a
user has thousands of meetings, not millions (docs/benchmarks.md says how long that takes).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from pydantic import ValidationError

from clients.meetings.client_errors import MeetingUnreadable
from clients.meetings.user_credentials import Opened
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_record import INDEX, INDEX_SORT, PARTITION, SORT, MeetingRecord

FIRST_PAGE, LONGEST_PAGE = 50, 1_000
"""Meetings asked for at once; DynamoDB gives fewer where they are large."""
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_DESERIALIZER = TypeDeserializer()
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


def between(since: datetime | None, until: datetime | None) -> tuple[str, str] | None:
    """The first and the last moment, as the table has them, from `since` on and before `until`; none if there is none."""
    for moment in (since, until):
        if moment is not None and moment.tzinfo is None:
            raise ValueError("a moment needs its time zone: datetime(2026, 1, 31, tzinfo=UTC)")
    first = timestamp(FIRST if since is None else since + (_MILLISECOND - _MICROSECOND))
    last = timestamp(LAST if until is None else until - _MICROSECOND)
    return (first, last) if first <= last else None


def matches(record: MeetingRecord, participant: str | None, tag: str | None) -> bool:
    """Whether a meeting has this participant and this tag, in whatever case."""
    return _among(participant, record.participants) and _among(tag, record.tags)


class MeetingList(Iterator[MeetingRecord]):
    """Meetings, newest first, read as they are taken. One that this edition cannot read is left out, and told."""

    def __init__(self, items: Iterable[Mapping[str, Any]], wanted: Callable[[MeetingRecord], bool]) -> None:
        self._items = iter(items)
        self._wanted = wanted
        self.unreadable: list[str] = []
        """The ids of those that were left out so far: written by another edition, or by hand."""

    def __next__(self) -> MeetingRecord:
        for item in self._items:
            try:
                record = _record(item)
            except ValidationError:
                self.unreadable.append(str(item[SORT].get("S", "")))
            else:
                if self._wanted(record):
                    return record
        raise StopIteration


def newest_first(access: Opened, bounds: tuple[str, str]) -> Iterator[Mapping[str, Any]]:
    """The items between two moments: a few are asked for at first, and more the longer somebody goes on."""
    first, last = bounds
    limit = FIRST_PAGE
    after: dict[str, Any] | None = {}
    while after is not None:
        page = access.dynamodb.query(
            TableName=access.table,
            IndexName=INDEX,
            KeyConditionExpression="#user = :user AND #at BETWEEN :first AND :last",
            ExpressionAttributeNames={"#user": PARTITION, "#at": INDEX_SORT},
            ExpressionAttributeValues={":user": {"S": access.user}, ":first": {"S": first}, ":last": {"S": last}},
            ScanIndexForward=False,
            Limit=limit,
            **after,
        )
        yield from page["Items"]
        after = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page.get("LastEvaluatedKey") else None
        limit = min(2 * limit, LONGEST_PAGE)


def found(access: Opened, meeting_id: str) -> MeetingRecord | None:
    """One meeting, as it is now: a later look never finds it further back. None where the user has no such one."""
    key = {PARTITION: {"S": access.user}, SORT: {"S": meeting_id}}
    answer = access.dynamodb.get_item(TableName=access.table, Key=key, ConsistentRead=True)
    item = answer.get("Item")
    if item is None:
        return None
    try:
        return _record(item)
    except ValidationError:
        raise MeetingUnreadable(meeting_id) from None  # the error's own words would hold the meeting's


def content_of(access: Opened, key: str) -> bytes | None:
    """An object; none where there is none any more.

    Whoever may not list objects is told 403 of one that is not there (S3's API reference, GetObject), and a user may
    list none but his uploads. Below his own name he may read whatever is there.
    """
    try:
        answer = access.s3.get_object(Bucket=access.bucket, Key=key)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code == "NoSuchKey" or (code == "AccessDenied" and key.split("/")[1:2] == [access.user]):
            return None
        raise
    with answer["Body"] as body:
        return body.read()


def _among(wanted: str | None, those: tuple[str, ...]) -> bool:
    return wanted is None or wanted.strip().casefold() in (item.casefold() for item in those)


def _record(item: Mapping[str, Any]) -> MeetingRecord:
    return MeetingRecord.model_validate({name: _DESERIALIZER.deserialize(value) for name, value in item.items()})

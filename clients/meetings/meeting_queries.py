"""Reads of a user's meetings: the list by date and single records from the table, and output objects from the bucket.

The table has one index, by date. Participants and tags are filtered in the client, because a user has thousands of
meetings, not millions (docs/benchmarks.md shows how long that takes).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from boto3.dynamodb.types import TypeDeserializer
from botocore.exceptions import ClientError
from pydantic import ValidationError

from clients.meetings.client_errors import MeetingUnreadable
from clients.meetings.user_credentials import UserAccess
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.meeting_record import INDEX, INDEX_SORT, PARTITION, SORT, MeetingRecord

FIRST_PAGE, MAX_PAGE = 50, 1_000
"""Numbers of meetings in the first and in the largest page. DynamoDB returns fewer if they are large."""
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
"""Bounds of an unlimited period."""
_DESERIALIZER = TypeDeserializer()
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


def to_bounds(since: datetime | None, until: datetime | None) -> tuple[str, str] | None:
    """Return the first and last timestamp of the period from `since` (inclusive) to `until` (exclusive).

    Return None if the period is empty. Raises ValueError for a time without time zone.
    """
    for time in (since, until):
        if time is not None and time.tzinfo is None:
            raise ValueError("since and until need a time zone, for example datetime(2026, 1, 31, tzinfo=UTC)")
    # Timestamps in the table have whole milliseconds, and `timestamp` rounds down. So the first bound is rounded up,
    # and the last is a microsecond before the end.
    first = timestamp(EARLIEST if since is None else since + (_MILLISECOND - _MICROSECOND))
    last = timestamp(LATEST if until is None else until - _MICROSECOND)
    return (first, last) if first <= last else None


def matches(record: MeetingRecord, participant: str | None, tag: str | None) -> bool:
    """Return True if a meeting has this participant and this tag, ignoring case. None matches every meeting."""
    return _contains(participant, record.participants) and _contains(tag, record.tags)


class MeetingList(Iterator[MeetingRecord]):
    """Iterator over meetings, newest first, which reads them on demand. Unreadable meetings are skipped and listed."""

    def __init__(self, items: Iterable[Mapping[str, Any]], matches: Callable[[MeetingRecord], bool]) -> None:
        self._items = iter(items)
        self._matches = matches
        self.unreadable: list[str] = []
        """Ids of the skipped meetings so far. Another version or a person wrote their records."""

    def __next__(self) -> MeetingRecord:
        for item in self._items:
            try:
                record = _parse_record(item)
            except ValidationError:
                self.unreadable.append(str(item[SORT].get("S", "")))
            else:
                if self._matches(record):
                    return record
        raise StopIteration


def query_newest_first(access: UserAccess, bounds: tuple[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the items of a period, newest first. The first pages are small, because callers often stop early."""
    first, last = bounds
    limit = FIRST_PAGE
    continuation: dict[str, Any] | None = {}
    while continuation is not None:
        page = access.dynamodb.query(
            TableName=access.table,
            IndexName=INDEX,
            KeyConditionExpression="#user = :user AND #at BETWEEN :first AND :last",
            ExpressionAttributeNames={"#user": PARTITION, "#at": INDEX_SORT},
            ExpressionAttributeValues={":user": {"S": access.user}, ":first": {"S": first}, ":last": {"S": last}},
            ScanIndexForward=False,
            Limit=limit,
            **continuation,
        )
        yield from page["Items"]
        continuation = {"ExclusiveStartKey": page["LastEvaluatedKey"]} if page.get("LastEvaluatedKey") else None
        limit = min(2 * limit, MAX_PAGE)


def find_record(access: UserAccess, meeting_id: str) -> MeetingRecord | None:
    """Return the current record of a meeting, or None. The read is consistent, so progress never appears to go back."""
    key = {PARTITION: {"S": access.user}, SORT: {"S": meeting_id}}
    answer = access.dynamodb.get_item(TableName=access.table, Key=key, ConsistentRead=True)
    item = answer.get("Item")
    if item is None:
        return None
    try:
        return _parse_record(item)
    except ValidationError:
        raise MeetingUnreadable(meeting_id) from None  # its text would contain data of the meeting


def read_object(access: UserAccess, key: str) -> bytes | None:
    """Return the bytes of an object, or None if it does not exist.

    S3 answers 403 for a missing object if the caller may not list the bucket (API reference, GetObject). Users may only
    list their uploads, but may read all their objects, whose keys have the form `<prefix>/<user>/…`. So for a key of
    the user, 403 means that the object is missing.
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


def _contains(wanted: str | None, names: tuple[str, ...]) -> bool:
    return wanted is None or wanted.strip().casefold() in (name.casefold() for name in names)


def _parse_record(item: Mapping[str, Any]) -> MeetingRecord:
    return MeetingRecord.model_validate({name: _DESERIALIZER.deserialize(value) for name, value in item.items()})

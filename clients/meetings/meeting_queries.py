"""Reads of a user's meetings: lists and single records from the table, and output objects from the bucket.

The table's index sorts a user's meetings by date. Participants and tags are filtered in the client, which is fast
enough for thousands of meetings (docs/benchmarks.md).
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

FIRST_PAGE_SIZE = 50
"""Number of meetings that are requested with the first page. Each further page is twice as large, up to
`MAX_PAGE_SIZE`.
"""
MAX_PAGE_SIZE = 1_000
EARLIEST = datetime.min.replace(tzinfo=UTC)
"""Start of a period without `since`."""
LATEST = datetime.max.replace(tzinfo=UTC)
"""End of a period without `until`."""
_DESERIALIZER = TypeDeserializer()
_MILLISECOND, _MICROSECOND = timedelta(milliseconds=1), timedelta(microseconds=1)


def to_bounds(since: datetime | None, until: datetime | None) -> tuple[str, str] | None:
    """Return the first and last timestamp of the period from `since` (inclusive) to `until` (exclusive).

    Return None if the period is empty. Raises ValueError for a time without a time zone.
    """
    for time in (since, until):
        if time is not None and time.tzinfo is None:
            raise ValueError("since and until need a time zone, for example datetime(2026, 1, 31, tzinfo=UTC)")
    # Timestamps have whole milliseconds, and `timestamp` rounds down. For example, with `since` at 10:00:00.0005, the
    # first timestamp must be 10:00:00.001. With `until` at 10:00:00.001, the last is 10:00:00.000.
    first = timestamp(EARLIEST if since is None else since + (_MILLISECOND - _MICROSECOND))
    last = timestamp(LATEST if until is None else until - _MICROSECOND)
    return (first, last) if first <= last else None


def matches(record: MeetingRecord, participant: str | None, tag: str | None) -> bool:
    """Return True if a meeting has this participant and this tag, ignoring case. None matches every meeting."""
    return _contains(participant, record.participants) and _contains(tag, record.tags)


class MeetingList(Iterator[MeetingRecord]):
    """Iterator over the records for which `is_wanted` returns True.

    It reads items on demand, and skips unreadable records.
    """

    def __init__(self, items: Iterable[Mapping[str, Any]], is_wanted: Callable[[MeetingRecord], bool]) -> None:
        self._items = iter(items)
        self._is_wanted = is_wanted
        self.unreadable: list[str] = []
        """Ids of the meetings that were skipped so far, because their records have another form. They were written by
        another version of the backend, or by hand.
        """

    def __next__(self) -> MeetingRecord:
        for item in self._items:
            try:
                record = _parse_record(item)
            except ValidationError:
                self.unreadable.append(str(item[SORT].get("S", "")))
            else:
                if self._is_wanted(record):
                    return record
        raise StopIteration


def query_newest_first(access: UserAccess, bounds: tuple[str, str]) -> Iterator[Mapping[str, Any]]:
    """Yield the table items of a period, newest first. The first pages are small, because callers often stop early."""
    first, last = bounds
    limit = FIRST_PAGE_SIZE
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
        limit = min(2 * limit, MAX_PAGE_SIZE)


def find_record(access: UserAccess, meeting_id: str) -> MeetingRecord | None:
    """Return a meeting's record, or None if it does not exist. Raises MeetingUnreadable.

    The read is consistent, so a later call never returns an older record.
    """
    key = {PARTITION: {"S": access.user}, SORT: {"S": meeting_id}}
    answer = access.dynamodb.get_item(TableName=access.table, Key=key, ConsistentRead=True)
    item = answer.get("Item")
    if item is None:
        return None
    try:
        return _parse_record(item)
    except ValidationError:
        raise MeetingUnreadable(meeting_id) from None  # pydantic's message would quote the record


def read_object(access: UserAccess, key: str) -> bytes | None:
    """Return the bytes of an output object of the user's meetings, or None if it does not exist.

    A user may not list output objects, so S3 answers 403 instead of 404 for a missing one (API reference, GetObject).
    But a user may read all keys `<prefix>/<user>/…` of their own. So for such a key, 403 means that the object is
    missing.
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

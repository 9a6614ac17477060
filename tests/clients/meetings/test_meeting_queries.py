"""Tests of reading: lists by date, participant and tag, single meetings, summaries and transcripts."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from clients.meetings import MeetingUnknown, MeetingUnreadable, NotMade, meeting_queries
from clients.meetings.meeting_queries import matches, read_object, to_bounds
from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.identity.user_ids import derive_user_id
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.bedrock_summarize.stored_summary_models import (
    ActionItem,
    Summary,
    SummaryTokens,
    TranscriptQuote,
)
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript, TranscriptSegment
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus
from tests.clients.meetings.fake_backend import START, Backend

BOB = "B" * 32
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - beside it


@pytest.fixture
def ann(backend: Backend) -> str:
    return derive_user_id(backend.provider.issuer, "ann")


RECORD = MeetingRecord(
    user=BOB,
    meeting_id="m",
    content="c",
    title="t",
    started_at="",
    language="en-US",
    status=MeetingStatus.READY,
    since="",
    size=1,
    created_at="",
    updated_at="",
)


def ids(records: list[MeetingRecord]) -> list[str]:
    return [record.meeting_id for record in records]


def test_only_the_users_own_meetings_are_listed_newest_first(backend: Backend, ann: str) -> None:
    made = [backend.meeting(ann, title=f"m{number}", durationMs=number) for number in range(4)]
    backend.meeting(BOB)
    assert list(backend.client().list_by_date()) == made[::-1]


def test_a_list_can_be_limited_to_a_period(backend: Backend, ann: str) -> None:
    made = [backend.meeting(ann) for _ in range(5)]  # one to five hours after the start
    client = backend.client()
    assert list(client.list_by_date(since=START, until=START)) == []
    assert backend.exchanges == 0, "an empty period causes no request"
    listed = client.list_by_date(since=START + timedelta(hours=2), until=START + timedelta(hours=4))
    assert list(listed) == [made[2], made[1]], "the first time is included, the last is not"


@given(MOMENTS, MOMENTS | st.none(), MOMENTS | st.none(), st.integers(-12, 12))
def test_bounds_are_exact_to_the_microsecond_in_every_time_zone(
    at: datetime, since: datetime | None, until: datetime | None, hours: int
) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    wanted = (since is None or since <= at) and (until is None or at < until)
    bounds = to_bounds(since and since.astimezone(timezone(timedelta(hours=hours))), until)
    assert wanted == (bounds is not None and bounds[0] <= timestamp(at) <= bounds[1])


def test_a_time_without_time_zone_is_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="time zone"):
        backend.client().list_by_date(since=datetime(2026, 1, 1))  # noqa: DTZ001 - on purpose


def test_pages_are_read_on_demand(backend: Backend, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_queries, "FIRST_PAGE_SIZE", 1)
    monkeypatch.setattr(meeting_queries, "MAX_PAGE_SIZE", 3)
    made = [backend.meeting(ann) for _ in range(8)]
    client = backend.client()
    listed = client.list_by_date()
    assert ids(list(islice(listed, 2))) == ids(made[::-1][:2])
    assert len(backend.signed_with) == 2, "one, then two"
    assert ids(list(listed)) == ids(made[::-1][2:])
    assert len(backend.signed_with) == 4, "then three at a time"


def test_a_list_can_be_filtered_by_participant_and_tag(backend: Backend, ann: str) -> None:
    one = backend.meeting(ann, participants=("Ann", "Bob"), tags=("Team", "weekly"))
    other = backend.meeting(ann, participants=("Ann", "Çelik"), tags=("team",))
    backend.meeting(ann)
    client = backend.client()
    assert ids(list(client.list_by_date(participant="ann"))) == ids([other, one])
    assert ids(list(client.list_by_date(participant=" ÇELIK "))) == ids([other])
    assert ids(list(client.list_by_date(tag="TEAM", participant="Bob"))) == ids([one])
    assert list(client.list_by_date(tag="tea")) == list(client.list_by_date(participant="An")) == []


@given(st.lists(st.text(min_size=1, max_size=5), max_size=4), st.text(min_size=1, max_size=5))
def test_a_filter_matches_exactly_the_meetings_with_the_name(have: list[str], wanted: str) -> None:
    record = RECORD.model_copy(update={"participants": tuple(have)})
    assert matches(record, wanted, None) == (wanted.strip().casefold() in [item.casefold() for item in have])
    assert matches(record, None, None)
    assert not matches(record, None, wanted)


class OutdatedReplica:
    """DynamoDB with an outdated replica: only a consistent read returns the latest write."""

    def get_item(self, **asked: Any) -> dict[str, Any]:
        status = MeetingStatus.READY if asked.get("ConsistentRead") else MeetingStatus.PROCESSING
        record = RECORD.model_copy(update={"status": status})
        return {"Item": serialize_item(record.model_dump(mode="json", by_alias=True))}


def test_a_record_is_read_consistently() -> None:
    access: Any = SimpleNamespace(dynamodb=OutdatedReplica(), table="meetings", user=BOB)
    record = meeting_queries.find_record(access, "m")
    assert record is not None
    assert record.status is MeetingStatus.READY, "a client that waited for the meeting would find no summary"


def test_a_meeting_is_read_by_its_id_and_that_of_another_user_is_unknown(backend: Backend, ann: str) -> None:
    client, theirs = backend.client(), backend.meeting(BOB)
    made = backend.meeting(ann, wrong=({"name": "0", "problem": "hash"},), status="incomplete")
    assert client.get(made.meeting_id) == made
    for meeting_id in (theirs.meeting_id, "01" + "A" * 24):
        with pytest.raises(MeetingUnknown, match=meeting_id):
            client.get(meeting_id)


def test_an_unreadable_meeting_is_skipped_and_listed_as_unreadable(backend: Backend, ann: str) -> None:
    first, other, last = (backend.meeting(ann, tags=("team",)) for _ in range(3))
    key = {"user": {"S": ann}, "meetingId": {"S": other.meeting_id}}
    changed = {"status": {"Value": {"S": "another"}, "Action": "PUT"}}
    backend.dynamodb.update_item(TableName="meetings", Key=key, AttributeUpdates=changed)
    listed = backend.client().list_by_date(tag="team")
    assert listed.unreadable == [], "nothing is read before it is taken"
    assert ids(list(listed)) == ids([last, first])
    assert listed.unreadable == [other.meeting_id]
    with pytest.raises(MeetingUnreadable, match=other.meeting_id) as unread:
        backend.client().get(other.meeting_id)
    assert unread.value.__cause__ is None
    assert "another" not in str(unread.value)


SUMMARY = Summary(
    summary="They met.",
    action_items=(ActionItem(text="Send it", owner="Ann", quote=TranscriptQuote(text="I will send it", start_ms=500)),),
    summary_model="sonnet",
    action_model="haiku",
    tokens=SummaryTokens(input_tokens=10),
)
TRANSCRIPT = Transcript(
    language="en-US", duration_ms=900, said=(TranscriptSegment(speaker="spk_0", start_ms=0, end_ms=900, text="Hi"),)
)


def test_summary_and_transcript_are_read_from_the_keys_in_the_record(backend: Backend, ann: str) -> None:
    keys = {"summaryKey": f"summaries/{ann}/x.json", "transcriptKey": f"transcripts/{ann}/x.json"}
    made = backend.meeting(ann, **keys)
    backend.put_object(keys["summaryKey"], SUMMARY.model_dump_json(by_alias=True).encode())
    backend.put_object(keys["transcriptKey"], TRANSCRIPT.model_dump_json(by_alias=True).encode())
    client = backend.client()
    assert client.summary(made.meeting_id) == SUMMARY
    assert client.transcript(made.meeting_id) == TRANSCRIPT


def test_missing_output_is_an_error_with_the_reason(backend: Backend, ann: str) -> None:
    silent = backend.meeting(ann, status=MeetingStatus.READY, reason=MeetingReason.NO_AUDIO)
    early = backend.meeting(ann, status=MeetingStatus.PROCESSING)
    gone = backend.meeting(ann, summaryKey=f"summaries/{ann}/gone.json")
    client = backend.client()
    with pytest.raises(NotMade, match="ready and has no transcript: NO_AUDIO"):
        client.transcript(silent.meeting_id)
    with pytest.raises(NotMade, match="processing and has no summary: not yet"):
        client.summary(early.meeting_id)
    with pytest.raises(NotMade) as raised:
        client.summary(gone.meeting_id)
    assert raised.value.record == gone


class FailingS3:
    """S3 that answers every read with an error code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_object(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self.code}}, "GetObject")


@pytest.mark.parametrize(
    ("code", "owner", "absent"),
    [
        ("AccessDenied", BOB, True),
        ("NoSuchKey", BOB, True),
        ("AccessDenied", "C" * 32, False),
        ("SlowDown", BOB, False),
    ],
)
def test_access_denied_for_an_own_object_means_that_it_is_missing(code: str, owner: str, *, absent: bool) -> None:
    access: Any = SimpleNamespace(s3=FailingS3(code), bucket="recordings", user=BOB)
    key = f"summaries/{owner}/x.json"
    if absent:
        assert read_object(access, key) is None
    else:
        with pytest.raises(ClientError, match=code):
            read_object(access, key)

"""Tests of the client's reads: lists by date, participant and tag, single meetings, summaries and transcripts."""

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
TIMES = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - in `timezones`


@pytest.fixture
def ann(backend: Backend) -> str:
    """Return the user id of ann, who uses the clients."""
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


def test_only_the_users_own_meetings_are_listed_newest_first(backend: Backend, ann: str) -> None:
    meetings = [backend.add_meeting(ann, title=f"m{number}", durationMs=number) for number in range(4)]
    backend.add_meeting(BOB)
    assert list(backend.create_client().list_by_date()) == meetings[::-1]


def test_a_list_can_be_limited_to_a_period(backend: Backend, ann: str) -> None:
    meetings = [backend.add_meeting(ann) for _ in range(5)]  # one to five hours after START
    client = backend.create_client()
    assert list(client.list_by_date(since=START, until=START)) == []
    assert backend.exchange_count == 0, "an empty period causes no request"
    listed = client.list_by_date(since=START + timedelta(hours=2), until=START + timedelta(hours=4))
    assert list(listed) == [meetings[2], meetings[1]], "the time `since` is included, the time `until` is not"


@given(TIMES, TIMES | st.none(), TIMES | st.none(), st.integers(-12, 12))
def test_bounds_are_exact_to_the_microsecond_in_every_time_zone(
    meeting_time: datetime, since: datetime | None, until: datetime | None, hours_from_utc: int
) -> None:
    """The bounds are compared with the timestamp of a meeting, which has whole milliseconds."""
    meeting_time = meeting_time.replace(microsecond=meeting_time.microsecond // 1000 * 1000)
    is_in_period = (since is None or since <= meeting_time) and (until is None or meeting_time < until)
    bounds = to_bounds(since and since.astimezone(timezone(timedelta(hours=hours_from_utc))), until)
    assert is_in_period == (bounds is not None and bounds[0] <= timestamp(meeting_time) <= bounds[1])


def test_a_time_without_time_zone_is_refused(backend: Backend) -> None:
    with pytest.raises(ValueError, match="time zone"):
        backend.create_client().list_by_date(since=datetime(2026, 1, 1))  # noqa: DTZ001 - on purpose


def test_pages_are_read_on_demand_and_grow_up_to_the_maximum(
    backend: Backend, ann: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meeting_queries, "FIRST_PAGE_SIZE", 1)
    monkeypatch.setattr(meeting_queries, "MAX_PAGE_SIZE", 3)
    newest_first = [backend.add_meeting(ann) for _ in range(8)][::-1]
    listed = backend.create_client().list_by_date()
    assert list(islice(listed, 2)) == newest_first[:2]
    assert len(backend.used_access_keys) == 2, "a page with one meeting and a page with two are read"
    assert list(listed) == newest_first[2:]
    assert len(backend.used_access_keys) == 4, "two pages with up to three meetings are read"


def test_a_list_can_be_filtered_by_participant_and_tag(backend: Backend, ann: str) -> None:
    with_bob = backend.add_meeting(ann, participants=("Ann", "Bob"), tags=("Team", "weekly"))
    with_celik = backend.add_meeting(ann, participants=("Ann", "Çelik"), tags=("team",))
    backend.add_meeting(ann)
    client = backend.create_client()
    assert list(client.list_by_date(participant="ann")) == [with_celik, with_bob]
    assert list(client.list_by_date(participant=" ÇELIK ")) == [with_celik]
    assert list(client.list_by_date(tag="TEAM", participant="Bob")) == [with_bob]
    assert list(client.list_by_date(tag="tea")) == list(client.list_by_date(participant="An")) == []


@given(st.lists(st.text(min_size=1, max_size=5), max_size=4), st.text(min_size=1, max_size=5))
def test_a_filter_matches_exactly_the_meetings_with_the_name(participants: list[str], name: str) -> None:
    record = RECORD.model_copy(update={"participants": tuple(participants)})
    is_participant = name.strip().casefold() in [participant.casefold() for participant in participants]
    assert matches(record, name, None) == is_participant
    assert matches(record, None, None)
    assert not matches(record, None, name), "a participant is not a tag"


class OutdatedReplica:
    """DynamoDB with an outdated replica: only a consistent read returns the latest write."""

    def get_item(self, **parameters: Any) -> dict[str, Any]:
        status = MeetingStatus.READY if parameters.get("ConsistentRead") else MeetingStatus.PROCESSING
        record = RECORD.model_copy(update={"status": status})
        return {"Item": serialize_item(record.model_dump(mode="json", by_alias=True))}


def test_a_record_is_read_consistently() -> None:
    access: Any = SimpleNamespace(dynamodb=OutdatedReplica(), table="meetings", user=BOB)
    record = meeting_queries.find_record(access, "m")
    assert record is not None
    assert record.status is MeetingStatus.READY, "otherwise a meeting that was ready before could be without a summary"


def test_a_meeting_is_read_by_its_id_and_a_meeting_of_another_user_is_unknown(backend: Backend, ann: str) -> None:
    client, meeting_of_bob = backend.create_client(), backend.add_meeting(BOB)
    meeting = backend.add_meeting(ann, wrong=({"name": "0", "problem": "hash"},), status="incomplete")
    assert client.get(meeting.meeting_id) == meeting
    for meeting_id in (meeting_of_bob.meeting_id, "01" + "A" * 24):
        with pytest.raises(MeetingUnknown, match=meeting_id):
            client.get(meeting_id)


def test_an_unreadable_meeting_is_skipped_and_listed_as_unreadable(backend: Backend, ann: str) -> None:
    """A record with an unknown status may have been written by another version of the backend."""
    first, unreadable, last = (backend.add_meeting(ann, tags=("team",)) for _ in range(3))
    key = {"user": {"S": ann}, "meetingId": {"S": unreadable.meeting_id}}
    updates = {"status": {"Value": {"S": "future-status"}, "Action": "PUT"}}
    backend.dynamodb.update_item(TableName="meetings", Key=key, AttributeUpdates=updates)
    listed = backend.create_client().list_by_date(tag="team")
    assert listed.unreadable == [], "nothing is read before the first iteration"
    assert list(listed) == [last, first]
    assert listed.unreadable == [unreadable.meeting_id]
    with pytest.raises(MeetingUnreadable, match=unreadable.meeting_id) as raised:
        backend.create_client().get(unreadable.meeting_id)
    assert raised.value.__cause__ is None
    assert "future-status" not in str(raised.value), "the error must not repeat the record"


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
    meeting = backend.add_meeting(ann, **keys)
    backend.put_object(keys["summaryKey"], SUMMARY.model_dump_json(by_alias=True).encode())
    backend.put_object(keys["transcriptKey"], TRANSCRIPT.model_dump_json(by_alias=True).encode())
    client = backend.create_client()
    assert client.summary(meeting.meeting_id) == SUMMARY
    assert client.transcript(meeting.meeting_id) == TRANSCRIPT


def test_missing_output_is_an_error_with_the_reason(backend: Backend, ann: str) -> None:
    without_audio = backend.add_meeting(ann, status=MeetingStatus.READY, reason=MeetingReason.NO_AUDIO)
    in_progress = backend.add_meeting(ann, status=MeetingStatus.PROCESSING)
    with_deleted_summary = backend.add_meeting(ann, summaryKey=f"summaries/{ann}/deleted.json")
    client = backend.create_client()
    with pytest.raises(NotMade, match="ready and has no transcript: NO_AUDIO"):
        client.transcript(without_audio.meeting_id)
    with pytest.raises(NotMade, match="processing and has no summary: not yet"):
        client.summary(in_progress.meeting_id)
    with pytest.raises(NotMade) as raised:
        client.summary(with_deleted_summary.meeting_id)
    assert raised.value.record == with_deleted_summary


class FailingS3:
    """S3 that answers every read with an error code."""

    def __init__(self, code: str) -> None:
        self.code = code

    def get_object(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self.code}}, "GetObject")


@pytest.mark.parametrize(
    ("code", "owner", "is_missing"),
    [
        pytest.param("AccessDenied", BOB, True, id="access denied to an own object"),
        pytest.param("NoSuchKey", BOB, True, id="no own object"),
        pytest.param("AccessDenied", "C" * 32, False, id="access denied to another user's object"),
        pytest.param("SlowDown", BOB, False, id="another error"),
    ],
)
def test_access_denied_to_an_own_object_means_that_it_is_missing(code: str, owner: str, *, is_missing: bool) -> None:
    """S3 answers `AccessDenied` instead of `NoSuchKey` to callers that may not list the bucket."""
    access: Any = SimpleNamespace(s3=FailingS3(code), bucket="recordings", user=BOB)
    key = f"summaries/{owner}/x.json"
    if is_missing:
        assert read_object(access, key) is None
    else:
        with pytest.raises(ClientError, match=code):
            read_object(access, key)

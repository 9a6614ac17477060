"""What a user reads: his own meetings, newest first, by date, participant and tag, and what was made of them."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from clients.meetings import MeetingUnknown, MeetingUnreadable, NotMade, meeting_reader
from clients.meetings.meeting_reader import between, content_of, matches
from handlers.common.aws.dynamodb_values import stored
from handlers.common.identity.user_ids import user_id
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.meetings.bedrock_summarize.summary import ActionItem, Summary, SummaryTokens, TranscriptQuote
from handlers.meetings.bedrock_summarize.transcript import Transcript, TranscriptSegment
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus
from tests.clients.meetings.fake_backend import START, Backend

BOB = "B" * 32
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - beside it


@pytest.fixture
def ann(backend: Backend) -> str:
    return user_id(backend.provider.issuer, "ann")


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
    return [one.meeting_id for one in records]


def test_meetings_are_listed_newest_first_whole_and_only_ones_own(backend: Backend, ann: str) -> None:
    made = [backend.meeting(ann, title=f"m{number}", durationMs=number) for number in range(4)]
    backend.meeting(BOB)
    assert list(backend.client().list_by_date()) == made[::-1]


def test_lists_have_a_beginning_and_an_end(backend: Backend, ann: str) -> None:
    made = [backend.meeting(ann) for _ in range(5)]  # at one to five hours
    client = backend.client()
    assert list(client.list_by_date(since=START, until=START)) == []
    assert backend.exchanges == 0, "an empty list costs nothing"

    def hours(since: float | None, until: float | None) -> list[str]:
        moments = [None if one is None else START + timedelta(hours=one) for one in (since, until)]
        return ids(list(client.list_by_date(since=moments[0], until=moments[1])))

    expected = ids(made)
    assert hours(2, 4) == expected[1:3][::-1], "from the first on, and before the second"
    assert hours(None, 4) == expected[:3][::-1]
    assert hours(4.5, None) == expected[4:]
    assert hours(3, 3) == hours(4, 2) == hours(9, None) == []


@given(MOMENTS, MOMENTS | st.none(), MOMENTS | st.none(), st.integers(-12, 12))
def test_bounds_hold_to_the_microsecond_in_every_zone(
    at: datetime, since: datetime | None, until: datetime | None, hours: int
) -> None:
    at = at.replace(microsecond=at.microsecond // 1000 * 1000)
    wanted = (since is None or since <= at) and (until is None or at < until)
    bounds = between(since and since.astimezone(timezone(timedelta(hours=hours))), until)
    assert wanted == (bounds is not None and bounds[0] <= timestamp(at) <= bounds[1])


def test_a_moment_without_its_zone_is_refused_at_once(backend: Backend) -> None:
    with pytest.raises(ValueError, match="time zone"):
        backend.client().list_by_date(since=datetime(2026, 1, 1))  # noqa: DTZ001 - on purpose


def test_pages_are_read_as_they_are_needed(backend: Backend, ann: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meeting_reader, "FIRST_PAGE", 1)
    monkeypatch.setattr(meeting_reader, "LONGEST_PAGE", 3)
    made = [backend.meeting(ann) for _ in range(8)]
    client = backend.client()
    listed = client.list_by_date()
    assert ids(list(islice(listed, 2))) == ids(made[::-1][:2])
    assert len(backend.signed_with) == 2, "one, then two"
    assert ids(list(listed)) == ids(made[::-1][2:])
    assert len(backend.signed_with) == 4, "then three at a time"


def test_participants_and_tags_leave_out_the_others(backend: Backend, ann: str) -> None:
    one = backend.meeting(ann, participants=("Ann", "Bob"), tags=("Team", "weekly"))
    other = backend.meeting(ann, participants=("Ann", "Çelik"), tags=("team",))
    backend.meeting(ann)
    client = backend.client()
    assert ids(list(client.list_by_date(participant="ann"))) == ids([other, one])
    assert ids(list(client.list_by_date(participant=" ÇELIK "))) == ids([other])
    assert ids(list(client.list_by_date(tag="TEAM", participant="Bob"))) == ids([one])
    assert list(client.list_by_date(tag="tea")) == list(client.list_by_date(participant="An")) == []


@given(st.lists(st.text(min_size=1, max_size=5), max_size=4), st.text(min_size=1, max_size=5))
def test_a_filter_takes_exactly_those_that_have_it(have: list[str], wanted: str) -> None:
    record = RECORD.model_copy(update={"participants": tuple(have)})
    assert matches(record, wanted, None) == (wanted.strip().casefold() in [one.casefold() for one in have])
    assert matches(record, None, None)
    assert not matches(record, None, wanted)


class Replicas:
    """DynamoDB whose replica has not heard yet what was written: only a consistent read has the last."""

    def get_item(self, **asked: Any) -> dict[str, Any]:
        status = MeetingStatus.READY if asked.get("ConsistentRead") else MeetingStatus.PROCESSING
        record = RECORD.model_copy(update={"status": status})
        return {"Item": stored(record.model_dump(mode="json", by_alias=True))}


def test_what_was_ready_once_is_never_read_as_not_yet() -> None:
    access: Any = SimpleNamespace(dynamodb=Replicas(), table="meetings", user=BOB)
    record = meeting_reader.found(access, "m")
    assert record is not None
    assert record.status is MeetingStatus.READY, "whoever waited for it would be told that there is no summary yet"


def test_one_meeting_is_read_by_its_id_and_somebody_elses_is_unknown(backend: Backend, ann: str) -> None:
    client, theirs = backend.client(), backend.meeting(BOB)
    made = backend.meeting(ann, wrong=({"name": "0", "problem": "hash"},), status="incomplete")
    assert client.get(made.meeting_id) == made
    for meeting_id in (theirs.meeting_id, "01" + "A" * 24):
        with pytest.raises(MeetingUnknown, match=meeting_id):
            client.get(meeting_id)


def test_a_meeting_in_an_unknown_form_ends_no_list_and_is_told(backend: Backend, ann: str) -> None:
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


def test_summary_and_transcript_are_read_from_where_the_meeting_says(backend: Backend, ann: str) -> None:
    keys = {"summaryKey": f"summaries/{ann}/x.json", "transcriptKey": f"transcripts/{ann}/x.json"}
    made = backend.meeting(ann, **keys)
    backend.makes(keys["summaryKey"], SUMMARY.model_dump_json(by_alias=True).encode())
    backend.makes(keys["transcriptKey"], TRANSCRIPT.model_dump_json(by_alias=True).encode())
    client = backend.client()
    assert client.summary(made.meeting_id) == SUMMARY
    assert client.transcript(made.meeting_id) == TRANSCRIPT


def test_what_was_never_made_says_why(backend: Backend, ann: str) -> None:
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


class Refusing:
    """S3 to whoever may not list objects: one that is not there is refused."""

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
def test_an_object_of_ones_own_that_s3_refuses_is_not_there(code: str, owner: str, *, absent: bool) -> None:
    access: Any = SimpleNamespace(s3=Refusing(code), bucket="recordings", user=BOB)
    key = f"summaries/{owner}/x.json"
    if absent:
        assert content_of(access, key) is None
    else:
        with pytest.raises(ClientError, match=code):
            content_of(access, key)

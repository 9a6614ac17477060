"""Tests of the polling until a meeting is ready, with a fake clock and records that change at given times.

`content` is a hash that identifies a recording. A client that has uploaded a recording passes its content, so that the
state of an earlier recording of the meeting does not count. After an upload, the backend may need `UPDATE_SECONDS` (a
minute) until it updates the record. Until then, the client ignores failures that may be older than the upload.
"""

from dataclasses import dataclass
from datetime import timedelta
from itertools import islice, pairwise
from typing import Any

import pytest

from clients.meetings import MeetingFailed, MeetingIncomplete, MeetingsError, NotReadyInTime
from clients.meetings.readiness_polling import MAX_PAUSE_SECONDS, UPDATE_SECONDS, ReadinessPolling, generate_pauses
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from tests.clients.meetings.fake_backend import START
from tests.clients.meetings.test_meeting_queries import RECORD

EARLIER_CONTENT, CONTENT = "0" * 32, "1" * 32
Timeline = list[tuple[float, MeetingRecord | None]]
"""Records of a meeting, each with the seconds after which it exists."""


def meeting_record(status: MeetingStatus, **changes: Any) -> MeetingRecord:
    return RECORD.model_copy(update={"status": status, "content": CONTENT, **changes})


READY = meeting_record(MeetingStatus.READY)
PROCESSING = meeting_record(MeetingStatus.PROCESSING, stage=Stage.MEDIA)
FAILED = meeting_record(MeetingStatus.FAILED, reason=MeetingReason.MEDIA_FAILED)
FAILED_AGAIN = FAILED.model_copy(update={"attempt": 2})
"""Record after the failure of a second processing attempt, which is newer than the upload."""
FAILED_EARLIER_RECORDING = FAILED.model_copy(update={"content": EARLIER_CONTENT})
INCOMPLETE = MeetingRecord.model_validate(
    {
        **meeting_record(MeetingStatus.INCOMPLETE).model_dump(by_alias=True),
        "wrong": ({"name": "00001.webm", "problem": "missing"},),
    }
)


@dataclass
class Meeting:
    """A meeting whose record changes while a client waits for it."""

    timeline: Timeline
    waited_seconds: float = 0

    def wait(self, content: str | None, timeout_seconds: float = 7200) -> MeetingRecord:
        polling = ReadinessPolling(self._find, lambda: START + timedelta(seconds=self.waited_seconds), self._sleep)
        return polling.wait("m", content, timeout_seconds)

    def _find(self, _meeting_id: str) -> MeetingRecord | None:
        return [record for seconds, record in self.timeline if seconds <= self.waited_seconds][-1]

    def _sleep(self, seconds: float) -> None:
        self.waited_seconds += seconds


def test_pauses_grow_up_to_the_maximum() -> None:
    pauses = list(islice(generate_pauses(), 20))
    assert (pauses[0], pauses[-1]) == (2, MAX_PAUSE_SECONDS)
    assert all(pause < next_pause or next_pause == MAX_PAUSE_SECONDS for pause, next_pause in pairwise(pauses))


@pytest.mark.parametrize(
    ("content", "timeline"),
    [
        pytest.param(None, [(0, READY)], id="ready at the first request"),
        pytest.param(None, [(0, PROCESSING), (300, READY)], id="processing"),
        pytest.param(None, [(0, None), (4, READY)], id="no record yet"),
        pytest.param(None, [(0, INCOMPLETE), (30, PROCESSING), (180, READY)], id="incomplete for half a minute"),
        pytest.param(
            None,
            [(0, INCOMPLETE), (20, PROCESSING), (30, INCOMPLETE), (90, READY)],
            id="incomplete twice for a short time",
        ),
        pytest.param(CONTENT, [(0, FAILED_EARLIER_RECORDING), (10, READY)], id="another recording failed"),
        pytest.param(CONTENT, [(0, FAILED), (30, PROCESSING), (180, READY)], id="the same recording failed before"),
    ],
)
def test_the_client_waits_until_a_meeting_is_ready(content: str | None, timeline: Timeline) -> None:
    meeting = Meeting(timeline)
    assert meeting.wait(content) is READY
    ready_after = timeline[-1][0]
    assert ready_after <= meeting.waited_seconds <= ready_after + min(ready_after, MAX_PAUSE_SECONDS)


@pytest.mark.parametrize(
    ("content", "timeline", "earliest", "latest"),
    [
        pytest.param(None, [(0, FAILED)], 0, 0, id="failed"),
        pytest.param(CONTENT, [(0, FAILED)], UPDATE_SECONDS, 120, id="failed and not processed again in time"),
        pytest.param(CONTENT, [(0, PROCESSING), (5, FAILED_AGAIN)], 5, 30, id="fails"),
        pytest.param(CONTENT, [(0, FAILED), (5, FAILED_AGAIN)], 5, 30, id="fails again"),
    ],
)
def test_a_failure_that_may_be_older_than_the_upload_is_raised_after_a_minute_and_others_at_once(
    content: str | None, timeline: Timeline, earliest: float, latest: float
) -> None:
    meeting = Meeting(timeline)
    with pytest.raises(MeetingFailed, match="MEDIA_FAILED"):
        meeting.wait(content)
    assert earliest <= meeting.waited_seconds <= latest


def test_a_meeting_that_is_incomplete_for_a_minute_is_an_error() -> None:
    meeting = Meeting([(0, INCOMPLETE)])
    with pytest.raises(MeetingIncomplete, match=r"has wrong chunks: 00001\.webm \(missing\)"):
        meeting.wait(None)
    assert UPDATE_SECONDS <= meeting.waited_seconds <= 120
    assert UPDATE_SECONDS == 60, "docs/meetings-client.md states one minute"


@pytest.mark.parametrize(
    ("content", "record", "timeout_seconds", "error", "message"),
    [
        pytest.param(CONTENT, FAILED, 10, MeetingFailed, "MEDIA_FAILED", id="failed before the upload"),
        pytest.param(None, PROCESSING, 100, NotReadyInTime, "processing", id="processing"),
        pytest.param(None, None, 0, NotReadyInTime, "it is unknown", id="no record"),
    ],
)
def test_a_meeting_that_is_not_ready_at_the_timeout_is_an_error(
    content: str | None, record: MeetingRecord | None, timeout_seconds: float, error: type[MeetingsError], message: str
) -> None:
    meeting = Meeting([(0, record)])
    with pytest.raises(error, match=message):
        meeting.wait(content, timeout_seconds)
    assert meeting.waited_seconds == timeout_seconds


def test_the_errors_contain_the_reason_the_wrong_chunks_and_the_record() -> None:
    assert MeetingFailed(FAILED).reason is MeetingReason.MEDIA_FAILED
    assert [chunk.name for chunk in MeetingIncomplete(INCOMPLETE).wrong] == ["00001.webm"]
    assert NotReadyInTime("m", PROCESSING).record == PROCESSING

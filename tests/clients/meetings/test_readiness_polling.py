"""Tests of waiting for a meeting, with a fake clock and records that change at given times."""

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

OLD, NEW = "0" * 32, "1" * 32
Timeline = list[tuple[float, MeetingRecord | None]]
"""Records of a meeting, each with the seconds after which it exists."""


def record(status: MeetingStatus, **changed: Any) -> MeetingRecord:
    return RECORD.model_copy(update={"status": status, "content": NEW, **changed})


READY = record(MeetingStatus.READY)
PROCESSING = record(MeetingStatus.PROCESSING, stage=Stage.MEDIA)
FAILED = record(MeetingStatus.FAILED, reason=MeetingReason.MEDIA_FAILED)
FAILED_AGAIN = FAILED.model_copy(update={"attempt": 2})
INCOMPLETE = MeetingRecord.model_validate(
    {
        **record(MeetingStatus.INCOMPLETE).model_dump(by_alias=True),
        "wrong": ({"name": "00001.webm", "problem": "missing"},),
    }
)
WRONG_CHUNKS = r"has wrong chunks: 00001\.webm \(missing\)"


@dataclass
class Meeting:
    """A meeting whose record changes while a client waits for it."""

    timeline: Timeline
    slept: float = 0

    def wait(self, content: str | None, timeout_seconds: float = 7200) -> MeetingRecord:
        polling = ReadinessPolling(self._find, lambda: START + timedelta(seconds=self.slept), self._sleep)
        return polling.wait("m", content, timeout_seconds)

    def _find(self, _meeting_id: str) -> MeetingRecord | None:
        return [found for seconds, found in self.timeline if seconds <= self.slept][-1]

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_pauses_grow_up_to_the_maximum() -> None:
    first_pauses = list(islice(generate_pauses(), 20))
    assert (first_pauses[0], first_pauses[-1]) == (2, MAX_PAUSE_SECONDS)
    assert all(pause < later or later == MAX_PAUSE_SECONDS for pause, later in pairwise(first_pauses))


@pytest.mark.parametrize(
    ("content", "timeline"),
    [
        pytest.param(None, [(0, READY)], id="is ready already"),
        pytest.param(None, [(0, PROCESSING), (300, READY)], id="is processed"),
        pytest.param(None, [(0, None), (4, READY)], id="is not noticed yet"),
        pytest.param(None, [(0, INCOMPLETE), (30, PROCESSING), (180, READY)], id="gets its chunks within a minute"),
        pytest.param(
            None, [(0, INCOMPLETE), (20, PROCESSING), (30, INCOMPLETE), (90, READY)], id="twice lacks a chunk shortly"
        ),
        pytest.param(
            NEW, [(0, FAILED.model_copy(update={"content": OLD})), (10, READY)], id="had another recording that failed"
        ),
        pytest.param(NEW, [(0, FAILED), (30, PROCESSING), (180, READY)], id="failed before the upload"),
    ],
)
def test_the_client_waits_until_a_meeting_is_ready(content: str | None, timeline: Timeline) -> None:
    meeting = Meeting(timeline)
    assert meeting.wait(content) is READY
    ready_after = timeline[-1][0]
    assert ready_after <= meeting.slept <= ready_after + min(ready_after, MAX_PAUSE_SECONDS)


@pytest.mark.parametrize(
    ("content", "timeline", "timeout_seconds", "error", "message", "seconds"),
    [
        pytest.param(None, [(0, FAILED)], 7200, MeetingFailed, "MEDIA_FAILED", (0, 0), id="failed"),
        pytest.param(NEW, [(0, FAILED)], 7200, MeetingFailed, "MEDIA_FAILED", (60, 120), id="stays failed"),
        pytest.param(
            NEW, [(0, PROCESSING), (5, FAILED_AGAIN)], 7200, MeetingFailed, "MEDIA_FAILED", (5, 30), id="fails"
        ),
        pytest.param(
            NEW, [(0, FAILED), (5, FAILED_AGAIN)], 7200, MeetingFailed, "MEDIA_FAILED", (5, 30), id="fails again"
        ),
        pytest.param(NEW, [(0, FAILED)], 10, MeetingFailed, "MEDIA_FAILED", (10, 10), id="failed at the timeout"),
        pytest.param(None, [(0, INCOMPLETE)], 7200, MeetingIncomplete, WRONG_CHUNKS, (60, 120), id="lacks a chunk"),
        pytest.param(None, [(0, PROCESSING)], 100, NotReadyInTime, "processing", (100, 100), id="takes too long"),
        pytest.param(None, [(0, None)], 0, NotReadyInTime, "it is unknown", (0, 0), id="is unknown"),
    ],
)
def test_waiting_ends_with_an_error(
    content: str | None,
    timeline: Timeline,
    timeout_seconds: float,
    error: type[MeetingsError],
    message: str,
    seconds: tuple[float, float],
) -> None:
    assert (UPDATE_SECONDS, UPDATE_SECONDS + MAX_PAUSE_SECONDS) == (60, 120)
    meeting = Meeting(timeline)
    with pytest.raises(error, match=message):
        meeting.wait(content, timeout_seconds)
    assert seconds[0] <= meeting.slept <= seconds[1]


def test_the_errors_contain_the_reason_the_wrong_chunks_and_the_record() -> None:
    assert MeetingFailed(FAILED).reason is MeetingReason.MEDIA_FAILED
    assert [chunk.name for chunk in MeetingIncomplete(INCOMPLETE).wrong] == ["00001.webm"]
    assert NotReadyInTime("m", PROCESSING).record == PROCESSING

"""Tests of waiting for a meeting."""

from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

import pytest

from clients.meetings import MeetingFailed, MeetingIncomplete, NotReadyInTime
from clients.meetings.readiness_polling import MAX_PAUSE_SECONDS, NOTICED_SECONDS, pauses
from handlers.common.identity.user_ids import derive_user_id
from handlers.meetings.meeting_record import MeetingReason, MeetingRecord, MeetingStatus, Stage
from tests.clients.meetings.fake_backend import Backend

OLD, NEW = "0" * 32, "1" * 32
LACKING: dict[str, Any] = {
    "status": MeetingStatus.INCOMPLETE,
    "wrong": ({"name": "00001.webm", "problem": "missing"},),
}


@pytest.fixture
def made(backend: Backend) -> Callable[..., MeetingRecord]:
    """Return a function that writes a meeting of the user to the table."""
    user = derive_user_id(backend.provider.issuer, "ann")
    return lambda **said: backend.meeting(user, **said)


WriteMeeting = Callable[..., MeetingRecord]


def run_after(backend: Backend, seconds: float, change: Callable[[], Any]) -> None:
    """Call `change` after a client has slept for so many seconds."""

    def wakes() -> None:
        if sum(backend.slept) >= seconds:
            change()

    backend.wakes = wakes


def test_pauses_grow_up_to_the_maximum() -> None:
    found = list(islice(pauses(), 20))
    assert found[0] == 2
    assert all(item < other or other == MAX_PAUSE_SECONDS for item, other in pairwise(found))
    assert found[-1] == MAX_PAUSE_SECONDS


def test_a_ready_meeting_is_returned_without_waiting(backend: Backend, made: WriteMeeting) -> None:
    ready = made()
    assert backend.client().wait_until_ready(ready.meeting_id) == ready
    assert backend.slept == []


def test_the_client_waits_until_a_meeting_is_ready(backend: Backend, made: WriteMeeting) -> None:
    record = made(status=MeetingStatus.PROCESSING, stage=Stage.MEDIA)
    ready = record.model_copy(update={"status": MeetingStatus.READY, "stage": None})
    run_after(backend, 300, lambda: backend.write_record(ready))
    assert backend.client().wait_until_ready(record.meeting_id) == ready
    assert 300 <= sum(backend.slept) <= 300 + MAX_PAUSE_SECONDS


def test_the_client_waits_for_a_meeting_that_is_not_noticed_yet(backend: Backend, made: WriteMeeting) -> None:
    ready = made()
    key = {"user": {"S": ready.user}, "meetingId": {"S": ready.meeting_id}}
    backend.dynamodb.delete_item(TableName="meetings", Key=key)
    run_after(backend, 4, lambda: backend.write_record(ready))
    assert backend.client().wait_until_ready(ready.meeting_id) == ready


def test_a_failed_meeting_is_raised_at_once_with_its_reason(backend: Backend, made: WriteMeeting) -> None:
    failed = made(status=MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE)
    with pytest.raises(MeetingFailed, match="UNREADABLE") as raised:
        backend.client().wait_until_ready(failed.meeting_id)
    assert raised.value.reason is MeetingReason.UNREADABLE
    assert backend.slept == []


def test_the_state_of_an_older_recording_is_ignored(backend: Backend, made: WriteMeeting) -> None:
    old = made(content=OLD, status=MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE)
    new = old.model_copy(update={"content": NEW, "status": MeetingStatus.READY, "reason": None})
    run_after(backend, 10, lambda: backend.write_record(new))
    assert backend.client().wait_until_ready(old.meeting_id, content=NEW) == new


def noticed(backend: Backend, working: MeetingRecord) -> MeetingRecord:
    """Let the backend notice an upload after half of the maximum time and finish it much later. Return the final
    record.
    """
    ready = working.model_copy(update={"status": MeetingStatus.READY})

    def goes_on() -> None:
        if sum(backend.slept) >= NOTICED_SECONDS / 2:
            backend.write_record(working)
        if sum(backend.slept) >= 3 * NOTICED_SECONDS:
            backend.write_record(ready)

    backend.wakes = goes_on
    return ready


FAILED: dict[str, Any] = {"content": NEW, "status": MeetingStatus.FAILED, "reason": MeetingReason.MEDIA_FAILED}


def test_a_failure_before_the_upload_is_ignored(backend: Backend, made: WriteMeeting) -> None:
    failed = made(**FAILED)
    working = failed.model_copy(update={"status": MeetingStatus.PROCESSING, "reason": None, "attempt": 2})
    ready = noticed(backend, working)
    assert backend.client().wait_until_ready(failed.meeting_id, content=NEW) == ready


def test_a_failure_that_stays_for_a_minute_is_raised(backend: Backend, made: WriteMeeting) -> None:
    failed = made(**FAILED)
    with pytest.raises(MeetingFailed, match="MEDIA_FAILED"):
        backend.client().wait_until_ready(failed.meeting_id, content=NEW)
    assert NOTICED_SECONDS <= sum(backend.slept) <= NOTICED_SECONDS + MAX_PAUSE_SECONDS


@pytest.mark.parametrize("before", [FAILED, {"content": NEW, "status": MeetingStatus.PROCESSING, "stage": Stage.MEDIA}])
def test_a_failure_after_the_upload_is_raised_at_once(
    backend: Backend, made: WriteMeeting, before: dict[str, Any]
) -> None:
    first = made(**before)
    run_after(
        backend, 5, lambda: backend.write_record(first.model_copy(update={**FAILED, "stage": None, "attempt": 2}))
    )
    with pytest.raises(MeetingFailed):
        backend.client().wait_until_ready(first.meeting_id, content=NEW)
    assert sum(backend.slept) < NOTICED_SECONDS / 2


def test_an_old_failure_is_raised_at_the_timeout(backend: Backend, made: WriteMeeting) -> None:
    failed = made(**FAILED)
    with pytest.raises(MeetingFailed):
        backend.client().wait_until_ready(failed.meeting_id, content=NEW, timeout_seconds=10)
    assert sum(backend.slept) == 10


def test_chunks_that_are_missing_for_a_minute_are_raised(backend: Backend, made: WriteMeeting) -> None:
    lacking = made(**LACKING)
    with pytest.raises(MeetingIncomplete, match=r"has wrong chunks: 00001\.webm \(missing\)") as raised:
        backend.client().wait_until_ready(lacking.meeting_id)
    assert [item.name for item in raised.value.wrong] == ["00001.webm"]
    assert NOTICED_SECONDS <= sum(backend.slept) <= NOTICED_SECONDS + MAX_PAUSE_SECONDS


def test_chunks_that_arrive_within_a_minute_are_not_missing(backend: Backend, made: WriteMeeting) -> None:
    lacking = made(**LACKING)
    working = lacking.model_copy(update={"status": MeetingStatus.PROCESSING, "wrong": ()})
    ready = noticed(backend, working)
    assert backend.client().wait_until_ready(lacking.meeting_id) == ready


def test_waiting_ends_at_the_timeout_with_the_status(backend: Backend, made: WriteMeeting) -> None:
    working = made(status=MeetingStatus.PROCESSING)
    with pytest.raises(NotReadyInTime, match="processing") as raised:
        backend.client().wait_until_ready(working.meeting_id, timeout_seconds=100)
    assert sum(backend.slept) == 100
    assert raised.value.record == working
    with pytest.raises(NotReadyInTime, match="it is unknown"):
        backend.client().wait_until_ready("01" + "A" * 24, timeout_seconds=0)


def test_credentials_are_renewed_during_a_wait(backend: Backend, made: WriteMeeting) -> None:
    working = made(status=MeetingStatus.PROCESSING)
    with pytest.raises(NotReadyInTime):
        backend.client().wait_until_ready(working.meeting_id, timeout_seconds=2 * 3600)
    assert backend.exchanges == 3

"""Waiting for a meeting: patiently, seldomer with time, and never for what will not come."""

from collections.abc import Callable
from itertools import islice, pairwise
from typing import Any

import pytest

from clients.meetings import MeetingFailed, MeetingIncomplete, NotReadyInTime
from clients.meetings.readiness_polling import LONGEST_PAUSE_SECONDS, NOTICED_SECONDS, pauses
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
    """A meeting of the user in the table."""
    user = derive_user_id(backend.provider.issuer, "ann")
    return lambda **said: backend.meeting(user, **said)


Made = Callable[..., MeetingRecord]


def after(backend: Backend, seconds: float, change: Callable[[], Any]) -> None:
    """Lets something happen once a client has slept so long."""

    def wakes() -> None:
        if sum(backend.slept) >= seconds:
            change()

    backend.wakes = wakes


def test_pauses_grow_up_to_the_longest() -> None:
    found = list(islice(pauses(), 20))
    assert found[0] == 2
    assert all(item < other or other == LONGEST_PAUSE_SECONDS for item, other in pairwise(found))
    assert found[-1] == LONGEST_PAUSE_SECONDS


def test_a_meeting_that_is_ready_is_not_waited_for(backend: Backend, made: Made) -> None:
    ready = made()
    assert backend.client().wait_until_ready(ready.meeting_id) == ready
    assert backend.slept == []


def test_a_meeting_is_waited_for_until_it_is_ready(backend: Backend, made: Made) -> None:
    record = made(status=MeetingStatus.PROCESSING, stage=Stage.MEDIA)
    ready = record.model_copy(update={"status": MeetingStatus.READY, "stage": None})
    after(backend, 300, lambda: backend.writes(ready))
    assert backend.client().wait_until_ready(record.meeting_id) == ready
    assert 300 <= sum(backend.slept) <= 300 + LONGEST_PAUSE_SECONDS


def test_a_meeting_that_nobody_has_noticed_yet_is_waited_for(backend: Backend, made: Made) -> None:
    ready = made()
    key = {"user": {"S": ready.user}, "meetingId": {"S": ready.meeting_id}}
    backend.dynamodb.delete_item(TableName="meetings", Key=key)
    after(backend, 4, lambda: backend.writes(ready))
    assert backend.client().wait_until_ready(ready.meeting_id) == ready


def test_a_meeting_that_failed_says_why_at_once(backend: Backend, made: Made) -> None:
    failed = made(status=MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE)
    with pytest.raises(MeetingFailed, match="UNREADABLE") as raised:
        backend.client().wait_until_ready(failed.meeting_id)
    assert raised.value.reason is MeetingReason.UNREADABLE
    assert backend.slept == []


def test_what_is_known_of_an_older_recording_does_not_count(backend: Backend, made: Made) -> None:
    old = made(content=OLD, status=MeetingStatus.FAILED, reason=MeetingReason.UNREADABLE)
    new = old.model_copy(update={"content": NEW, "status": MeetingStatus.READY, "reason": None})
    after(backend, 10, lambda: backend.writes(new))
    assert backend.client().wait_until_ready(old.meeting_id, content=NEW) == new


def noticed(backend: Backend, working: MeetingRecord) -> MeetingRecord:
    """What was uploaded is noticed in half of the time that it may take, and ready long after; as it is then."""
    ready = working.model_copy(update={"status": MeetingStatus.READY})

    def goes_on() -> None:
        if sum(backend.slept) >= NOTICED_SECONDS / 2:
            backend.writes(working)
        if sum(backend.slept) >= 3 * NOTICED_SECONDS:
            backend.writes(ready)

    backend.wakes = goes_on
    return ready


FAILED: dict[str, Any] = {"content": NEW, "status": MeetingStatus.FAILED, "reason": MeetingReason.MEDIA_FAILED}


def test_a_failure_from_before_an_upload_is_not_told_of_it(backend: Backend, made: Made) -> None:
    failed = made(**FAILED)
    working = failed.model_copy(update={"status": MeetingStatus.PROCESSING, "reason": None, "attempt": 2})
    ready = noticed(backend, working)
    assert backend.client().wait_until_ready(failed.meeting_id, content=NEW) == ready


def test_a_failure_that_stays_for_a_minute_is_told_of_the_upload_too(backend: Backend, made: Made) -> None:
    failed = made(**FAILED)
    with pytest.raises(MeetingFailed, match="MEDIA_FAILED"):
        backend.client().wait_until_ready(failed.meeting_id, content=NEW)
    assert NOTICED_SECONDS <= sum(backend.slept) <= NOTICED_SECONDS + LONGEST_PAUSE_SECONDS


@pytest.mark.parametrize("before", [FAILED, {"content": NEW, "status": MeetingStatus.PROCESSING, "stage": Stage.MEDIA}])
def test_a_failure_that_comes_after_the_upload_is_told_at_once(
    backend: Backend, made: Made, before: dict[str, Any]
) -> None:
    first = made(**before)
    after(backend, 5, lambda: backend.writes(first.model_copy(update={**FAILED, "stage": None, "attempt": 2})))
    with pytest.raises(MeetingFailed):
        backend.client().wait_until_ready(first.meeting_id, content=NEW)
    assert sum(backend.slept) < NOTICED_SECONDS / 2


def test_a_failure_is_told_when_there_is_no_more_time(backend: Backend, made: Made) -> None:
    failed = made(**FAILED)
    with pytest.raises(MeetingFailed):
        backend.client().wait_until_ready(failed.meeting_id, content=NEW, timeout_seconds=10)
    assert sum(backend.slept) == 10


def test_chunks_that_are_missing_for_a_minute_are_told(backend: Backend, made: Made) -> None:
    lacking = made(**LACKING)
    with pytest.raises(MeetingIncomplete, match=r"lacks 00001\.webm \(missing\)") as raised:
        backend.client().wait_until_ready(lacking.meeting_id)
    assert [item.name for item in raised.value.wrong] == ["00001.webm"]
    assert NOTICED_SECONDS <= sum(backend.slept) <= NOTICED_SECONDS + LONGEST_PAUSE_SECONDS


def test_chunks_that_arrive_meanwhile_are_none_that_are_missing(backend: Backend, made: Made) -> None:
    lacking = made(**LACKING)
    working = lacking.model_copy(update={"status": MeetingStatus.PROCESSING, "wrong": ()})
    ready = noticed(backend, working)
    assert backend.client().wait_until_ready(lacking.meeting_id) == ready


def test_waiting_ends_on_time_and_says_how_far_it_came(backend: Backend, made: Made) -> None:
    working = made(status=MeetingStatus.PROCESSING)
    with pytest.raises(NotReadyInTime, match="processing") as raised:
        backend.client().wait_until_ready(working.meeting_id, timeout_seconds=100)
    assert sum(backend.slept) == 100
    assert raised.value.record == working
    with pytest.raises(NotReadyInTime, match="nothing is known"):
        backend.client().wait_until_ready("01" + "A" * 24, timeout_seconds=0)


def test_credentials_are_renewed_while_somebody_waits(backend: Backend, made: Made) -> None:
    working = made(status=MeetingStatus.PROCESSING)
    with pytest.raises(NotReadyInTime):
        backend.client().wait_until_ready(working.meeting_id, timeout_seconds=2 * 3600)
    assert backend.exchanges == 3

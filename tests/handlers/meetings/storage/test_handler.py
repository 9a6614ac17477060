"""Tests of the daily measurement of storage: the growth of each user's storage, and the limit of metrics."""

import pytest

from handlers.common.ids import ulid
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.storage import handler
from handlers.meetings.storage.handler import OTHERS
from tests.handlers.meetings.meeting_harness import ANN, BOB, CANARY, STACK, START, MeetingHarness

EVE = "E" * 32


def measure_growth(harness: MeetingHarness) -> dict[str, float]:
    """Run the function; return the growth that it sent for each user.

    The key of the total is the stack, and `OTHERS` is the key of all users without a metric of their own.
    """
    sent_before = len(harness.metrics)
    handler.handler({}, None)
    metrics = harness.metrics[sent_before:]
    assert {metric.name for metric in metrics} == {"StorageGrowth"}
    growth = {metric.dimensions[-1].value: metric.value for metric in metrics}
    assert len(growth) == len(metrics), "each user has one metric"
    return growth


def put_recording(harness: MeetingHarness, user: str, object_size: int, number: int = 1) -> None:
    """Store three objects of the same size that never expire, and some that expire."""
    recording = Recording(MeetingId(user, ulid(START, number)), "0" * 32)
    for key in (recording.video_key, recording.transcript_key, recording.summary_key):
        harness.put_object(key, b"x" * object_size)
    for key in (recording.meeting.upload_key("a"), recording.audio_key(0), recording.media_result_key):
        harness.put_object(key, b"x" * 1000)


def test_the_growth_is_what_was_written_on_the_day_before_and_never_expires(harness: MeetingHarness) -> None:
    put_recording(harness, ANN, 2)
    assert measure_growth(harness) == {OTHERS: 0, STACK: 0}, "the day has not ended"
    harness.advance(hours=12)
    put_recording(harness, BOB, 3)
    assert measure_growth(harness) == {ANN: 6, OTHERS: 0, STACK: 6}
    harness.advance(days=1)
    put_recording(harness, ANN, 4, number=2)
    for _ in range(2):  # a repeated run sends the same values
        assert measure_growth(harness) == {BOB: 9, OTHERS: 0, STACK: 9}


def test_a_run_whose_metrics_failed_fails(harness: MeetingHarness) -> None:
    """Lambda repeats it, and then reports it to the queue of failed events."""
    with harness.fail_calls("cloudwatch", "PutMetricData", RuntimeError(CANARY)), pytest.raises(RuntimeError):
        handler.handler({}, None)


@pytest.mark.parametrize(
    ("max_users", "growth"), [("1", {BOB: 9, OTHERS: 9, STACK: 18}), ("0", {OTHERS: 18, STACK: 18})]
)
def test_only_the_users_who_grew_most_have_a_metric_of_their_own(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch, max_users: str, growth: dict[str, float]
) -> None:
    monkeypatch.setenv("MAX_USERS", max_users)
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")  # so the listing has several pages
    for user, size in ((ANN, 1), (BOB, 3), (EVE, 2)):
        put_recording(harness, user, size)
    harness.advance(days=1)
    assert measure_growth(harness) == growth

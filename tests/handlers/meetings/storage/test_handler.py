"""Tests of the daily storage count: the growth of each user's storage, and the limit of metrics."""

from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import ulid
from handlers.meetings.metrics import STORAGE_GROWTH
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.storage import handler
from handlers.meetings.storage.handler import OTHERS, StorageTotals, daily_growth, growth_metrics
from tests.handlers.meetings.meeting_harness import ANN, BOB, BUCKET, CANARY, STACK, START, MeetingHarness

EVE = "E" * 32
DAY = date(2026, 1, 31)


def run() -> None:
    handler.handler({}, None)


def growth_by_user(harness: MeetingHarness) -> dict[str, float]:
    """Return the growth that was sent last for each user.

    The key of the total is the stack, and `OTHERS` is the key of all users without a metric of their own.
    """
    return {metric.dimensions[-1].value: metric.value for metric in harness.metrics if metric.name == STORAGE_GROWTH}


def put_recording(harness: MeetingHarness, user: str, object_size: int, number: int = 1) -> Recording:
    """Store and return a recording with five objects of the same size, and an internal file of the media job, which is not
    counted.
    """
    recording = Recording(MeetingId(user, ulid(START, number)), "0" * 32)
    for key in (
        recording.meeting.upload_key("a"),
        recording.video_key,
        recording.audio_key(0),
        recording.transcript_key,
        recording.summary_key,
    ):
        harness.put_object(key, b"x" * object_size)
    harness.put_object(recording.media_result_key, b"x" * 1000)
    return recording


def test_the_first_count_sends_no_metric_and_the_next_one_sends_the_growth(harness: MeetingHarness) -> None:
    put_recording(harness, ANN, 2)
    recording = put_recording(harness, BOB, 3)
    run()
    assert harness.metrics == []
    harness.advance(days=1)
    put_recording(harness, ANN, 3, number=2)
    run()
    assert growth_by_user(harness) == {ANN: 15, BOB: 0, OTHERS: 0, STACK: 15}
    harness.advance(hours=1)
    put_recording(harness, EVE, 9)
    run()
    assert len(harness.metrics) == 4, "a day is counted once"
    harness.s3.delete_object(Bucket=BUCKET, Key=recording.video_key)
    harness.advance(days=3)
    run()
    assert growth_by_user(harness) == {EVE: 15, ANN: 0, BOB: -1, OTHERS: 0, STACK: 14}, "growth is per day"


def test_a_count_whose_metrics_failed_is_repeated(harness: MeetingHarness) -> None:
    run()
    harness.advance(days=1)
    put_recording(harness, ANN, 1)
    with harness.fail_calls("cloudwatch", "PutMetricData", RuntimeError(CANARY)), pytest.raises(RuntimeError):
        run()
    run()
    assert growth_by_user(harness) == {ANN: 5, OTHERS: 0, STACK: 5}


def test_only_the_users_who_grew_most_have_a_metric_of_their_own(
    harness: MeetingHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_USERS", "1")
    monkeypatch.setenv("MOTO_S3_DEFAULT_MAX_KEYS", "2")  # so the listing has several pages
    run()
    harness.advance(days=1)
    for user, size in ((ANN, 1), (BOB, 3), (EVE, 2)):
        put_recording(harness, user, size)
    run()
    assert growth_by_user(harness) == {BOB: 15, OTHERS: 15, STACK: 30}


BYTES_BY_USER = st.dictionaries(st.sampled_from([ANN, BOB, EVE]), st.integers(0, 10**15))


@given(BYTES_BY_USER, BYTES_BY_USER, st.integers(0, 4))
def test_the_metrics_of_all_users_add_up_to_the_total(earlier_bytes: Any, bytes_now: Any, max_users: int) -> None:
    earlier = StorageTotals(day=DAY - timedelta(days=1), bytes_of=earlier_bytes)
    growth = daily_growth(earlier, StorageTotals(day=DAY, bytes_of=bytes_now))
    metrics = growth_metrics(growth, max_users)
    [total] = [metric.value for metric in metrics if metric.user is None]
    values_by_user = [(metric.user, metric.value) for metric in metrics if metric.user is not None]
    assert len(values_by_user) == len(dict(values_by_user)) <= max_users + 1, "the other users share one metric"
    assert total == sum(value for _, value in values_by_user) == sum(bytes_now.values()) - sum(earlier_bytes.values())

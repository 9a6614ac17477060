"""Tests of the clock."""

from datetime import UTC, datetime, timedelta

from handlers.common.time_and_ids import clock

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_both_clock_functions_return_the_same_time() -> None:
    before = clock.now_ms()
    now = clock.now()
    assert before <= (now - EPOCH) // timedelta(milliseconds=1) <= clock.now_ms()

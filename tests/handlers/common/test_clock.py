"""Tests of the clock."""

from datetime import UTC, datetime, timedelta

from handlers.common import ids

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_both_clock_functions_return_the_same_time() -> None:
    before = ids.now_ms()
    now = ids.now()
    assert before <= (now - EPOCH) // timedelta(milliseconds=1) <= ids.now_ms()

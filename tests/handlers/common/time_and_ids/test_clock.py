"""Tests of the clock and of new ids."""

from datetime import UTC, datetime, timedelta

from handlers.common.time_and_ids import clock, ulid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_both_clock_functions_and_an_id_have_the_same_time() -> None:
    before = clock.now_ms()
    now, one = clock.now(), clock.new_id()
    after = clock.now_ms()
    for moment in (now, ulid.parse_ulid_time(one)):
        assert before <= (moment - EPOCH) // timedelta(milliseconds=1) <= after


def test_ids_of_the_same_time_differ() -> None:
    assert len({clock.new_id() for _ in range(1000)}) == 1000

"""The clock tells one time in both of its forms, and ids carry it."""

from datetime import UTC, datetime, timedelta

from handlers.common.time_and_ids import clock, ulid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def test_both_forms_and_an_id_tell_the_same_time() -> None:
    before = clock.now_ms()
    now, one = clock.now(), clock.new_id()
    after = clock.now_ms()
    for moment in (now, ulid.parse_ulid_time(one)):
        assert before <= (moment - EPOCH) // timedelta(milliseconds=1) <= after


def test_ids_of_one_moment_are_not_alike() -> None:
    assert len({clock.new_id() for _ in range(1000)}) == 1000

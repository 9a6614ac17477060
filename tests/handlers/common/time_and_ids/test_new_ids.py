"""Tests of new ids."""

from datetime import timedelta

from handlers.common.time_and_ids import clock, ulid
from handlers.common.time_and_ids.new_ids import new_id


def test_an_id_contains_the_current_time() -> None:
    before = clock.now()
    assert before - timedelta(milliseconds=1) <= ulid.parse_ulid_time(new_id()) <= clock.now()


def test_ids_of_the_same_time_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000

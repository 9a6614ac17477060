"""Tests of new ids."""

from datetime import timedelta

from handlers.common import ids
from handlers.common.ids import new_id


def test_an_id_contains_the_current_time() -> None:
    before = ids.now()
    assert before - timedelta(milliseconds=1) <= ids.parse_ulid_time(new_id()) <= ids.now()


def test_ids_of_the_same_time_differ() -> None:
    assert len({new_id() for _ in range(1000)}) == 1000

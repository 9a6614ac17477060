"""Tests of ULIDs."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.ids import parse_ulid_time, ulid

MOMENTS = st.datetimes(datetime(2000, 1, 1), datetime(2500, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
RANDOM = st.integers(0, 2**80 - 1)


@given(MOMENTS, RANDOM)
def test_an_id_contains_its_creation_time_in_milliseconds(moment: datetime, randomness: int) -> None:
    assert parse_ulid_time(ulid(moment, randomness)) == moment.replace(microsecond=moment.microsecond // 1000 * 1000)


@given(MOMENTS, MOMENTS, RANDOM, RANDOM)
def test_ids_sort_by_time(time: datetime, other_time: datetime, randomness: int, other_randomness: int) -> None:
    earlier, later = sorted([ulid(time, randomness), ulid(other_time, other_randomness)])
    assert parse_ulid_time(earlier) <= parse_ulid_time(later)


def test_an_id_starts_like_the_example_of_the_specification() -> None:
    assert ulid(datetime.fromtimestamp(1469918176.385, UTC), 0)[:10] == "01ARYZ6S41"


@pytest.mark.parametrize("text", ["", "x" * 26, "8" + "0" * 25, "0" * 25, "0" * 27, "I" * 26])
def test_a_text_that_is_not_a_ulid_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a ULID"):
        parse_ulid_time(text)

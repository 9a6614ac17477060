"""An alarm that rang is never overlooked, however short it was."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from operations import watch
from operations.gateway import Alarm

NOON = datetime(2026, 1, 3, 12, tzinfo=UTC)


def alarm(state: str, minutes: int | None = 0, name: str = "one") -> Alarm:
    return Alarm(name, state, None if minutes is None else NOON + timedelta(minutes=minutes))


def test_an_alarm_that_rings_has_rung() -> None:
    assert watch.rang([alarm("OK")], [alarm("ALARM", 1)]) == ["one"]


def test_an_alarm_that_is_new_and_rings_has_rung() -> None:
    assert watch.rang([], [alarm("ALARM")]) == ["one"]


def test_an_alarm_that_rang_between_two_looks_has_rung() -> None:
    assert watch.rang([alarm("OK")], [alarm("OK", 1)]) == ["one"]


def test_an_alarm_that_stays_as_it_was_has_not_rung() -> None:
    for state in ("OK", "INSUFFICIENT_DATA"):
        assert watch.rang([alarm(state)], [alarm(state)]) == []
        assert watch.rang([alarm(state, None)], [alarm(state, None)]) == []


def test_having_no_data_or_having_it_again_is_not_ringing() -> None:
    assert watch.rang([alarm("OK")], [alarm("INSUFFICIENT_DATA", 1)]) == []
    assert watch.rang([alarm("INSUFFICIENT_DATA")], [alarm("OK", 1)]) == []
    assert watch.rang([], [alarm("OK")]) == []
    assert watch.rang([alarm("OK")], []) == []


@given(st.lists(st.sampled_from(["OK", "ALARM", "INSUFFICIENT_DATA"]), min_size=1))
def test_of_any_states_exactly_those_that_ring_are_named(states: list[str]) -> None:
    now = [alarm(state, name=str(at)) for at, state in enumerate(states)]
    assert watch.ringing(now) == [str(at) for at, state in enumerate(states) if state == "ALARM"]
    assert watch.without_data(now) == [str(at) for at, state in enumerate(states) if state == "INSUFFICIENT_DATA"]

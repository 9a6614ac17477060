"""Tests of alarm states, with the examples of CloudWatch's guide."""

import pytest

from local.emulation.cloudwatch.alarm_states import AlarmState, count_read_periods, next_state, split_into_periods

OK, ALARM = AlarmState


@pytest.mark.parametrize(
    ("values", "state"),
    [("0 - X - X", OK), ("- - - - -", OK), ("0 X X - X", ALARM), ("X X X 0 X", OK), ("- - X X X", ALARM)],
)
def test_an_alarm_of_three_periods_as_in_the_guide(values: str, state: AlarmState) -> None:
    """The guide writes X for a breach, 0 for another value, and - for a period without data."""
    alarm = {"EvaluationPeriods": 3, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    assert count_read_periods(alarm) == len(values.split())
    assert next_state(alarm, [{"X": 1.0, "0": 0.0, "-": None}[value] for value in values.split()]) == state


@pytest.mark.parametrize(
    ("comparison", "breaching"), [("GreaterThanThreshold", {6}), ("GreaterThanOrEqualToThreshold", {5, 6})]
)
def test_each_comparison_with_the_threshold(comparison: str, breaching: set[float]) -> None:
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": comparison, "Threshold": 5.0}
    assert {value for value in (4, 5, 6) if next_state(alarm, [None, None, value]) == ALARM} == breaching


def test_periods_end_now_and_contain_the_points_of_their_time() -> None:
    points = [(1000, "a"), (940.5, "b"), (940, "c"), (881, "d"), (820, "too old"), (1001, "future")]
    assert split_into_periods(points, now=1000, seconds=60, count=3) == [[], ["c", "d"], ["a", "b"]]

"""Tests of alarm states, with the examples of CloudWatch's guide."""

import pytest

from local.emulation.cloudwatch.alarm_state_calculation import (
    AlarmState,
    MissingData,
    count_read_periods,
    next_state,
    split_into_periods,
)

KEPT = None
OK, ALARM, NO_DATA = AlarmState
TREATMENTS = (MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING)
"""Treatments of missing data, in the order of the states that each case expects."""


def state(values: str, periods: int, required: int, missing: MissingData) -> AlarmState | None:
    """Return the state for values as the guide writes them: X breaches, 0 does not, and - is missing."""
    alarm = {
        "EvaluationPeriods": periods,
        "DatapointsToAlarm": required,
        "ComparisonOperator": "GreaterThanThreshold",
        "Threshold": 0,
        "TreatMissingData": missing,
    }
    assert count_read_periods(alarm) == len(values.split())
    return next_state(alarm, [{"X": 1.0, "0": 0.0, "-": None}[value] for value in values.split()])


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ("0 - X - X", (OK, OK, OK, OK)),
        ("- - - - 0", (OK, OK, OK, OK)),
        ("- - - - -", (NO_DATA, KEPT, ALARM, OK)),
        ("0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("- - X - -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_three_of_three_periods_as_in_the_guide(values: str, states: tuple[AlarmState | None, ...]) -> None:
    assert tuple(state(values, 3, 3, missing) for missing in TREATMENTS) == states


@pytest.mark.parametrize(
    ("values", "states"),
    [
        ("0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        ("0 - X - -", (OK, OK, ALARM, OK)),
        ("- - - - 0", (OK, OK, ALARM, OK)),
        ("- - - X -", (ALARM, KEPT, ALARM, OK)),
    ],
)
def test_two_of_three_periods_as_in_the_guide(values: str, states: tuple[AlarmState | None, ...]) -> None:
    assert tuple(state(values, 3, 2, missing) for missing in TREATMENTS) == states


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", {6}),
        ("GreaterThanOrEqualToThreshold", {5, 6}),
        ("LessThanThreshold", {4}),
        ("LessThanOrEqualToThreshold", {4, 5}),
    ],
)
def test_each_comparison_with_the_threshold(comparison: str, breaching: set[float]) -> None:
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": comparison, "Threshold": 5.0}
    assert {value for value in (4, 5, 6) if next_state(alarm, [None, None, value]) == ALARM} == breaching


def test_an_alarm_without_datapoints_to_alarm_requires_all_periods() -> None:
    alarm = {"EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    assert next_state(alarm, [None, None, 0, 1]) == OK
    assert next_state(alarm, [None, None, 1, 1]) == ALARM


def test_periods_end_now_and_contain_the_points_of_their_time() -> None:
    points = [(1000, "a"), (940.5, "b"), (940, "c"), (881, "d"), (820, "too old"), (1001, "future")]
    assert split_into_periods(points, now=1000, seconds=60, count=3) == [[], ["c", "d"], ["a", "b"]]

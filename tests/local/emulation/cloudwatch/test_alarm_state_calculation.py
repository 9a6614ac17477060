"""Tests of the calculation of alarm states on the local platform, with the examples of CloudWatch's guide."""

import pytest

from local.emulation.cloudwatch.alarm_state_calculation import (
    AlarmState,
    MissingData,
    count_read_periods,
    next_state,
    split_into_periods,
)

UNCHANGED = None
OK, ALARM, NO_DATA = AlarmState
MISSING_DATA_SETTINGS = (MissingData.MISSING, MissingData.IGNORE, MissingData.BREACHING, MissingData.NOT_BREACHING)
"""Values of `TreatMissingData`, in the order of the states that each case expects."""


@pytest.mark.parametrize(
    ("datapoints_to_alarm", "values", "states"),
    [
        (3, "0 - X - X", (OK, OK, OK, OK)),
        (3, "- - - - 0", (OK, OK, OK, OK)),
        (3, "- - - - -", (NO_DATA, UNCHANGED, ALARM, OK)),
        (3, "0 X X - X", (ALARM, ALARM, ALARM, ALARM)),
        (3, "- - X - -", (ALARM, UNCHANGED, ALARM, OK)),
        (2, "0 - X - X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 0 X 0 X", (ALARM, ALARM, ALARM, ALARM)),
        (2, "0 - X - -", (OK, OK, ALARM, OK)),
        (2, "- - - - 0", (OK, OK, ALARM, OK)),
        (2, "- - - X -", (ALARM, UNCHANGED, ALARM, OK)),
    ],
)
def test_the_state_after_three_evaluation_periods_is_as_in_the_guide(
    datapoints_to_alarm: int, values: str, states: tuple[AlarmState | None, ...]
) -> None:
    """The values are written as in the guide: X breaches the threshold, 0 does not, and - is missing.

    CloudWatch reads two values more than there are evaluation periods, because values may be missing.
    """
    datapoints = [{"X": 1.0, "0": 0.0, "-": None}[value] for value in values.split()]
    for missing_data, state in zip(MISSING_DATA_SETTINGS, states, strict=True):
        alarm = {
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": datapoints_to_alarm,
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 0,
            "TreatMissingData": missing_data,
        }
        assert count_read_periods(alarm) == len(datapoints)
        assert next_state(alarm, datapoints) == state, missing_data


@pytest.mark.parametrize(
    ("comparison", "breaching"),
    [
        ("GreaterThanThreshold", {6}),
        ("GreaterThanOrEqualToThreshold", {5, 6}),
        ("LessThanThreshold", {4}),
        ("LessThanOrEqualToThreshold", {4, 5}),
    ],
)
def test_a_value_breaches_the_threshold_according_to_the_comparison(comparison: str, breaching: set[float]) -> None:
    alarm = {"EvaluationPeriods": 1, "ComparisonOperator": comparison, "Threshold": 5.0}
    assert {value for value in (4, 5, 6) if next_state(alarm, [None, None, value]) == ALARM} == breaching


def test_an_alarm_without_datapoints_to_alarm_requires_all_periods() -> None:
    alarm = {"EvaluationPeriods": 2, "ComparisonOperator": "GreaterThanThreshold", "Threshold": 0}
    assert next_state(alarm, [None, None, 0, 1]) == OK
    assert next_state(alarm, [None, None, 1, 1]) == ALARM


def test_points_are_divided_into_periods_of_which_the_last_one_ends_now() -> None:
    points = [(1000, "a"), (940.5, "b"), (940, "c"), (881, "d"), (820, "too old"), (1001, "future")]
    assert split_into_periods(points, now=1000, seconds=60, count=3) == [[], ["c", "d"], ["a", "b"]]

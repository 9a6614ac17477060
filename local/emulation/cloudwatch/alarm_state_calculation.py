"""Computes the state of a CloudWatch alarm from its definition and the metric's values in the last periods.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
"""

import operator
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

EXTRA_PERIODS = 2
"""Number of periods that an alarm reads in addition to its evaluation periods, in case some periods have no data.
CloudWatch documents no number. In the examples of its guide, an alarm of three periods reads five."""
COMPARISONS = {
    "GreaterThanThreshold": operator.gt,
    "GreaterThanOrEqualToThreshold": operator.ge,
    "LessThanThreshold": operator.lt,
    "LessThanOrEqualToThreshold": operator.le,
}
T = TypeVar("T")


class AlarmState(StrEnum):
    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MissingData(StrEnum):
    """Treatment of periods without data, as CloudWatch names it."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"
    IGNORE = "ignore"
    MISSING = "missing"


def count_read_periods(alarm: Mapping[str, Any]) -> int:
    return int(alarm["EvaluationPeriods"]) + EXTRA_PERIODS


def split_into_periods(points: Iterable[tuple[float, T]], now: float, seconds: int, count: int) -> list[list[T]]:
    """Return a list for each of the last `count` periods with its points, the oldest period first.

    `points` contains the time of each point and the point. `seconds` is the length of a period. The last period ends
    now, because CloudWatch evaluates sliding periods.
    """
    periods: list[list[T]] = [[] for _ in range(count)]
    for timestamp, point in points:
        age = now - timestamp
        if 0 <= age < count * seconds:
            periods[count - 1 - int(age // seconds)].append(point)
    return periods


def next_state(alarm: Mapping[str, Any], values: Sequence[float | None]) -> AlarmState | None:
    """Return the state that an alarm gets, or None if it keeps its state.

    `values` are the metric's values in the read periods, the oldest first. None is a period without data.
    """
    evaluation_periods = int(alarm["EvaluationPeriods"])
    required = int(alarm.get("DatapointsToAlarm") or evaluation_periods)
    is_breaching = COMPARISONS[alarm["ComparisonOperator"]]
    breaches = [None if value is None else is_breaching(value, alarm["Threshold"]) for value in values]
    existing = [breach for breach in breaches if breach is not None]
    if len(existing) >= evaluation_periods:
        return _state(sum(existing[-evaluation_periods:]) >= required)
    treatment = MissingData(alarm.get("TreatMissingData", MissingData.MISSING))
    missing_count = evaluation_periods - len(existing)
    match treatment:
        case MissingData.BREACHING:
            return _state(sum(existing) + missing_count >= required)
        case MissingData.NOT_BREACHING:
            return _state(sum(existing) >= required)
    if not existing:
        return AlarmState.INSUFFICIENT_DATA if treatment is MissingData.MISSING else None
    if sum(existing) >= required or not all(existing):
        return _state(sum(existing) >= required)
    # All existing values breach, but they are too few to raise the alarm. With the treatment `missing`, CloudWatch
    # raises it nevertheless if the oldest value is old enough. For example, if three are required: breach, no data, no
    # data.
    age_in_periods = len(breaches) - breaches.index(True)
    return AlarmState.ALARM if treatment is MissingData.MISSING and age_in_periods >= required else None


def _state(is_raised: bool) -> AlarmState:
    return AlarmState.ALARM if is_raised else AlarmState.OK

"""Computes the state of a CloudWatch alarm from its definition and the metric's values in the last periods.

Only what the program's alarms use is implemented: they compare with `>` or `>=`, need a breach in
each evaluation period, and treat missing data as not breaching.
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
}
T = TypeVar("T")


class AlarmState(StrEnum):
    OK = "OK"
    ALARM = "ALARM"


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


def next_state(alarm: Mapping[str, Any], values: Sequence[float | None]) -> AlarmState:
    """Return the state that an alarm gets.

    `values` are the metric's values in the read periods, the oldest first. None is a period without data.
    """
    evaluation_periods = int(alarm["EvaluationPeriods"])
    is_breaching = COMPARISONS[alarm["ComparisonOperator"]]
    breaches = [is_breaching(value, alarm["Threshold"]) for value in values if value is not None]
    return AlarmState.ALARM if sum(breaches[-evaluation_periods:]) >= evaluation_periods else AlarmState.OK

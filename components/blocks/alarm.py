"""CloudWatch alarms that notify the topic of their severity. Name and description contain the severity, and the
description names a runbook.

The blocks create the alarms of their own resources, and each subsystem creates further alarms.

An alarm without data has the state OK. This is set explicitly, because the default state is INSUFFICIENT_DATA.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import pulumi
from pulumi_aws import cloudwatch

from components.core import Kind, Scope


class Severity(StrEnum):
    """Urgency of an alarm for the operator."""

    CRITICAL = "critical"
    """Users notice the fault: work failed for good, an API fails, captions are late. An operator must act at once."""
    WARNING = "warning"
    """The fault is retried, or it only shows that a limit is near. An operator must act on the same day."""


class Comparison(StrEnum):
    """Comparison of the metric with the threshold."""

    ABOVE = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"


class Metric(NamedTuple):
    """CloudWatch metric, with the statistic and the period that an alarm uses."""

    namespace: str
    name: str
    dimensions: Mapping[str, pulumi.Input[str]]
    statistic: str = "Sum"
    """A CloudWatch statistic, or a percentile such as `p95`."""
    period_seconds: int = 300


def create_alarm(
    scope: Scope,
    short_name: str,
    metric: Metric,
    threshold: float,
    problem: str,
    *,
    runbook: str,
    severity: Severity = Severity.WARNING,
    comparison: Comparison = Comparison.ABOVE,
    periods: int = 1,
) -> None:
    """Create the alarm `<subsystem>-<short name>-<severity>`.

    `problem` describes the fault to the operator in one sentence. `runbook` is the name of a page in `docs/runbooks/`,
    without suffix. The alarm is raised when the metric breaches the threshold in `periods` successive periods.
    """
    name = scope.name(Kind.ALARM, f"{short_name}-{severity}")
    topic = scope.critical_topic if severity is Severity.CRITICAL else scope.warning_topic
    is_percentile = metric.statistic.startswith("p")
    cloudwatch.MetricAlarm(
        f"{scope.subsystem}-{short_name}-alarm",
        name=name,
        alarm_description=f"{severity.name}: {problem} Runbook: {scope.foundation.alerts.runbooks}/{runbook}.md",
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=dict(metric.dimensions),
        statistic=None if is_percentile else metric.statistic,
        extended_statistic=metric.statistic if is_percentile else None,
        period=metric.period_seconds,
        evaluation_periods=periods,
        threshold=threshold,
        comparison_operator=comparison.value,
        treat_missing_data="notBreaching",
        alarm_actions=[topic],
        ok_actions=[topic],
        tags=scope.tags(name),
        opts=scope.options(),
    )

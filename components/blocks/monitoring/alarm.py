"""One alarm: severity in name and description, the alerts topic as action, its runbook named.

Missing data is always decided explicitly, because the default (`missing`) keeps an alarm in the state it had.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Scope


class Severity(StrEnum):
    """How soon a person must look."""

    CRITICAL = "critical"
    WARNING = "warning"


class Comparison(StrEnum):
    """How a value is held against the threshold."""

    ABOVE = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"


@dataclass(frozen=True)
class Metric:
    """Which number is watched, and how its points are made."""

    namespace: str
    name: str
    dimensions: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    statistic: str = "Sum"
    """A statistic of CloudWatch, or a percentile such as `p95`."""
    period_seconds: int = 300


def register_alarm(
    short_name: str,
    scope: Scope,
    metric: Metric,
    threshold: float,
    problem: str,
    runbook: str,
    opts: pulumi.ResourceOptions,
    *,
    severity: Severity = Severity.WARNING,
    comparison: Comparison = Comparison.ABOVE,
    periods: int = 1,
) -> cloudwatch.MetricAlarm:
    """Register the alarm `<subsystem>-<what>-<severity>`.

    `says` is one sentence: what is wrong when it rings. `runbook` is the page below the runbooks' folder, without suffix.
    """
    name = scope.name(Kind.ALARM, f"{short_name}-{severity}")
    percentile = metric.statistic.startswith("p")
    return cloudwatch.MetricAlarm(
        f"{scope.subsystem}-{short_name}-alarm",
        name=name,
        alarm_description=f"{severity.name}: {problem} Runbook: {scope.foundation.alerts.runbooks}/{runbook}.md",
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        statistic=None if percentile else metric.statistic,
        extended_statistic=metric.statistic if percentile else None,
        period=metric.period_seconds,
        evaluation_periods=periods,
        threshold=threshold,
        comparison_operator=comparison.value,
        treat_missing_data="notBreaching",
        alarm_actions=[scope.alerts_topic],
        ok_actions=[scope.alerts_topic],
        tags=scope.tags(name),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(scope.prerequisites))),
    )

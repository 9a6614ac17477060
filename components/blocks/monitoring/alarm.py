"""CloudWatch alarm that notifies the alerts topic, with its severity in name and description and a link to its runbook.

Missing data never breaches. This is set explicitly, because the default (`missing`) keeps an alarm in its previous
state.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Scope


class Severity(StrEnum):
    """Urgency of an alarm for the operator."""

    CRITICAL = "critical"
    WARNING = "warning"


class Comparison(StrEnum):
    """Comparison of the metric with the threshold."""

    ABOVE = "GreaterThanThreshold"
    AT_LEAST = "GreaterThanOrEqualToThreshold"


@dataclass(frozen=True)
class Metric:
    """CloudWatch metric with its statistic and period."""

    namespace: str
    name: str
    dimensions: dict[str, pulumi.Input[str]] = field(default_factory=dict)
    statistic: str = "Sum"
    """A CloudWatch statistic, or a percentile such as `p95`."""
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
    """Register the alarm `<subsystem>-<short name>-<severity>`.

    `problem` describes the problem to the operator in one sentence. `runbook` is the file name of the runbook
    without suffix.
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

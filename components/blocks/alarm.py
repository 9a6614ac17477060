"""One alarm: severity in name and description, the alerts topic as action, its runbook named.

Missing data is always decided explicitly, because the default (`missing`) keeps an alarm in the state it had.
"""

from dataclasses import dataclass, field
from enum import StrEnum

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.names import Kind
from components.blocks.scope import Scope


class Severity(StrEnum):
    """How soon a person must look."""

    CRITICAL = "critical"
    WARNING = "warning"


class MissingData(StrEnum):
    """What an alarm makes of a period without data."""

    NOT_BREACHING = "notBreaching"
    BREACHING = "breaching"


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


@dataclass(frozen=True)
class AlarmArgs:
    """One alarm."""

    scope: Scope
    metric: Metric
    severity: Severity
    threshold: float
    says: str
    """One sentence: what is wrong when it rings."""
    runbook: str
    """The page below the runbooks' folder, without suffix."""
    comparison: Comparison = Comparison.ABOVE
    periods: int = 1
    missing_data: MissingData = MissingData.NOT_BREACHING


def alarm(what: str, args: AlarmArgs, opts: pulumi.ResourceOptions) -> cloudwatch.MetricAlarm:
    """Registers the alarm `<subsystem>-<what>-<severity>`."""
    scope, metric = args.scope, args.metric
    name = scope.name(Kind.ALARM, f"{what}-{args.severity}")
    percentile = metric.statistic.startswith("p")
    return cloudwatch.MetricAlarm(
        f"{scope.subsystem}-{what}-alarm",
        name=name,
        alarm_description=(
            f"{args.severity.name}: {args.says} Runbook: {scope.foundation.alerts.runbooks}/{args.runbook}.md"
        ),
        namespace=metric.namespace,
        metric_name=metric.name,
        dimensions=metric.dimensions,
        statistic=None if percentile else metric.statistic,
        extended_statistic=metric.statistic if percentile else None,
        period=metric.period_seconds,
        evaluation_periods=args.periods,
        threshold=args.threshold,
        comparison_operator=args.comparison.value,
        treat_missing_data=args.missing_data.value,
        alarm_actions=[scope.alerts_topic],
        ok_actions=[scope.alerts_topic],
        tags=scope.tags(name),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=list(scope.after))),
    )

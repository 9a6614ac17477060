"""A metric made of log lines: no permission and no call of the function's own."""

from dataclasses import dataclass
from typing import TypedDict

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.alarm import Metric
from components.blocks.scope import Scope


class Reading(TypedDict, total=False):
    """How lines make a number, where one each and their sum will not do; and into which metric, where it is another's."""

    into: str
    value: str
    statistic: str
    period_seconds: int


SWEEPS_TRIED = 3


def sweep_after_sweep(value: str, every_minutes: int) -> Reading:
    """What one sweep after the other says: one may meet a throttled call, but what the next ones leave as well stays."""
    return {"value": value, "statistic": "Minimum", "period_seconds": SWEEPS_TRIED * every_minutes * 60}


@dataclass(frozen=True)
class LoggedArgs:
    """Which lines make the metric, and what each adds to it."""

    scope: Scope
    log_group: str
    pattern: str
    value: str = "1"
    """A number, or where the line has one: `$.oldest_pending_seconds`."""
    statistic: str = "Sum"
    period_seconds: int = 300
    into: str = ""
    """The metric that they add to, where lines of several functions make one; else one of their own."""


def logged(what: str, args: LoggedArgs, opts: pulumi.ResourceOptions) -> Metric:
    """Registers the filter `<subsystem>-<what>`; the log group must be there before (`opts`)."""
    scope, metric = args.scope, args.into or what
    namespace = f"{scope.context.stack_label}/{scope.subsystem}"
    cloudwatch.LogMetricFilter(
        f"{scope.subsystem}-{what}-filter",
        name=f"{scope.context.stack_label}-{scope.subsystem}-{what}",
        log_group_name=args.log_group,
        pattern=args.pattern,
        metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
            name=metric, namespace=namespace, value=args.value
        ),
        opts=opts,
    )
    return Metric(namespace, metric, {}, args.statistic, args.period_seconds)

"""A metric made of log lines: no permission and no call of the function's own."""

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.alarm import Metric
from components.blocks.scope import Scope

SWEEPS_TRIED = 3


def sweep_after_sweep(every_minutes: int) -> int:
    """Return the seconds of three sweeps.

    One sweep may meet a throttled call, but what the next ones leave as well stays: so the minimum of a period counts.
    """
    return SWEEPS_TRIED * every_minutes * 60


def logged(
    what: str,
    scope: Scope,
    log_group: str,
    pattern: str,
    opts: pulumi.ResourceOptions,
    *,
    value: str = "1",
    statistic: str = "Sum",
    period_seconds: int = 300,
    into: str = "",
) -> Metric:
    """Register the filter `<subsystem>-<what>` and return its metric; the log group must be there before (`opts`).

    `value` is a number, or the place of one in the line: `$.oldest_pending_seconds`. `into` is the metric that the lines
    add to, where lines of several functions make one.
    """
    metric = into or what
    namespace = f"{scope.context.stack_label}/{scope.subsystem}"
    cloudwatch.LogMetricFilter(
        f"{scope.subsystem}-{what}-filter",
        name=f"{scope.context.stack_label}-{scope.subsystem}-{what}",
        log_group_name=log_group,
        pattern=pattern,
        metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
            name=metric, namespace=namespace, value=value
        ),
        opts=opts,
    )
    return Metric(namespace, metric, {}, statistic, period_seconds)

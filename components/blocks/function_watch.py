"""What rings for every function: errors, throttles and, where asked for, memory."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.logged import LoggedArgs, logged
from components.blocks.scope import Scope

REPORT = '{ $.type = "platform.report" }'
"""Lambda's own line at the end of an invocation."""
MEMORY_USED = "$.record.metrics.maxMemoryUsedMB"


@dataclass(frozen=True)
class FunctionWatchArgs:
    """What is watched."""

    scope: Scope
    logical_name: str
    dimensions: dict[str, pulumi.Input[str]]
    """Of the alias: without `Resource` an alarm would see other versions too."""
    log_group: str
    errors_above: int
    throttles_above: int
    memory_mb: int
    memory_percent_above: int | None


def watch_function(what: str, args: FunctionWatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers the alarms."""
    for metric, severity, threshold, says in (
        ("Errors", Severity.CRITICAL, args.errors_above, f"{args.logical_name} fails."),
        ("Throttles", Severity.WARNING, args.throttles_above, f"{args.logical_name} is refused concurrency."),
    ):
        alarm(
            f"{what}-{metric.lower()}",
            AlarmArgs(
                scope=args.scope,
                metric=Metric("AWS/Lambda", metric, args.dimensions),
                severity=severity,
                threshold=threshold,
                says=says,
                runbook=f"function-{metric.lower()}",
            ),
            opts,
        )
    if args.memory_percent_above is not None:
        used = logged(
            f"{what}-memory", LoggedArgs(args.scope, args.log_group, REPORT, MEMORY_USED, statistic="Maximum"), opts
        )
        alarm(
            f"{what}-memory",
            AlarmArgs(
                scope=args.scope,
                metric=used,
                severity=Severity.WARNING,
                threshold=args.memory_mb * args.memory_percent_above / 100,
                says=f"{args.logical_name} is short of memory.",
                runbook="function-memory",
            ),
            opts,
        )

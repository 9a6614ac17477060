"""What rings when ingestion is late or stuck, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.alarm import AlarmArgs, Comparison, Metric, Severity, alarm
from components.blocks.function import LIVE, Function
from components.blocks.queue import Queue
from components.blocks.scope import Scope
from components.settings import IngestionSettings

DURATION_SHARE = 0.8
"""Of a function's timeout: time to look before it is cut off."""


@dataclass(frozen=True)
class WatchArgs:
    """What is watched."""

    scope: Scope
    settings: IngestionSettings
    intake: Queue
    builder: Function
    sweeper: Function


def watch(args: WatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers ingestion's own alarms."""
    scope, settings = args.scope, args.settings
    alarm(
        "builder-duration",
        AlarmArgs(
            scope=scope,
            metric=Metric(
                "AWS/Lambda",
                "Duration",
                {"FunctionName": args.builder.name, "Resource": f"{args.builder.name}:{LIVE}"},
                "p95",
            ),
            severity=Severity.WARNING,
            threshold=settings.builder.timeout_seconds * 1000 * DURATION_SHARE,
            says="The manifest builder takes most of the time that it has.",
            runbook="ingestion-late",
        ),
        opts,
    )
    alarm(
        "oldest-message",
        AlarmArgs(
            scope=scope,
            metric=Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": args.intake.name}, "Maximum"),
            severity=Severity.WARNING,
            threshold=settings.intake.oldest_message_minutes * 60,
            says="Announced files wait to be tracked.",
            runbook="ingestion-late",
        ),
        opts,
    )
    oldest = _logged("oldest-pending", args.sweeper, '{ $.message = "sweep" }', "$.oldest_pending_seconds", scope, opts)
    alarm(
        "oldest-pending",
        AlarmArgs(
            scope=scope,
            metric=Metric(oldest[0], oldest[1], {}, "Maximum", 900),
            severity=Severity.WARNING,
            threshold=settings.manifests.pending_alarm_minutes * 60,
            says="A tracked file waits for a run.",
            runbook="ingestion-late",
        ),
        opts,
    )
    unwritten = _logged("manifest-record", args.builder, '{ $.message = "manifest_record_failed" }', "1", scope, opts)
    alarm(
        "manifest-record",
        AlarmArgs(
            scope=scope,
            metric=Metric(*unwritten, {}, "Sum"),
            severity=Severity.WARNING,
            threshold=1,
            comparison=Comparison.AT_LEAST,
            says="A workflow was started whose MANIFEST record could not be written; the workflow writes it itself.",
            runbook="ingestion-late",
        ),
        opts,
    )


def _logged(
    what: str, function: Function, pattern: str, value: str, scope: Scope, opts: pulumi.ResourceOptions
) -> tuple[str, str]:
    """A metric made of a function's log lines: no permission and no call of the function's own."""
    namespace = f"{scope.context.stack_label}/{scope.subsystem}"
    cloudwatch.LogMetricFilter(
        f"ingestion-{what}-filter",
        name=f"{scope.context.stack_label}-{scope.subsystem}-{what}",
        log_group_name=function.log_group,
        pattern=pattern,
        metric_transformation=cloudwatch.LogMetricFilterMetricTransformationArgs(
            name=what, namespace=namespace, value=value
        ),
        opts=pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[function])),
    )
    return namespace, what

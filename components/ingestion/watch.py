"""What rings when ingestion is late or stuck, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Comparison, Metric, Severity, alarm
from components.blocks.function import LIVE, Function
from components.blocks.logged import sweep_after_sweep
from components.blocks.queue import Queue
from components.blocks.scope import Scope
from components.settings import IngestionSettings

DURATION_SHARE = 0.8
"""Of a function's timeout: time to look before it is cut off."""

SWEPT = '{ $.message = "sweep" }'
UNWRITTEN = '{ $.message = "manifest_record_failed" }'


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
    oldest = args.sweeper.logged(
        "oldest-pending", SWEPT, opts, value="$.oldest_pending_seconds", statistic="Maximum", period_seconds=900
    )
    alarm(
        "oldest-pending",
        AlarmArgs(
            scope=scope,
            metric=oldest,
            severity=Severity.WARNING,
            threshold=settings.manifests.pending_alarm_minutes * 60,
            says="A tracked file waits for a run.",
            runbook="ingestion-late",
        ),
        opts,
    )
    unsettled = args.sweeper.logged(
        "unsettled", SWEPT, opts, **sweep_after_sweep("$.failed", settings.manifests.sweep_minutes)
    )
    alarm(
        "unsettled",
        AlarmArgs(
            scope=scope,
            metric=unsettled,
            severity=Severity.WARNING,
            threshold=0,
            says="Claims or manifests stay open: one sweep after the other fails to end them.",
            runbook="ingestion-late",
        ),
        opts,
    )
    unwritten = args.builder.logged("manifest-record", UNWRITTEN, opts)
    args.sweeper.logged("manifest-record-swept", UNWRITTEN, opts, into=unwritten.name)  # it makes manifests too
    alarm(
        "manifest-record",
        AlarmArgs(
            scope=scope,
            metric=unwritten,
            severity=Severity.WARNING,
            threshold=1,
            comparison=Comparison.AT_LEAST,
            says="A workflow was started whose MANIFEST record could not be written; the workflow writes it itself.",
            runbook="ingestion-late",
        ),
        opts,
    )

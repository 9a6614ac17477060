"""What rings when ingestion is late or stuck, beside what every block watches of itself."""

import pulumi

from components.blocks.compute.function import Function, three_sweeps_seconds
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import Comparison, Metric, register_alarm
from components.blocks.naming.scope import Scope
from components.settings import IngestionSettings

DURATION_SHARE = 0.8
"""Of a function's timeout: time to look before it is cut off."""
OLDEST_MESSAGE_SECONDS = 1_800
OLDEST_PENDING_SECONDS = 7_200
RUNBOOK = "ingestion-late"
SWEPT = '{ $.message = "sweep" }'
UNWRITTEN = '{ $.message = "manifest_record_failed" }'


def watch(
    scope: Scope,
    settings: IngestionSettings,
    intake: Queue,
    builder: Function,
    sweeper: Function,
    opts: pulumi.ResourceOptions,
) -> None:
    """Register ingestion's own alarms."""
    longest = settings.builder.timeout_seconds * 1000 * DURATION_SHARE
    waits = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": intake.name}, "Maximum")
    pending = sweeper.log_metric(
        "oldest-pending", SWEPT, opts, value="$.oldest_pending_seconds", statistic="Maximum", period_seconds=900
    )
    period = three_sweeps_seconds(settings.manifests.sweep_minutes)
    open_still = sweeper.log_metric(
        "unsettled", SWEPT, opts, value="$.failed", statistic="Minimum", period_seconds=period
    )
    for what, metric, threshold, says in (
        (
            "builder-duration",
            builder.metric("Duration", "p95"),
            longest,
            "The manifest builder takes most of the time that it has.",
        ),
        ("oldest-message", waits, OLDEST_MESSAGE_SECONDS, "Announced files wait to be tracked."),
        ("oldest-pending", pending, OLDEST_PENDING_SECONDS, "A tracked file waits for a run."),
        ("unsettled", open_still, 0, "Claims or manifests stay open: one sweep after the other fails to end them."),
    ):
        register_alarm(what, scope, metric, threshold, says, RUNBOOK, opts)
    unwritten = builder.log_metric("manifest-record", UNWRITTEN, opts)
    sweeper.log_metric("manifest-record-swept", UNWRITTEN, opts, metric_name=unwritten.name)  # it makes manifests too
    says = "A workflow was started whose MANIFEST record could not be written; the workflow writes it itself."
    register_alarm("manifest-record", scope, unwritten, 1, says, RUNBOOK, opts, comparison=Comparison.AT_LEAST)

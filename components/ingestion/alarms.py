"""Alarms for files that are late or stuck. Each component in `components/blocks` registers the general alarms for its
own resource, for example for errors of a function.

A manifest is a list of files for one run of Spark. The manifest builder is the function that creates manifests: it
claims (reserves) files, starts a workflow, and writes a record of the manifest into the file table. Some alarms read
log lines of the sweeper, a scheduled function. The sweeper creates manifests, too. It also releases claims that no
workflow will use, and records the end of a manifest if its workflow has ended without recording it.
"""

import pulumi

from components.blocks.compute.function import Function
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import AlarmGroup, Comparison, Metric, three_sweeps_seconds
from components.blocks.naming.subsystem_scope import Scope
from components.settings import IngestionSettings

DURATION_SHARE = 0.8
"""Share of the manifest builder's timeout. If invocations need more (95th percentile), an alarm is raised, before
Lambda stops an invocation."""
OLDEST_MESSAGE_SECONDS = 1_800
"""Maximum age of the oldest message in the intake queue. Above it, an alarm is raised."""
OLDEST_PENDING_SECONDS = 7_200
"""Maximum age of the oldest file that waits for a run of Spark. Above it, an alarm is raised."""
RUNBOOK = "ingestion"
SWEEP_PATTERN = '{ $.message = "sweep" }'
RECORD_FAILED_PATTERN = '{ $.message = "manifest_record_failed" }'


def register_alarms(
    scope: Scope,
    settings: IngestionSettings,
    intake: Queue,
    builder: Function,
    sweeper: Function,
    opts: pulumi.ResourceOptions,
) -> None:
    alarms = AlarmGroup(scope, RUNBOOK, opts)
    max_milliseconds = settings.builder.timeout_seconds * 1000 * DURATION_SHARE
    message_age = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": intake.name}, "Maximum")
    pending_age = sweeper.log_metric(
        "oldest-pending", SWEEP_PATTERN, opts, value="$.oldest_pending_seconds", statistic="Maximum", period_seconds=900
    )
    period = three_sweeps_seconds(settings.manifests.sweep_minutes)
    # The minimum over three sweeps is above 0 only if each of the three failed to release or end a claim or manifest.
    failed_checks = sweeper.log_metric(
        "unsettled", SWEEP_PATTERN, opts, value="$.failed", statistic="Minimum", period_seconds=period
    )
    duration = builder.metric("Duration", "p95")
    alarms.register("builder-duration", duration, max_milliseconds, "The manifest builder needs most of its timeout.")
    alarms.register(
        "oldest-message", message_age, OLDEST_MESSAGE_SECONDS, "Messages about new files wait in the queue."
    )
    alarms.register("oldest-pending", pending_age, OLDEST_PENDING_SECONDS, "A tracked file waits for a run.")
    alarms.register(
        "unsettled", failed_checks, 0, "Several sweeps in a row have failed to end open claims or manifests."
    )
    record_failures = builder.log_metric("manifest-record", RECORD_FAILED_PATTERN, opts)
    # The sweeper writes manifest records, too, so it adds to the same metric.
    sweeper.log_metric("manifest-record-swept", RECORD_FAILED_PATTERN, opts, metric_name=record_failures.name)
    # A single failure does no harm, because the workflow then writes the record itself. If the alarm lasts longer than
    # five minutes, the cause is a table that refuses writes.
    problem = (
        "A workflow was started, but its manifest record could not be written. If this recurs, the cause is a table "
        "that refuses writes."
    )
    alarms.register("manifest-record", record_failures, 1, problem, comparison=Comparison.AT_LEAST)

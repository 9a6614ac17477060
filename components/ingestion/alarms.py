"""Alarms for files that are late or stuck. Each block creates the general alarms for its own resource, for example for
errors of a function.

A manifest is a list of files for one run of Spark. The manifest builder is the function that creates manifests: it
starts a workflow, writes a record of the manifest into the file table, and takes the files. Some alarms read log lines
of the sweeper, a scheduled function. The sweeper creates manifests, too. It also records the end of a manifest if its
workflow has ended without recording it.
"""

from components.blocks.alarm import Metric, create_alarm
from components.blocks.function import Function
from components.blocks.queue import Queue
from components.core import Scope
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
"""Log line of a sweep. It has the age of the oldest waiting file, and the number of manifests whose end could not be
checked and recorded (`failed`)."""
RECORD_FAILED_PATTERN = '{ $.message = "manifest_record_failed" }'
"""Log line of a function that has started a workflow, but could not write the manifest's record."""


def create_alarms(
    scope: Scope, settings: IngestionSettings, intake: Queue, builder: Function, sweeper: Function
) -> None:
    message_age = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": intake.name}, "Maximum")
    pending_age = sweeper.log_metric(
        "oldest-pending", SWEEP_PATTERN, value="$.oldest_pending_seconds", statistic="Maximum", period_seconds=900
    )
    # One sweep may fail because a call was throttled. The minimum over three sweeps is above 0 only if all three failed.
    period = 3 * settings.manifests.sweep_minutes * 60
    unended_manifests = sweeper.log_metric(
        "unsettled", SWEEP_PATTERN, value="$.failed", statistic="Minimum", period_seconds=period
    )
    record_failures = builder.log_metric("manifest-record", RECORD_FAILED_PATTERN)
    # The sweeper writes manifest records, too, so it adds to the same metric.
    sweeper.log_metric("manifest-record-swept", RECORD_FAILED_PATTERN, metric_name=record_failures.name)
    # A single failure does no harm, because the workflow then writes the record itself. If the alarm lasts longer than
    # five minutes, the cause is a table that refuses writes.
    record_problem = (
        "A workflow was started, but its manifest record could not be written. If this recurs, the cause is a table that "
        "refuses writes."
    )
    duration = builder.metric("Duration", "p95")
    max_milliseconds = settings.manifest_builder.timeout_seconds * 1000 * DURATION_SHARE
    unsettled_problem = "Several sweeps in a row have failed to end manifests whose execution has ended."
    for name, metric, threshold, problem in (
        ("builder-duration", duration, max_milliseconds, "The manifest builder needs most of its timeout."),
        ("oldest-message", message_age, OLDEST_MESSAGE_SECONDS, "Messages about new files wait in the queue."),
        ("oldest-pending", pending_age, OLDEST_PENDING_SECONDS, "A tracked file waits for a run."),
        ("unsettled", unended_manifests, 0, unsettled_problem),
        ("manifest-record", record_failures, 0, record_problem),
    ):
        create_alarm(scope, name, metric, threshold, problem, runbook=RUNBOOK)

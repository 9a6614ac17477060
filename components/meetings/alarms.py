"""Alarms of the meetings backend. Every component in `components/blocks` creates its own alarms in
addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import Function
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity, three_sweeps_seconds
from components.blocks.naming.subsystem_scope import Scope
from components.meetings.usage_estimate import SWEEP_MINUTES
from components.settings import MeetingsSettings
from handlers.meetings.meeting_record import MeetingReason
from handlers.meetings.metrics import (
    NAMESPACE,
    PROCESSING_DURATION,
    STACK,
)

RUNBOOK = "meetings-late"
SPOT_RUNBOOK = "spot-interruptions"
MODEL_RUNBOOK = "models-refuse"
MODEL_ERRORS = ("ModelRefused", "SummaryUnusable")
"""Errors of a model after which the workflow gives up the summary. The only error of a model that the workflow retries
is `ModelBusy`."""
MISSED_RECORDING_EVENTS = ("recording_unheard", "recording_unattended", "recordings_unchecked")
"""Log events of the function `storage`, which also searches for recordings whose S3 event was lost. The events mean, in
this order: the function found such a recording, could not start the processing of one, or did not finish the search.
"""
SWEEP_REPORT_PATTERN = '{ $.message = "meeting_sweep" }'
"""Log filter for the report of a sweep, which ends or restarts meetings that make no progress."""
HOUR_SECONDS = 3600
MAX_INTERRUPTIONS_PER_HOUR = 5
"""An alarm is raised if there are more Spot interruptions than this in an hour."""
MAX_QUEUE_SECONDS = 1_800
"""Maximum age of the oldest message about an upload. Above it, an alarm is raised."""
MAX_BUSY_FAILURES = 20
"""Number of calls of the summary function that may fail in five minutes because a model is busy. The workflow retries
them."""


@dataclass(frozen=True)
class MeetingAlarmsArgs:
    """Resources of the backend that the alarms cover."""

    scope: Scope
    settings: MeetingsSettings
    uploads: Queue
    functions: Mapping[str, Function]
    """The backend's functions by their purpose (`Meetings.functions`)."""


def create_alarms(args: MeetingAlarmsArgs, opts: pulumi.ResourceOptions) -> None:
    meeting_alarms, model_alarms, spot_alarms = (
        AlarmGroup(args.scope, runbook, opts) for runbook in (RUNBOOK, MODEL_RUNBOOK, SPOT_RUNBOOK)
    )
    steps, summarize, sweep = (args.functions[function_name] for function_name in ("steps", "summarize", "sweep"))
    # NEVER_COMPLETE is excluded: the client did not upload all files of the recording, so nothing is wrong with the
    # backend.
    given_up_pattern = f'{{ $.message = "meeting_given_up" && $.code != "{MeetingReason.NEVER_COMPLETE}" }}'
    media_failed_pattern = '{ $.message = "meeting_failed" && $.code = "MEDIA_FAILED" }'
    given_up = "Meetings failed because their executions ended without a report."
    for name, function, pattern, problem in (
        ("meetings-failed", steps, '{ $.message = "meeting_failed" }', "Meetings could not be processed."),
        ("media-failed", steps, media_failed_pattern, "The media job could not process a recording."),
        ("meetings-given-up", sweep, given_up_pattern, given_up),
    ):
        function.alarm_on_log_lines(name, pattern, problem, meeting_alarms, severity=Severity.CRITICAL)
    period = three_sweeps_seconds(SWEEP_MINUTES)
    for name, value, problem in (
        ("meetings-unattended", "$.failed", "Consecutive sweeps fail to check meetings."),
        ("sweep-unfinished", "$.unfinished", "Consecutive sweeps do not finish in time."),
    ):
        failures = sweep.log_metric(
            name, SWEEP_REPORT_PATTERN, opts, value=value, statistic="Minimum", period_seconds=period
        )
        meeting_alarms.register(name, failures, 0, problem)
    interruptions = steps.log_metric(
        "spot-interruptions", '{ $.message = "media_read" }', opts, value="$.interruptions", period_seconds=HOUR_SECONDS
    )
    spot_alarms.register(
        "spot-interruptions", interruptions, MAX_INTERRUPTIONS_PER_HOUR, "Spot capacity is interrupted often."
    )
    meeting_alarms.register(
        "processing-late",
        _meeting_metric(args, PROCESSING_DURATION, "p95"),
        args.settings.processing.alarm_minutes * 60,
        "Meetings take too long from the upload to the summary.",
    )
    message_age = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": args.uploads.name}, "Maximum")
    meeting_alarms.register("uploads-waiting", message_age, MAX_QUEUE_SECONDS, "Events of uploads wait in the queue.")
    model_error_filter = " || ".join(f'$.error_type = "{error_type}"' for error_type in MODEL_ERRORS)
    missed_recording_filter = " || ".join(f'$.message = "{event}"' for event in MISSED_RECORDING_EVENTS)
    summarize.alarm_on_log_lines(
        "model-throttles",
        '{ $.message = "summary_failed" && $.error_type = "ModelBusy" }',
        "A model is busy, so summaries are delayed.",
        model_alarms,
        threshold=MAX_BUSY_FAILURES,
    )
    summarize.alarm_on_log_lines(
        "model-errors",
        f'{{ $.message = "summary_failed" && ({model_error_filter}) }}',
        "A model refuses to write a summary.",
        model_alarms,
    )
    args.functions["storage"].alarm_on_log_lines(
        "recordings-unheard",
        f"{{ {missed_recording_filter} }}",
        "Events of complete recordings were lost, or the daily check for them did not finish.",
        meeting_alarms,
    )


def _meeting_metric(args: MeetingAlarmsArgs, name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, {STACK: args.scope.context.stack_label}, statistic)

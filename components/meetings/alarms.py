"""Alarms of the meetings backend. Every component in `components/blocks` creates its own alarms in
addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.compute.function import Function
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.workflow.workflow import Workflow
from components.settings import MeetingsSettings
from handlers.meetings.metrics import (
    NAMESPACE,
    PROCESSING_DURATION,
    STACK,
)

RUNBOOK = "meetings"
MODEL_ERRORS = ("ModelRefused", "SummaryUnusable")
"""Errors of a model after which the workflow gives up the summary. The only error of a model that the workflow retries
is `ModelBusy`."""
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
    workflow: Workflow
    functions: Mapping[str, Function]
    """The backend's functions by their purpose (`Meetings.functions`)."""


def create_alarms(args: MeetingAlarmsArgs, opts: pulumi.ResourceOptions) -> None:
    meeting_alarms = AlarmGroup(args.scope, RUNBOOK, opts)
    steps, summarize = (args.functions[function_name] for function_name in ("steps", "summarize"))
    media_failed_pattern = '{ $.message = "meeting_failed" && $.code = "MEDIA_FAILED" }'
    for name, pattern, problem in (
        ("meetings-failed", '{ $.message = "meeting_failed" }', "Meetings could not be processed."),
        ("media-failed", media_failed_pattern, "The media job could not process a recording."),
    ):
        steps.alarm_on_log_lines(name, pattern, problem, meeting_alarms, severity=Severity.CRITICAL)
    # An aborted execution cannot report to its meeting, which stays in progress until `complete.json` is uploaded again.
    # The alarms on executions that fail or time out belong to the workflow's component.
    meeting_alarms.register(
        "executions-aborted",
        Metric("AWS/States", "ExecutionsAborted", {"StateMachineArn": args.workflow.arn}),
        0,
        "Executions were aborted, so their meetings stay in progress.",
        severity=Severity.CRITICAL,
    )
    interruptions = steps.log_metric(
        "spot-interruptions", '{ $.message = "media_read" }', opts, value="$.interruptions", period_seconds=HOUR_SECONDS
    )
    meeting_alarms.register(
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
    summarize.alarm_on_log_lines(
        "model-throttles",
        '{ $.message = "summary_failed" && $.error_type = "ModelBusy" }',
        "A model is busy, so summaries are delayed.",
        meeting_alarms,
        threshold=MAX_BUSY_FAILURES,
    )
    summarize.alarm_on_log_lines(
        "model-errors",
        f'{{ $.message = "summary_failed" && ({model_error_filter}) }}',
        "A model refuses to write a summary.",
        meeting_alarms,
    )


def _meeting_metric(args: MeetingAlarmsArgs, name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, {STACK: args.scope.context.stack_label}, statistic)

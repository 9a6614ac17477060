"""Alarms of the meetings backend. Every block in `components/blocks` creates its own alarms in addition.

The function `start` starts a workflow for each uploaded recording. The workflow calls the function `steps`, which
updates the meeting and logs a failure, and the function `bedrock-summarize`, which writes the summary.
"""

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.function import Function
from components.blocks.queue import Queue
from components.blocks.workflow import Workflow
from components.core import Scope
from components.settings import MeetingsSettings
from handlers.meetings.bedrock_summarize.models import SummaryFailed
from handlers.meetings.metrics import NAMESPACE, PROCESSING_DURATION, STACK

RUNBOOK = "meetings"
HOUR_SECONDS = 3600
MAX_INTERRUPTIONS_PER_HOUR = 5
"""An alarm is raised if there are more Spot interruptions than this in an hour."""
MAX_QUEUE_SECONDS = 1_800
"""Maximum age of the oldest message about an upload. Above it, an alarm is raised."""


def create_alarms(
    scope: Scope, settings: MeetingsSettings, uploads: Queue, workflow: Workflow, steps: Function, summarize: Function
) -> None:
    failed, media_problem = '$.message = "meeting_failed"', "The media job could not process a recording."
    for name, pattern, problem in (
        ("meetings-failed", f"{{ {failed} }}", "Meetings could not be processed."),
        ("media-failed", f'{{ {failed} && $.code = "MEDIA_FAILED" }}', media_problem),
    ):
        steps.alarm_on_log_lines(name, pattern, problem, runbook=RUNBOOK, severity=Severity.CRITICAL)
    # An aborted execution cannot report to its meeting, which stays in progress until `complete.json` is uploaded again.
    # The alarms on executions that fail or time out belong to the workflow's component.
    create_alarm(
        scope,
        "executions-aborted",
        Metric("AWS/States", "ExecutionsAborted", {"StateMachineArn": workflow.arn}),
        threshold=0,
        problem="Executions were aborted, so their meetings stay in progress.",
        runbook=RUNBOOK,
        severity=Severity.CRITICAL,
    )
    interruptions = steps.log_metric(
        "spot-interruptions", '{ $.message = "media_read" }', value="$.interruptions", period_seconds=HOUR_SECONDS
    )
    duration = Metric(NAMESPACE, PROCESSING_DURATION, {STACK: scope.context.stack_label}, "p95")
    message_age = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": uploads.name}, "Maximum")
    late_seconds = settings.processing.alarm_minutes * 60
    for name, metric, threshold, problem in (
        ("spot-interruptions", interruptions, MAX_INTERRUPTIONS_PER_HOUR, "Spot capacity is interrupted often."),
        ("processing-late", duration, late_seconds, "Meetings take too long from the upload to the summary."),
        ("uploads-waiting", message_age, MAX_QUEUE_SECONDS, "Events of uploads wait in the queue."),
    ):
        create_alarm(scope, name, metric, threshold, problem, runbook=RUNBOOK)
    # The function also fails if a model is busy, but the workflow retries that. The alarm on its errors counts it.
    summarize.alarm_on_log_lines(
        "model-errors",
        f'{{ $.message = "summary_failed" && $.error_type = "{SummaryFailed.__name__}" }}',
        "A summary cannot be written.",
        runbook=RUNBOOK,
    )

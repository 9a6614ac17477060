"""What rings when meetings fail, wait or take long, beside what every block watches of itself; and what is charted."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.api.rest_api import RestApi
from components.blocks.compute.function import Function, sweep_after_sweep
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import Metric, Severity, alarm
from components.blocks.monitoring.dashboard import Chart, duration_chart, function_chart, queue_chart, table_chart
from components.blocks.naming.scope import Scope
from components.blocks.storage.bucket import EVERYTHING, Bucket
from components.blocks.storage.table import Table
from components.blocks.workflow.workflow import Workflow
from components.meetings.usage import SWEEP_MINUTES
from components.settings import MeetingsSettings
from handlers.meetings.meeting_record import MeetingReason
from handlers.meetings.metrics import (
    FFMPEG_RATIO,
    INPUT_TOKENS,
    NAMESPACE,
    OUTPUT_TOKENS,
    PROCESSING_DURATION,
    STACK,
    STORAGE_GROWTH,
)

RUNBOOK = "meetings-late"
SPOT_RUNBOOK = "spot-interruptions"
MODEL_RUNBOOK = "models-refuse"
MODEL_ERRORS = ("ModelRefused", "SummaryUnusable")
"""What ends a summary for good on the model's side; `ModelBusy` is tried again by the workflow."""
MISSED_RECORDING_EVENTS = ("recording_unheard", "recording_unattended", "recordings_unchecked")
"""What the daily look at all recordings writes: of one whose event was lost, that could not be begun, that it did not get to."""
SWEEP_REPORT_PATTERN = '{ $.message = "meeting_sweep" }'
HOUR = 3600
MAX_INTERRUPTIONS_PER_HOUR = 5
MAX_QUEUE_SECONDS = 1_800
"""Of a message that announces an upload."""
MAX_BUSY_ANSWERS = 20
"""Summaries that a busy model may put off in five minutes: the workflow asks again."""


@dataclass(frozen=True)
class MeetingAlarmsArgs:
    """What is watched."""

    scope: Scope
    settings: MeetingsSettings
    table: Table
    bucket: Bucket
    uploads: Queue
    workflow: Workflow
    api: RestApi
    functions: Mapping[str, Function]


def create_alarms(args: MeetingAlarmsArgs, opts: pulumi.ResourceOptions) -> None:
    """Register the meetings' own alarms."""
    scope, critical = args.scope, Severity.CRITICAL
    steps, summarize, sweep = (args.functions[function_name] for function_name in ("steps", "summarize", "sweep"))
    # Chunks that never come are the user's to send, and nothing is broken.
    given_up = f'{{ $.message = "meeting_given_up" && $.code != "{MeetingReason.NEVER_COMPLETE}" }}'
    for what, function, pattern, says in (
        ("meetings-failed", steps, '{ $.message = "meeting_failed" }', "Meetings could not be processed."),
        (
            "media-failed",
            steps,
            '{ $.message = "meeting_failed" && $.code = "MEDIA_FAILED" }',
            "The job could not put a recording together.",
        ),
        ("meetings-given-up", sweep, given_up, "Meetings whose executions ended without a word were given up."),
    ):
        function.alarm_on_lines(what, pattern, says, RUNBOOK, opts, severity=critical)
    period = sweep_after_sweep(SWEEP_MINUTES)
    for what, value, says in (
        ("meetings-unattended", "$.failed", "One sweep after the other fails to look after meetings."),
        ("sweep-unfinished", "$.unfinished", "One sweep after the other does not get through."),
    ):
        swept = sweep.logged(what, SWEEP_REPORT_PATTERN, opts, value=value, statistic="Minimum", period_seconds=period)
        alarm(what, scope, swept, 0, says, RUNBOOK, opts)
    interrupted = steps.logged(
        "spot-interruptions", '{ $.message = "media_read" }', opts, value="$.interruptions", period_seconds=HOUR
    )
    for what, metric, threshold, says, runbook in (
        (
            "processing-late",
            _meeting_metric(args, PROCESSING_DURATION, "p95"),
            args.settings.processing.alarm_minutes * 60,
            "Meetings take longer than they should from recording to summary.",
            RUNBOOK,
        ),
        (
            "spot-interruptions",
            interrupted,
            MAX_INTERRUPTIONS_PER_HOUR,
            "Spare machines are taken back often.",
            SPOT_RUNBOOK,
        ),
        (
            "uploads-waiting",
            Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": args.uploads.name}, "Maximum"),
            MAX_QUEUE_SECONDS,
            "News of uploads waits.",
            RUNBOOK,
        ),
    ):
        alarm(what, scope, metric, threshold, says, runbook, opts)
    refusals = " || ".join(f'$.error_type = "{error_type}"' for error_type in MODEL_ERRORS)
    missed = " || ".join(f'$.message = "{event}"' for event in MISSED_RECORDING_EVENTS)
    for what, function, pattern, threshold, says, runbook in (
        (
            "model-throttles",
            summarize,
            '{ $.message = "summary_failed" && $.error_type = "ModelBusy" }',
            MAX_BUSY_ANSWERS,
            "A model puts summaries off.",
            MODEL_RUNBOOK,
        ),
        (
            "model-errors",
            summarize,
            f'{{ $.message = "summary_failed" && ({refusals}) }}',
            0,
            "A model gives no summary.",
            MODEL_RUNBOOK,
        ),
        (
            "recordings-unheard",
            args.functions["storage"],
            f"{{ {missed} }}",
            0,
            "Whole recordings lay there and nobody was told, or nobody looked.",
            RUNBOOK,
        ),
    ):
        function.alarm_on_lines(what, pattern, says, runbook, opts, threshold=threshold)


def dashboard_charts(args: MeetingAlarmsArgs) -> list[list[Chart]]:
    """The four metrics, what storage, table and traces take, and the functions."""
    named: dict[str, pulumi.Input[str]] = {"BucketName": args.bucket.name, "FilterId": EVERYTHING}
    return [
        [
            Chart(
                "from recording to summary, in seconds",
                [_meeting_metric(args, PROCESSING_DURATION, s) for s in ("p50", "p95")],
            ),
            Chart(
                "tokens of a summary",
                [_meeting_metric(args, name, "Average") for name in (INPUT_TOKENS, OUTPUT_TOKENS)],
            ),
        ],
        [
            Chart("growth of storage, in bytes", [_meeting_metric(args, STORAGE_GROWTH, "Sum")]),
            Chart(
                "ffmpeg's seconds for a second of recording",
                [_meeting_metric(args, FFMPEG_RATIO, s) for s in ("p50", "p95")],
            ),
        ],
        [
            Chart(
                "S3's first byte, in milliseconds",
                [Metric("AWS/S3", "FirstByteLatency", named, s) for s in ("p50", "p95")],
            ),
            table_chart(args.table),
            Chart(
                "the table's latency, in milliseconds",
                [
                    Metric(
                        "AWS/DynamoDB",
                        "SuccessfulRequestLatency",
                        {"TableName": args.table.name, "Operation": operation},
                        "Average",
                    )
                    for operation in ("GetItem", "Query", "TransactWriteItems")
                ],
            ),
        ],
        # X-Ray gives CloudWatch the number of a group's traces, and no metric of how long they take. Whoever begins a trace
        # measures the same time, and of every request instead of the share that is traced.
        [
            Chart(
                "what a trace of an execution takes, in milliseconds, as Step Functions measures it",
                [
                    Metric("AWS/States", "ExecutionTime", {"StateMachineArn": args.workflow.arn}, s)
                    for s in ("p50", "p95")
                ],
            ),
            Chart(
                "what a trace of an exchange takes, in milliseconds, as API Gateway measures it",
                [Metric("AWS/ApiGateway", "Latency", args.api.dimensions, s) for s in ("p50", "p95")],
            ),
        ],
        [
            Chart(
                "executions",
                [
                    Metric("AWS/States", name, {"StateMachineArn": args.workflow.arn})
                    for name in ("ExecutionsSucceeded", "ExecutionsFailed", "ExecutionsTimedOut")
                ],
            ),
            queue_chart(args.uploads),
        ],
        *([function_chart(function), duration_chart(function)] for function in args.functions.values()),
    ]


def _meeting_metric(args: MeetingAlarmsArgs, name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, {STACK: args.scope.context.stack_label}, statistic)

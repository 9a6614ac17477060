"""Alarms and dashboard of the meetings backend. Every component in `components/blocks` creates its own alarms in
addition.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.api.rest_api import RestApi
from components.blocks.compute.function import Function
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity, three_sweeps_seconds
from components.blocks.monitoring.dashboard import Chart, duration_chart, function_chart, queue_chart, table_chart
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import ENTIRE_BUCKET, Bucket
from components.blocks.storage.table import Table
from components.blocks.workflow.workflow import Workflow
from components.meetings.usage_estimate import SWEEP_MINUTES
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

RUNBOOK = "meetings"
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
    """Resources of the backend that the alarms and the dashboard cover."""

    scope: Scope
    settings: MeetingsSettings
    table: Table
    bucket: Bucket
    uploads: Queue
    workflow: Workflow
    api: RestApi
    functions: Mapping[str, Function]
    """The backend's functions by their purpose (`Meetings.functions`)."""


def create_alarms(args: MeetingAlarmsArgs, opts: pulumi.ResourceOptions) -> None:
    meeting_alarms = AlarmGroup(args.scope, RUNBOOK, opts)
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
    missed_recording_filter = " || ".join(f'$.message = "{event}"' for event in MISSED_RECORDING_EVENTS)
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
    args.functions["storage"].alarm_on_log_lines(
        "recordings-unheard",
        f"{{ {missed_recording_filter} }}",
        "Events of complete recordings were lost, or the daily check for them did not finish.",
        meeting_alarms,
    )


def dashboard_charts(args: MeetingAlarmsArgs) -> list[list[Chart]]:
    """Return the rows of charts: the backend's own metrics, latencies of bucket and table, durations, and the
    functions. The bucket's latency has a chart only if the settings enable the bucket's request metrics.
    """
    return [
        [
            Chart(
                "from upload to summary, in seconds",
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
                "seconds of ffmpeg per second of recording",
                [_meeting_metric(args, FFMPEG_RATIO, s) for s in ("p50", "p95")],
            ),
        ],
        [
            *([_bucket_latency_chart(args)] if args.settings.requests_measured else []),
            table_chart(args.table),
            Chart(
                "latency of the table, in milliseconds",
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
        # The dashboard should show the durations of traces, but X-Ray publishes only their number to CloudWatch. So the
        # dashboard shows the durations that Step Functions and API Gateway, which start the traces, measure for all
        # requests.
        [
            Chart(
                "duration of executions, in milliseconds",
                [
                    Metric("AWS/States", "ExecutionTime", {"StateMachineArn": args.workflow.arn}, s)
                    for s in ("p50", "p95")
                ],
            ),
            Chart(
                "duration of token exchanges, in milliseconds",
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


def _bucket_latency_chart(args: MeetingAlarmsArgs) -> Chart:
    dimensions: dict[str, pulumi.Input[str]] = {"BucketName": args.bucket.name, "FilterId": ENTIRE_BUCKET}
    metrics = [Metric("AWS/S3", "FirstByteLatency", dimensions, s) for s in ("p50", "p95")]
    return Chart("first byte from S3, in milliseconds", metrics)


def _meeting_metric(args: MeetingAlarmsArgs, name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, {STACK: args.scope.context.stack_label}, statistic)

"""What rings when meetings fail, wait or take long, beside what every block watches of itself; and what is charted."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.bucket import EVERYTHING, Bucket
from components.blocks.charts import duration_chart, function_chart, queue_chart, table_chart
from components.blocks.dashboard import Chart
from components.blocks.function import Function
from components.blocks.logged import sweep_after_sweep
from components.blocks.queue import Queue
from components.blocks.rest_api import RestApi
from components.blocks.scope import Scope
from components.blocks.table import Table
from components.blocks.workflow import Workflow
from components.settings import MeetingsSettings
from handlers.meetings.metrics import (
    FFMPEG_RATIO,
    INPUT_TOKENS,
    NAMESPACE,
    OUTPUT_TOKENS,
    PROCESSING_DURATION,
    STACK,
    STORAGE_GROWTH,
)
from handlers.meetings.records import MeetingReason

RUNBOOK = "meetings-late"
SPOT = "spot-interruptions"
MODELS = "models-refuse"
REFUSALS = ("ModelRefused", "SummaryUnusable")
"""What ends a summary for good on the model's side; `ModelBusy` is tried again by the workflow."""
MISSED = ("recording_unheard", "recording_unattended", "recordings_unchecked")
"""What the daily look at all recordings writes: of one whose event was lost, that could not be begun, that it did not get to."""
SWEPT = '{ $.message = "meeting_sweep" }'
HOUR = 3600


@dataclass(frozen=True)
class WatchArgs:
    """What is watched."""

    scope: Scope
    settings: MeetingsSettings
    table: Table
    bucket: Bucket
    uploads: Queue
    workflow: Workflow
    api: RestApi
    functions: Mapping[str, Function]


def watch(args: WatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers the meetings' own alarms."""
    settings = args.settings.alarms
    steps, summarize, sweep = (args.functions[one] for one in ("steps", "summarize", "sweep"))

    def ring(
        what: str,
        metric: Metric,
        above: float,
        says: str,
        runbook: str = RUNBOOK,
        severity: Severity = Severity.WARNING,
    ) -> None:
        alarm(what, AlarmArgs(args.scope, metric, severity, above, says, runbook), opts)

    failed = steps.logged("meetings-failed", '{ $.message = "meeting_failed" }', opts)
    ring(
        "meetings-failed",
        failed,
        settings.failed_meetings_above,
        "Meetings could not be processed.",
        severity=Severity.CRITICAL,
    )
    media = steps.logged("media-failed", '{ $.message = "meeting_failed" && $.code = "MEDIA_FAILED" }', opts)
    ring("media-failed", media, 0, "The job could not put a recording together.", severity=Severity.CRITICAL)
    # Chunks that never come are the user's to send, and nothing is broken.
    given_up = f'{{ $.message = "meeting_given_up" && $.code != "{MeetingReason.NEVER_COMPLETE}" }}'
    ring(
        "meetings-given-up",
        sweep.logged("meetings-given-up", given_up, opts),
        settings.failed_meetings_above,
        "Meetings whose executions ended without a word were given up.",
        severity=Severity.CRITICAL,
    )
    for what, value, says in (
        ("meetings-unattended", "$.failed", "One sweep after the other fails to look after meetings."),
        ("sweep-unfinished", "$.unfinished", "One sweep after the other does not get through."),
    ):
        ring(
            what, sweep.logged(what, SWEPT, opts, **sweep_after_sweep(value, args.settings.care.sweep_minutes)), 0, says
        )
    ring(
        "processing-late",
        _measure(args, PROCESSING_DURATION, "p95"),
        settings.processing_minutes * 60,
        "Meetings take longer than they should from recording to summary.",
    )
    interrupted = steps.logged(
        "spot-interruptions", '{ $.message = "media_read" }', opts, value="$.interruptions", period_seconds=HOUR
    )
    ring(
        "spot-interruptions",
        interrupted,
        settings.interruptions_above,
        "Spare machines are taken back often.",
        runbook=SPOT,
    )
    ring(
        "uploads-waiting",
        Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": args.uploads.name}, "Maximum"),
        settings.queue_minutes * 60,
        "News of uploads waits.",
    )
    busy = summarize.logged("model-throttles", '{ $.message = "summary_failed" && $.error_type = "ModelBusy" }', opts)
    ring("model-throttles", busy, settings.throttles_above, "A model puts summaries off.", runbook=MODELS)
    refusals = " || ".join(f'$.error_type = "{one}"' for one in REFUSALS)
    errors = summarize.logged("model-errors", f'{{ $.message = "summary_failed" && ({refusals}) }}', opts)
    ring("model-errors", errors, 0, "A model gives no summary.", runbook=MODELS)
    missed = " || ".join(f'$.message = "{one}"' for one in MISSED)
    unheard = args.functions["storage"].logged("recordings-unheard", f"{{ {missed} }}", opts)
    ring("recordings-unheard", unheard, 0, "Whole recordings lay there and nobody was told, or nobody looked.")


def charts(args: WatchArgs) -> list[list[Chart]]:
    """The four metrics, what storage, table and traces take, and the functions."""
    named: dict[str, pulumi.Input[str]] = {"BucketName": args.bucket.name, "FilterId": EVERYTHING}
    return [
        [
            Chart(
                "from recording to summary, in seconds",
                [_measure(args, PROCESSING_DURATION, s) for s in ("p50", "p95")],
            ),
            Chart("tokens of a summary", [_measure(args, name, "Average") for name in (INPUT_TOKENS, OUTPUT_TOKENS)]),
        ],
        [
            Chart("growth of storage, in bytes", [_measure(args, STORAGE_GROWTH, "Sum")]),
            Chart(
                "ffmpeg's seconds for a second of recording", [_measure(args, FFMPEG_RATIO, s) for s in ("p50", "p95")]
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
        *([function_chart(one), duration_chart(one)] for one in args.functions.values()),
    ]


def _measure(args: WatchArgs, name: str, statistic: str) -> Metric:
    return Metric(NAMESPACE, name, {STACK: args.scope.context.stack_label}, statistic)

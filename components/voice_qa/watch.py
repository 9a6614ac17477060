"""What rings when answers are late or the platform nears a limit, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.function import LIVE, Function
from components.blocks.logged import LoggedArgs, logged
from components.blocks.scope import Scope
from components.blocks.table import Table
from components.blocks.websocket_api import WebSocketApi
from components.settings import FunctionSettings, VoiceQaSettings

RUNBOOK = "answers-late"
LIMITS = "limits-near"
MISSED = "lectures-missed"


@dataclass(frozen=True)
class WatchArgs:
    """What is watched."""

    scope: Scope
    settings: VoiceQaSettings
    socket: WebSocketApi
    handler: Function
    worker: Function
    validator: Function
    sessions: Table


def watch(args: WatchArgs, opts: pulumi.ResourceOptions) -> None:
    """Registers voice Q&A's own alarms."""
    settings, limits = args.settings, args.settings.alarms
    for what, function, size in (
        ("handler", args.handler, settings.socket_handler),
        ("worker", args.worker, settings.query_worker),
        ("validator", args.validator, settings.validator),
    ):
        _ring(args, f"{what}-duration", _duration(function), _share(size, limits.duration_percent), opts, RUNBOOK)
    latency = logged(
        "answer-milliseconds",
        LoggedArgs(
            args.scope,
            args.worker.log_group,
            '{ $.message = "query_ended" }',
            "$.milliseconds",
            statistic="p95",
        ),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[args.worker])),
    )
    _ring(args, "answer-latency", latency, limits.answer_seconds * 1000, opts, RUNBOOK)
    missed = logged(
        "lectures-missed",
        LoggedArgs(args.scope, args.validator.log_group, '{ $.message = "lecture_sweep" }', "$.missing"),
        pulumi.ResourceOptions.merge(opts, pulumi.ResourceOptions(depends_on=[args.validator])),
    )
    _ring(args, "lectures-missed", missed, 0, opts, MISSED)
    concurrency = limits.account_concurrency * limits.concurrency_percent / 100
    _ring(
        args,
        "concurrency",
        Metric("AWS/Lambda", "ConcurrentExecutions", {}, "Maximum", 60),
        concurrency,
        opts,
        LIMITS,
    )
    for what in ("ReadThrottleEvents", "WriteThrottleEvents"):
        metric = Metric("AWS/DynamoDB", what, {"TableName": args.sessions.name})
        _ring(args, f"table-{what.removesuffix('ThrottleEvents').lower()}-throttles", metric, 0, opts, LIMITS)
    connections = Metric("AWS/ApiGateway", "ConnectCount", args.socket.dimensions, "Sum", 60)
    _ring(args, "connections", connections, limits.connections_per_minute, opts, LIMITS)


SAYS = {
    "answer-latency": "Answers take longer than they should.",
    "concurrency": "The account is near the invocations that it may have at once.",
    "connections": "Unusually many clients connect.",
    "handler-duration": "The socket handler takes most of the time that it has.",
    "lectures-missed": "Lectures were uploaded that nothing announced.",
    "table-read-throttles": "Reads of the sessions table are refused.",
    "table-write-throttles": "Writes to the sessions table are refused.",
    "validator-duration": "Validating lectures takes most of the time that there is.",
    "worker-duration": "The query worker takes most of the time that it has.",
}


def _ring(
    args: WatchArgs, what: str, metric: Metric, threshold: float, opts: pulumi.ResourceOptions, runbook: str
) -> None:
    alarm(
        what,
        AlarmArgs(
            scope=args.scope,
            metric=metric,
            severity=Severity.WARNING,
            threshold=threshold,
            says=SAYS[what],
            runbook=runbook,
        ),
        opts,
    )


def _duration(function: Function) -> Metric:
    return Metric(
        "AWS/Lambda", "Duration", {"FunctionName": function.name, "Resource": f"{function.name}:{LIVE}"}, "p95"
    )


def _share(function: FunctionSettings, percent: int) -> float:
    return function.timeout_seconds * 1000 * percent / 100

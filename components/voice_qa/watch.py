"""What rings when answers are late or none, or the platform nears a limit, beside what every block watches of itself."""

from dataclasses import dataclass

import pulumi

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.function import LIVE, Function
from components.blocks.scope import Scope
from components.blocks.table import Table
from components.blocks.websocket_api import WebSocketApi
from components.settings import VoiceQaSettings
from handlers.voice_qa.agent import AgentCode

RUNBOOK = "answers-late"
LIMITS = "limits-near"
MISSED = "lectures-missed"
SOCKETS = "websocket-errors"
THE_AGENTS = " || ".join(f'$.cause = "{one}"' for one in AgentCode if one is not AgentCode.REJECTED)
"""Why an answer fails on the agent's side; other causes are a guest's own, as audio that is not there, or that nobody can
understand."""


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
    for what, function, seconds in (
        ("handler", args.handler, settings.socket_handler.timeout_seconds),
        # An answer is cut off at its own limit, long before the worker's time is over.
        ("worker", args.worker, settings.agentcore.answer_seconds),
        ("validator", args.validator, settings.validator.timeout_seconds),
    ):
        longest = seconds * 1000 * limits.duration_percent / 100
        _ring(args, f"{what}-duration", _duration(function), longest, opts, RUNBOOK)
    ended = '$.message = "query_ended"'
    latency = args.worker.logged("answer-milliseconds", f"{{ {ended} }}", opts, value="$.milliseconds", statistic="p95")
    _ring(args, "answer-latency", latency, limits.answer_seconds * 1000, opts, RUNBOOK)
    failed = f'{{ {ended} && $.outcome = "failed" && ({THE_AGENTS}) }}'
    failures = args.worker.logged("answers-failed", failed, opts)
    _ring(args, "answers-failed", failures, limits.failed_answers_above, opts, RUNBOOK)
    unheard = args.worker.logged("answers-unheard", '{ $.message = "piece_not_posted" }', opts)
    _ring(args, "answers-unheard", unheard, limits.failed_posts_above, opts, RUNBOOK, Severity.CRITICAL)
    # API Gateway gets an answer all the same, so that neither it nor Lambda counts these as errors.
    ours = " || ".join(f'$.message = "{one}"' for one in ("message_failed", "worker_not_called"))
    messages = args.handler.logged("messages-failed", f"{{ {ours} }}", opts)
    _ring(args, "messages-failed", messages, 0, opts, SOCKETS, Severity.CRITICAL)
    missed = args.validator.logged("lectures-missed", '{ $.message = "lecture_sweep" }', opts, value="$.missing")
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
    "answers-failed": "The agent fails to answer questions.",
    "answers-unheard": "Connected clients cannot be sent their answers.",
    "concurrency": "The account is near the invocations that it may have at once.",
    "connections": "Unusually many clients connect.",
    "handler-duration": "The socket handler takes most of the time that it has.",
    "lectures-missed": "Lectures were uploaded that nothing announced, or where none are looked for.",
    "messages-failed": "The socket handler fails at messages, or cannot call a worker.",
    "table-read-throttles": "Reads of the sessions table are refused.",
    "table-write-throttles": "Writes to the sessions table are refused.",
    "validator-duration": "Validating lectures takes most of the time that there is.",
    "worker-duration": "Answers take most of the time that they have.",
}


def _ring(
    args: WatchArgs,
    what: str,
    metric: Metric,
    threshold: float,
    opts: pulumi.ResourceOptions,
    runbook: str,
    severity: Severity = Severity.WARNING,
) -> None:
    alarm(
        what,
        AlarmArgs(
            scope=args.scope,
            metric=metric,
            severity=severity,
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

"""What rings when answers are late or none, or the platform nears a limit, beside what every block watches of itself."""

import pulumi

from components.blocks.api.websocket_api import WebSocketApi
from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import Metric, Severity, register_alarm
from components.blocks.naming.scope import Scope
from components.blocks.storage.table import Table
from components.settings import VoiceQaSettings
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode

DURATION_PERCENT = 80
"""Share of its time that a function takes, and the query worker of `agentcore.answerSeconds`."""
CONCURRENCY_PERCENT = 80
CONNECTIONS_PER_MINUTE = 500
UNSENT_POSTS = 2
"""Of an answer that nobody hears, at least three messages cannot be sent."""
ANSWERS, LIMITS, LECTURES, SOCKETS = "answers-late", "limits-near", "lectures-missed", "websocket-errors"
"""The runbooks."""
ENDED = '$.message = "query_ended"'
THE_AGENTS = " || ".join(f'$.cause = "{one}"' for one in AgentCode if one is not AgentCode.REJECTED)
"""Why an answer fails on the agent's side; other causes are a guest's own, as audio that is not there, or that nobody can
understand."""
FAILED = " || ".join(f'$.message = "{one}"' for one in ("message_failed", "worker_not_called"))
"""API Gateway gets an answer all the same, so that neither it nor Lambda counts these as errors."""


def watch(
    scope: Scope,
    settings: VoiceQaSettings,
    socket: WebSocketApi,
    handler: Function,
    worker: Function,
    validator: Function,
    sessions: Table,
    opts: pulumi.ResourceOptions,
) -> None:
    """Register voice Q&A's own alarms."""
    limits = settings.alarms
    for what, function, seconds, says in (
        (
            "handler",
            handler,
            settings.socket_handler.timeout_seconds,
            "The socket handler takes most of the time that it has.",
        ),
        # An answer is cut off at its own limit, long before the worker's time is over.
        ("worker", worker, settings.agentcore.answer_seconds, "Answers take most of the time that they have."),
        (
            "validator",
            validator,
            settings.validator.timeout_seconds,
            "Validating lectures takes most of the time that there is.",
        ),
    ):
        longest = seconds * 1000 * DURATION_PERCENT / 100
        register_alarm(f"{what}-duration", scope, function.metric("Duration", "p95"), longest, says, ANSWERS, opts)
    took = worker.log_metric("answer-milliseconds", f"{{ {ENDED} }}", opts, value="$.milliseconds", statistic="p95")
    late = "Answers take longer than they should."
    register_alarm("answer-latency", scope, took, limits.answer_seconds * 1000, late, ANSWERS, opts)
    worker.alarm_on_log_lines(
        "answers-failed",
        f'{{ {ENDED} && $.outcome = "failed" && ({THE_AGENTS}) }}',
        "The agent fails to answer questions.",
        ANSWERS,
        opts,
    )
    worker.alarm_on_log_lines(
        "answers-unheard",
        '{ $.message = "piece_not_posted" }',
        "Connected clients cannot be sent their answers.",
        ANSWERS,
        opts,
        threshold=UNSENT_POSTS,
        severity=Severity.CRITICAL,
    )
    handler.alarm_on_log_lines(
        "messages-failed",
        f"{{ {FAILED} }}",
        "The socket handler fails at messages, or cannot call a worker.",
        SOCKETS,
        opts,
        severity=Severity.CRITICAL,
    )
    validator.alarm_on_log_lines(
        "lectures-missed",
        '{ $.message = "lecture_sweep" }',
        "Lectures were uploaded that nothing announced, or where none are looked for.",
        LECTURES,
        opts,
        value="$.missing",
    )
    table: dict[str, pulumi.Input[str]] = {"TableName": sessions.name}
    for what, metric, threshold, says in (
        (
            "concurrency",
            Metric("AWS/Lambda", "ConcurrentExecutions", {}, "Maximum", 60),
            limits.account_concurrency * CONCURRENCY_PERCENT / 100,
            "The account is near the invocations that it may have at once.",
        ),
        (
            "table-read-throttles",
            Metric("AWS/DynamoDB", "ReadThrottleEvents", table),
            0,
            "Reads of the sessions table are refused.",
        ),
        (
            "table-write-throttles",
            Metric("AWS/DynamoDB", "WriteThrottleEvents", table),
            0,
            "Writes to the sessions table are refused.",
        ),
        (
            "connections",
            Metric("AWS/ApiGateway", "ConnectCount", socket.dimensions, "Sum", 60),
            CONNECTIONS_PER_MINUTE,
            "Unusually many clients connect.",
        ),
    ):
        register_alarm(what, scope, metric, threshold, says, LIMITS, opts)

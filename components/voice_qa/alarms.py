"""Alarms of voice Q&A: for answers that are late or missing, and limits that are almost reached.

The WebSocket handler is the function that receives the messages of clients. The query worker gets a question answered
by the agent, an external service. The lecture validator checks uploaded lectures. Every block in `components/blocks`
creates its own alarms in addition.
"""

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.function import Function
from components.blocks.table import Table
from components.blocks.websocket_api import WebSocketApi
from components.core import Scope
from components.settings import VoiceQaSettings
from handlers.voice_qa.environment import AgentCode

DURATION_PERCENT = 80
"""Percentage of a function's timeout. If invocations need more (95th percentile), an alarm is raised. For the query
worker, it is the percentage of the time limit of an answer (`agentcore.answerSeconds`), which is shorter."""
CONCURRENCY_PERCENT = 80
"""Percentage of the concurrent Lambda invocations that the account may have. If more are used, an alarm is raised."""
CONNECTIONS_PER_MINUTE = 500
"""An alarm is raised if more new connections than this are opened in a minute."""
MAX_FAILED_POSTS = 2
"""An alarm is raised if more messages than this could not be posted to connected clients in five minutes. An answer has
at least three messages, so a single client that receives nothing raises the alarm."""
RUNBOOK = "voice-qa"
QUERY_ENDED = '$.message = "query_ended"'
AGENT_FAILURES = " || ".join(f'$.cause = "{code}"' for code in AgentCode if code is not AgentCode.REJECTED)
"""Log filter for questions that failed because of the agent. Other causes are faults of the user, such as missing or
unintelligible audio, or a question that the agent does not accept (REJECTED)."""


def create_alarms(
    scope: Scope,
    settings: VoiceQaSettings,
    socket: WebSocketApi,
    handler: Function,
    worker: Function,
    validator: Function,
    sessions: Table,
) -> None:
    is_slow = "uses most of its timeout."
    for name, function, max_seconds, problem in (
        ("handler", handler, settings.websocket_handler.timeout_seconds, f"The WebSocket handler {is_slow}"),
        ("worker", worker, settings.agentcore.answer_seconds, "Answers use most of their time limit."),
        ("validator", validator, settings.validate_lecture.timeout_seconds, f"The validation of lectures {is_slow}"),
    ):
        threshold_ms = max_seconds * 1000 * DURATION_PERCENT / 100
        duration = function.metric("Duration", "p95")
        create_alarm(scope, f"{name}-duration", duration, threshold=threshold_ms, problem=problem, runbook=RUNBOOK)
    latency = worker.log_metric("answer-milliseconds", f"{{ {QUERY_ENDED} }}", value="$.milliseconds", statistic="p95")
    concurrency = Metric("AWS/Lambda", "ConcurrentExecutions", {}, statistic="Maximum", period_seconds=60)
    reads, writes = (
        Metric("AWS/DynamoDB", f"{kind}ThrottleEvents", dimensions={"TableName": sessions.name})
        for kind in ("Read", "Write")
    )
    connections = Metric("AWS/ApiGateway", "ConnectCount", dimensions=socket.dimensions, period_seconds=60)
    thresholds = settings.alarms
    max_concurrency = thresholds.account_concurrency * CONCURRENCY_PERCENT / 100
    max_latency = thresholds.answer_seconds * 1000
    near_limit = "The account is near its limit of concurrent Lambda invocations."
    for name, metric, threshold, problem in (
        ("answer-latency", latency, max_latency, "Answers take longer than the limit in the settings."),
        ("concurrency", concurrency, max_concurrency, near_limit),
        ("table-read-throttles", reads, 0, "DynamoDB throttles reads of the sessions table."),
        ("table-write-throttles", writes, 0, "DynamoDB throttles writes to the sessions table."),
        ("connections", connections, CONNECTIONS_PER_MINUTE, "Unusually many clients connect."),
    ):
        create_alarm(scope, name, metric, threshold, problem, runbook=RUNBOOK)
    worker.alarm_on_log_lines(
        "answers-failed",
        f'{{ {QUERY_ENDED} && $.outcome = "failed" && ({AGENT_FAILURES}) }}',
        "The agent fails to answer questions.",
        runbook=RUNBOOK,
    )
    worker.alarm_on_log_lines(
        "answers-unheard",
        '{ $.message = "piece_not_posted" }',
        "Answers cannot be posted to connected clients.",
        runbook=RUNBOOK,
        threshold=MAX_FAILED_POSTS,
        severity=Severity.CRITICAL,
    )
    handler.alarm_on_log_lines(
        "answers-overdue",
        '{ $.message = "query_overdue" }',
        "Questions were not answered within their time limit, or workers died or did not start.",
        runbook=RUNBOOK,
    )
    handler.alarm_on_log_lines(
        "messages-failed",
        # The handler still returns a response, so neither API Gateway nor Lambda counts an error.
        '{ $.message = "message_failed" }',
        "The WebSocket handler fails to process messages, or cannot invoke the query worker.",
        runbook="apis",
        severity=Severity.CRITICAL,
    )

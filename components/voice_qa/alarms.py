"""Alarms of voice Q&A: for answers that are late or missing, lectures with an invalid key, and limits that are almost
reached.

The query worker is the function that gets a question answered by the agent, an external service. Every component in
`components/blocks` registers its own alarms in addition.
"""

import pulumi

from components.blocks.api.websocket_api import WebSocketApi
from components.blocks.compute.function import Function
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.table import Table
from components.settings import VoiceQaSettings
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode

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
RUNBOOK, SOCKET_RUNBOOK = "voice-qa", "apis"
QUERY_ENDED = '$.message = "query_ended"'
AGENT_FAILURES = " || ".join(f'$.cause = "{code}"' for code in AgentCode if code is not AgentCode.QUESTION_REJECTED)
"""Log filter for questions that failed because of the agent. Other causes are faults of the user, such as missing or
unintelligible audio."""
FAILED_MESSAGES = " || ".join(f'$.message = "{event}"' for event in ("message_failed", "worker_not_called"))
"""Log filter for messages whose processing failed. The WebSocket handler still returns a response, so neither API
Gateway nor Lambda counts an error."""


def register_alarms(
    scope: Scope,
    settings: VoiceQaSettings,
    socket: WebSocketApi,
    handler: Function,
    worker: Function,
    validator: Function,
    sessions: Table,
    opts: pulumi.ResourceOptions,
) -> None:
    thresholds = settings.alarms
    alarms = AlarmGroup(scope, RUNBOOK, opts)
    timeout_problem = "uses most of its timeout."
    for name, function, max_seconds, problem in (
        ("handler", handler, settings.socket_handler.timeout_seconds, f"The WebSocket handler {timeout_problem}"),
        ("worker", worker, settings.agentcore.answer_seconds, "Answers use most of their time limit."),
        ("validator", validator, settings.validator.timeout_seconds, f"The validation of lectures {timeout_problem}"),
    ):
        threshold_ms = max_seconds * 1000 * DURATION_PERCENT / 100
        alarms.register(f"{name}-duration", function.metric("Duration", "p95"), threshold_ms, problem)
    duration = worker.log_metric(
        "answer-milliseconds", f"{{ {QUERY_ENDED} }}", opts, value="$.milliseconds", statistic="p95"
    )
    slow = "Answers take longer than the limit in the settings."
    alarms.register("answer-latency", duration, thresholds.answer_seconds * 1000, slow)
    worker.alarm_on_log_lines(
        "answers-failed",
        f'{{ {QUERY_ENDED} && $.outcome = "failed" && ({AGENT_FAILURES}) }}',
        "The agent fails to answer questions.",
        alarms,
    )
    worker.alarm_on_log_lines(
        "answers-unheard",
        '{ $.message = "piece_not_posted" }',
        "Answers cannot be posted to connected clients.",
        alarms,
        threshold=MAX_FAILED_POSTS,
        severity=Severity.CRITICAL,
    )
    handler.alarm_on_log_lines(
        "answers-overdue",
        '{ $.message = "query_overdue" }',
        "Workers died or did not start, so questions were not answered within their time limit.",
        alarms,
    )
    handler.alarm_on_log_lines(
        "messages-failed",
        f"{{ {FAILED_MESSAGES} }}",
        "The WebSocket handler fails to process messages, or cannot invoke the query worker.",
        AlarmGroup(scope, SOCKET_RUNBOOK, opts),
        severity=Severity.CRITICAL,
    )
    validator.alarm_on_log_lines(
        "lectures-missed",
        '{ $.message = "lecture_key_ignored" }',
        "Objects were uploaded to keys without a lecture id.",
        alarms,
    )
    alarms.register(
        "concurrency",
        Metric("AWS/Lambda", "ConcurrentExecutions", {}, "Maximum", 60),
        thresholds.account_concurrency * CONCURRENCY_PERCENT / 100,
        "The account is near its limit of concurrent Lambda invocations.",
    )
    table: dict[str, pulumi.Input[str]] = {"TableName": sessions.name}
    reads, writes = (Metric("AWS/DynamoDB", f"{kind}ThrottleEvents", table) for kind in ("Read", "Write"))
    alarms.register("table-read-throttles", reads, 0, "DynamoDB throttles reads of the sessions table.")
    alarms.register("table-write-throttles", writes, 0, "DynamoDB throttles writes to the sessions table.")
    connections = Metric("AWS/ApiGateway", "ConnectCount", socket.dimensions, "Sum", 60)
    alarms.register("connections", connections, CONNECTIONS_PER_MINUTE, "Unusually many clients connect.")

"""Lambda function that answers one question: the query worker. The WebSocket handler invokes it asynchronously.

Lambda may deliver an invocation twice, and repeats it after an exception or if the process died. The question's record
names the current attempt, so only one invocation answers the question. If the question was already answered, the worker
sends the stored answer again.
"""

import os
import time
from collections.abc import Mapping
from functools import cache
from typing import Any, Protocol

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, LambdaContext, build_presigning_config
from handlers.common.logging import EventLog
from handlers.common.versioned_items import VersionedItems
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.query_worker.agent import Agent, AgentLimits
from handlers.voice_qa.query_worker.agent_question_processing import AnswerOutcome, QuestionAnswering
from handlers.voice_qa.query_worker.answer_store import AnswerStore
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.environment import WorkerEnvironment
from handlers.voice_qa.query_worker.question_context import QuestionContext
from handlers.voice_qa.question_item_updates import QuestionItem
from handlers.voice_qa.table_records import CHECK_GRACE_SECONDS, DAY_SECONDS, TTL_ATTRIBUTE, WorkerEvent


class AnsweringFailed(Exception):
    """Replacement for an unexpected exception. Its message is only the type of that exception, because Lambda logs it,
    and the text of that exception may contain keys.
    """


class WorkerContext(LambdaContext, Protocol):
    """The part of the Lambda context that the worker uses."""

    aws_request_id: str
    """Request id of the invocation. A retry by Lambda has the same id."""


class QueryWorker:
    def __init__(self, items: VersionedItems, answering: QuestionAnswering, log: EventLog) -> None:
        self._items = items
        self._answering = answering
        self._log = log

    def handle(self, event: Mapping[str, Any], remaining_ms: int, request_id: str) -> AnswerOutcome:
        """Answer one question. Raises AnsweringFailed. A retry by Lambda has the same `request_id`."""
        parsed = WorkerEvent.model_validate(event)
        try:
            item = QuestionItem(self._items, parsed.guest_id, parsed.query_id, self._log)
            return self._answering.answer(item, remaining_ms, request_id)
        except Exception as error:  # noqa: BLE001 - replaced by AnsweringFailed
            self._log.failure("query_broken", error)
            raise AnsweringFailed(type(error).__name__).with_traceback(error.__traceback__) from None


def create_agent(environment: WorkerEnvironment, session: boto3.Session) -> Agent:
    """Create the agent's client. Raises ValueError if the environment names no agent."""
    limits = AgentLimits(environment.connect_seconds, environment.silence_seconds, environment.answer_seconds)
    if environment.agentcore_endpoint is not None:
        return Agent.at_endpoint(environment.agentcore_endpoint, limits)
    credentials = session.get_credentials()
    if environment.agentcore_runtime_arn is None or credentials is None:
        raise ValueError("set AGENTCORE_ENDPOINT, or AGENTCORE_RUNTIME_ARN together with AWS credentials")
    return Agent.in_agentcore(environment.agentcore_runtime_arn, environment.agentcore_qualifier, credentials, limits)


@cache
def _worker() -> QueryWorker:
    environment = WorkerEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=CONFIG)
    s3 = session.client("s3", config=CONFIG.merge(build_presigning_config()))
    table, bucket, days = environment.dynamodb_table, environment.s3_bucket, environment.session_days
    conversations = Conversations(dynamodb, table, kept_days=days, clock_ms=ids.now_ms)
    log = EventLog(environment.log_level)
    answering = QuestionAnswering(
        QuestionContext(
            LectureTable(dynamodb, table),
            s3,
            conversations,
            bucket=bucket,
            max_query_bytes=environment.max_query_bytes,
        ),
        conversations,
        AnswerStore(s3, bucket),
        WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        agent=create_agent(environment, session),
        max_attempt_ms=int((environment.answer_seconds + CHECK_GRACE_SECONDS) * 1000),
        clock_ms=ids.now_ms,
        pause=time.sleep,
        log=log,
    )
    items = VersionedItems(
        dynamodb, table, ttl_attribute=TTL_ATTRIBUTE, kept_seconds=days * DAY_SECONDS, clock_ms=ids.now_ms
    )
    return QueryWorker(items, answering, log)


def handler(event: Mapping[str, Any], context: WorkerContext) -> str:
    return _worker().handle(event, context.get_remaining_time_in_millis(), context.aws_request_id)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _worker()  # created while the container starts, which is faster and delays no request

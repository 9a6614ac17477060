"""Lambda function that answers one question: the query worker. The WebSocket handler invokes it asynchronously.

The worker sends the question to the agent, the external service that answers questions. It forwards the answer to the
client while it arrives, and stores it. If the question was already answered, the worker sends the stored answer again.
Lambda may deliver an invocation twice, so the question's record names the invocation that answers it.

Lambda does not repeat a failed invocation. After any failure, the question is marked as failed and the client is
notified at once, so that it can ask again. If the worker dies, the WebSocket handler's time limit check does this later.
Once the record says that the question is answered, failures to notify the client or to store the turn (the question and
its answer) are only logged.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from secrets import token_hex
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common import ids
from handlers.common.aws import (
    CONFIG,
    SHORT_TIMEOUT_CONFIG,
    LambdaContext,
    build_presigning_config,
)
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.records import Records, TooManyWriters
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.environment import WorkerEnvironment
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.messages import (
    Answered,
    Piece,
    QueryFailed,
    TextPiece,
    TranscriptPiece,
    UnanswerableQuestion,
    VoiceQaErrorCode,
)
from handlers.voice_qa.query_worker.agent import Agent
from handlers.voice_qa.query_worker.answers import AnswerStore, Conversations
from handlers.voice_qa.query_worker.forwarding import AnswerForwarder
from handlers.voice_qa.query_worker.question_context import QuestionContext
from handlers.voice_qa.records import (
    CHECK_GRACE_SECONDS,
    Question,
    QuestionReference,
    QuestionStatus,
    conversation_key,
    expiring_records,
    query_key,
)

ANSWER_GONE = UnanswerableQuestion(
    VoiceQaErrorCode.QUERY_FAILED, "The answer is no longer stored. Ask again.", retryable=True
)
WORKER_FAILED = UnanswerableQuestion(
    VoiceQaErrorCode.AGENT_FAILED, "The question could not be answered. Ask again.", retryable=True
)


class AnswerOutcome(StrEnum):
    """Outcome of an invocation, as it is logged."""

    ANSWERED = "answered"
    FAILED = "failed"
    """The question was not answered. The client was notified, unless it is not connected any more."""
    REPLAYED = "replayed"
    """The stored answer was sent again."""
    NOTHING_TO_DO = "nothing_to_do"
    """Another invocation is answering the question, or its client was already notified of its end."""
    OVERTAKEN = "overtaken"
    """The question was marked as failed after its time limit, and this attempt ended later."""


class AnsweringFailed(Exception):
    """Replacement for an unexpected exception. Its message is only the type of that exception, because Lambda logs it,
    and the text of that exception may contain keys.
    """


@dataclass(frozen=True)
class QueryWorker:
    """The services that the worker uses, and its limits."""

    records: Records[Question]
    context: QuestionContext
    conversations: Conversations
    answers: AnswerStore
    connections: WebSocketConnections
    agent: Agent
    max_attempt_ms: int
    """Time after which an attempt counts as dead, so that a client can ask again."""
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any], remaining_ms: int) -> AnswerOutcome:
        """Answer one question. The invocation times out in `remaining_ms`. Raises AnsweringFailed."""
        invocation = _Invocation(self, QuestionReference.model_validate(event))
        try:
            return invocation.run(self.clock_ms() + min(remaining_ms, self.max_attempt_ms))
        except Exception as error:  # noqa: BLE001 - replaced by AnsweringFailed
            self.log.failure("query_broken", error)
            invocation.fail_unexpectedly()
            raise AnsweringFailed(type(error).__name__).with_traceback(error.__traceback__) from None


class _Invocation:
    """One invocation of the worker for one question."""

    def __init__(self, worker: QueryWorker, reference: QuestionReference) -> None:
        self._worker = worker
        self._guest_id, self._query_id = reference.guest_id, reference.query_id
        self._key = query_key(reference.guest_id, reference.query_id)
        self._name = token_hex()
        """Random name of this invocation, by which the question's record names its worker."""

    def run(self, until_ms: int) -> AnswerOutcome:
        """Answer the question, or send its stored answer if the client asked for it again, or do nothing.

        The attempt counts as dead at `until_ms`.
        """
        question = self._change(lambda record: record.begin(self._name, until_ms))
        if question is not None and question.is_run_by(self._name):
            return self._answer(question)
        if question is not None and question.status is QuestionStatus.ANSWERED and not question.reported:
            return self._send_stored_answer(question)
        self._worker.log.info("query_not_ours", outcome=None if question is None else question.status)
        return AnswerOutcome.NOTHING_TO_DO

    def fail_unexpectedly(self) -> None:
        """Mark the question as failed unless another invocation answers it, and notify its client to ask again.

        If this fails too, the time limit check does it.
        """

        def fail(record: Question) -> Question:
            if record.status is not QuestionStatus.ACCEPTED and not record.is_run_by(self._name):
                return record
            return record.mark_failed(retryable=WORKER_FAILED.retryable)

        try:
            question = self._change(fail)
            if question is not None and question.has_ended and not question.reported:
                self._report_end(question, self._create_forwarder(question), self._failed_message(WORKER_FAILED))
        except Exception as error:  # noqa: BLE001 - the exception that came first is raised
            self._worker.log.failure("failure_not_reported", error, level="WARNING")

    def _change(self, transition: Callable[[Question], Question]) -> Question | None:
        return self._worker.records.change(self._key, lambda record: record and transition(record))

    def _end(self, transition: Callable[[Question], Question]) -> Question | None:
        """End the question with `transition`. Return None if this invocation is not answering it any more."""
        ended = self._change(lambda record: transition(record) if record.is_run_by(self._name) else record)
        return ended if ended is not None and ended.has_ended and ended.worker == self._name else None

    def _create_forwarder(self, question: Question, pieces: list[Piece] | None = None) -> AnswerForwarder:
        worker = self._worker
        return AnswerForwarder(
            question,
            connections=worker.connections,
            read_question=lambda: worker.records.read(self._key),
            clock_ms=worker.clock_ms,
            log=worker.log,
            pieces=pieces or [],
        )

    def _answer(self, question: Question) -> AnswerOutcome:
        forwarder = self._create_forwarder(question)
        try:
            agent_question = self._worker.context.collect(self._guest_id, self._query_id, question)
            with self._worker.agent.answer(agent_question, question.attempt) as pieces:
                for piece in pieces:
                    forwarder.send(piece)
        except UnanswerableQuestion as error:
            return self._fail(forwarder, question, error)
        self._worker.answers.put(self._guest_id, self._query_id, question.attempt, forwarder.pieces)
        ended = self._end(Question.mark_answered)
        if ended is not None:
            self._append_turn(ended, forwarder.pieces)
            self._report_end(ended, forwarder, self._answered_message(ended, forwarder.pieces))
        return self._log_end(question, forwarder, AnswerOutcome.ANSWERED if ended else AnswerOutcome.OVERTAKEN)

    def _fail(self, forwarder: AnswerForwarder, question: Question, error: UnanswerableQuestion) -> AnswerOutcome:
        ended = self._end(lambda record: record.mark_failed(retryable=error.retryable))
        if ended is not None:
            self._report_end(ended, forwarder, self._failed_message(error))
        outcome = AnswerOutcome.FAILED if ended else AnswerOutcome.OVERTAKEN
        return self._log_end(question, forwarder, outcome, error.cause)

    def _send_stored_answer(self, question: Question) -> AnswerOutcome:
        pieces = self._worker.answers.get(self._guest_id, self._query_id, question.attempt)
        forwarder = self._create_forwarder(question, pieces)
        if pieces is None:
            self._change(
                lambda record: (
                    record.mark_failed(retryable=ANSWER_GONE.retryable)
                    if record.status is QuestionStatus.ANSWERED
                    else record
                )
            )
            self._report_end(question, forwarder, self._failed_message(ANSWER_GONE))
            self._worker.log.warning("answer_not_kept")
            return AnswerOutcome.FAILED
        self._report_end(question, forwarder, self._answered_message(question, pieces))
        self._worker.log.info("query_replayed", pieces=len(pieces))
        return AnswerOutcome.REPLAYED

    def _append_turn(self, question: Question, pieces: list[Piece]) -> None:
        """Append question and answer to the conversation. A failure is only logged, because the answer is complete."""
        answer = "".join(piece.text for piece in pieces if isinstance(piece, TextPiece))
        transcripts = [piece.text for piece in pieces if isinstance(piece, TranscriptPiece)]
        asked = question.text if question.text is not None else "".join(transcripts[-1:])
        key = conversation_key(question.identity, question.session, question.lecture)
        try:
            self._worker.conversations.append(key, self._query_id, asked, answer)
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._worker.log.failure("turn_lost", error, level="WARNING")

    def _report_end(self, ended: Question, forwarder: AnswerForwarder, last_message: Message) -> None:
        """Notify the client that the question has ended, and record that it was notified.

        If this process dies before that is recorded, the time limit check notifies the client.
        """
        if not forwarder.end(ended, last_message):
            return
        try:
            self._change(lambda record: record.mark_reported(ended.request_count))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._worker.log.failure("report_not_marked", error, level="WARNING")

    def _answered_message(self, question: Question, pieces: list[Piece]) -> Answered:
        url = self._worker.answers.audio_url(self._guest_id, self._query_id, question.attempt, pieces)
        return Answered(query_id=self._query_id, attempt=question.attempt, pieces=len(pieces), audio_url=url)

    def _failed_message(self, error: UnanswerableQuestion) -> QueryFailed:
        return QueryFailed(code=error.code, message=error.message, query_id=self._query_id, retryable=error.retryable)

    def _log_end(
        self,
        question: Question,
        forwarder: AnswerForwarder,
        outcome: AnswerOutcome,
        cause: StrEnum | None = None,
    ) -> AnswerOutcome:
        self._worker.log.info(
            "query_ended",
            outcome=outcome,
            cause=cause,
            milliseconds=max(0, self._worker.clock_ms() - question.asked_ms),
            pieces=len(forwarder.pieces),
        )
        return outcome


def create_agent(environment: WorkerEnvironment, session: boto3.Session) -> Agent:
    """Create the agent's client. Raises ValueError if the environment names no agent."""
    if environment.agentcore_endpoint is not None:
        return Agent.at_endpoint(environment.agentcore_endpoint, environment.answer_seconds)
    credentials = session.get_credentials()
    if environment.agentcore_runtime_arn is None or credentials is None:
        raise ValueError("set AGENTCORE_ENDPOINT, or AGENTCORE_RUNTIME_ARN together with AWS credentials")
    return Agent.in_agentcore(
        environment.agentcore_runtime_arn, environment.agentcore_qualifier, credentials, environment.answer_seconds
    )


@cache
def _worker() -> QueryWorker:
    environment = WorkerEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=CONFIG)
    s3 = session.client("s3", config=CONFIG.merge(build_presigning_config()))
    table, days = environment.dynamodb_table, environment.session_days
    conversations = Conversations(dynamodb, table, days, ids.now_ms)
    return QueryWorker(
        records=expiring_records(dynamodb, table, Question, days, ids.now_ms),
        context=QuestionContext(LectureTable(dynamodb, table), conversations, s3, environment.s3_bucket),
        conversations=conversations,
        answers=AnswerStore(s3, environment.s3_bucket),
        connections=WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        agent=create_agent(environment, session),
        max_attempt_ms=int((environment.answer_seconds + CHECK_GRACE_SECONDS) * 1000),
        clock_ms=ids.now_ms,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], context: LambdaContext) -> str:
    return _worker().handle(event, context.get_remaining_time_in_millis())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _worker()  # created while the container starts, which is faster and delays no request

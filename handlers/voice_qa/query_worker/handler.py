"""Lambda function that answers one question: the query worker. The WebSocket handler invokes it asynchronously.

The worker sends the question to the agent, the external service that answers questions. It forwards the answer to the
client while it arrives, and stores it. Lambda may deliver an invocation twice, so the question's record names the
invocation that answers it.

Lambda does not repeat a failed invocation. After any failure, the client is notified at once and the question is marked
as failed, so that the client can ask again. If the worker dies, the WebSocket handler's time limit check does this
later.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from hashlib import sha256
from secrets import token_hex
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common import ids
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, build_presigning_config
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.records import Records, TooManyWriters
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.environment import AgentCode, WorkerEnvironment
from handlers.voice_qa.messages import (
    Answered,
    Piece,
    QueryFailed,
    QuestionNotAnswered,
    TextPiece,
    TranscriptPiece,
    VoiceQaErrorCode,
)
from handlers.voice_qa.query_worker.agent import Agent, AgentFailed, AgentQuestion, QuestionLecture, WrittenQuery
from handlers.voice_qa.query_worker.answer_storage import AudioBucket, Conversations
from handlers.voice_qa.records import (
    Key,
    LectureTable,
    Question,
    QuestionReference,
    QuestionStatus,
    conversation_key,
    expiring_records,
    query_key,
)

WORKER_FAILED = QuestionNotAnswered(
    VoiceQaErrorCode.AGENT_FAILED, "The question could not be answered. Ask again.", retryable=True
)
MAX_LAST_POSTS = 3
"""Maximum number of attempts to notify the client that a question has ended."""


class AnswerOutcome(StrEnum):
    """Outcome of an invocation, as it is logged."""

    ANSWERED = "answered"
    FAILED = "failed"
    """The question was not answered. The client was notified, unless it is not connected any more."""
    NOTHING_TO_DO = "nothing_to_do"
    """Another invocation is answering the question, or the question has ended."""
    OVERTAKEN = "overtaken"
    """The question was marked as failed after its time limit, and this attempt ended later."""


class AnsweringFailed(Exception):
    """Replacement for an unexpected exception. Its message is only the type of that exception, because Lambda logs it,
    and the text of that exception may contain keys.
    """


@dataclass
class QueryWorker:
    """The services that the worker uses."""

    environment: WorkerEnvironment
    questions: Records[Question]
    lectures: LectureTable
    conversations: Conversations
    audio: AudioBucket
    connections: WebSocketConnections
    agent: Agent
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> AnswerOutcome:
        """Answer one question, or do nothing. Raises AnsweringFailed after an unexpected exception."""
        invocation = _Invocation(self, QuestionReference.model_validate(event))
        try:
            return invocation.run()
        except Exception as error:  # noqa: BLE001 - replaced by AnsweringFailed
            self.log.failure("query_broken", error)
            invocation.report_unexpected_failure()
            raise AnsweringFailed(type(error).__name__).with_traceback(error.__traceback__) from None


class _Invocation:
    """One invocation of the worker for one question.

    The pieces of the answer go to the connection on which the question was last asked when the invocation began. A client
    that asks again on another connection is notified there of the end. If it lacks a piece, it asks once more, and gets the
    stored answer. Without a connected client, the answer is read from the agent and stored too.
    """

    def __init__(self, worker: QueryWorker, reference: QuestionReference) -> None:
        self._worker = worker
        self._guest_id, self._query_id = reference.guest_id, reference.query_id
        self._key = query_key(reference.guest_id, reference.query_id)
        self._name = token_hex()
        """Random name of this invocation, by which the question's record names its worker."""
        self._pieces: list[Piece] = []
        """All pieces of the answer so far."""

    def run(self) -> AnswerOutcome:
        question = self._begin()
        if question is None or not question.is_run_by(self._name):
            return AnswerOutcome.NOTHING_TO_DO
        outcome, cause = AnswerOutcome.ANSWERED, None
        try:
            self._forward_answer(question)
            pieces_key, spoken_key = self._worker.audio.put_answer(
                f"{self._guest_id}/{self._query_id}.{question.attempt}", self._pieces
            )
            self._append_turn(question)
        except QuestionNotAnswered as error:
            outcome, cause = AnswerOutcome.FAILED, error.cause
            is_ended_here = self._fail(error)
        else:
            answered = Answered(query_id=self._query_id, attempt=question.attempt, pieces=len(self._pieces))
            is_ended_here = self._end(answered, QuestionStatus.ANSWERED, pieces_key=pieces_key, spoken_key=spoken_key)
        outcome = outcome if is_ended_here else AnswerOutcome.OVERTAKEN
        self._worker.log.info(
            "query_ended",
            outcome=outcome,
            cause=cause,
            milliseconds=self._worker.clock_ms() - question.asked_ms,
            pieces=len(self._pieces),
        )
        return outcome

    def _begin(self) -> Question | None:
        """Let this invocation answer the question, unless another one does or it has ended. Return the question, if any."""
        return self._worker.questions.change(self._key, lambda record: record and record.begin(self._name))

    def report_unexpected_failure(self) -> None:
        """Mark the question as failed, and notify the client to ask again, unless another invocation answers it.

        If this fails too, the time limit check does it. A client that already has its answer ignores the error.
        """
        try:
            self._begin()  # the first call may have failed, and only the invocation that began a question can end it
            self._fail(WORKER_FAILED)
        except Exception as error:  # noqa: BLE001 - the exception that came first is raised
            self._worker.log.failure("failure_not_reported", error, level="WARNING")

    def _forward_answer(self, question: Question) -> None:
        """Read the pieces of the agent's answer, and post each to the client. Raises QuestionNotAnswered."""
        worker = self._worker
        with worker.agent.answer(self._build_agent_question(question), question.attempt) as pieces:
            for piece in pieces:
                if worker.clock_ms() >= question.asked_ms + worker.environment.limit_ms:
                    raise AgentFailed(AgentCode.TOO_SLOW)
                self._pieces.append(piece)
                self._post(question.connection, piece)

    def _build_agent_question(self, question: Question) -> AgentQuestion:
        """Return the question with its context. Raises QuestionNotAnswered if its lecture or its recording is not ready."""
        worker = self._worker
        lecture = worker.lectures.find_ready(question.lecture)
        # Clients choose the ids of conversations, so the hash includes the guest. Agents must not know the guest's id.
        session_id = sha256(f"{self._guest_id}#{question.session}".encode()).hexdigest()
        return AgentQuestion(
            query_id=self._query_id,
            session_id=session_id,
            lecture=QuestionLecture(
                lecture_id=question.lecture,
                url=worker.audio.presign_url(lecture.key, lecture.version_id),
                format=lecture.format,
                duration_ms=lecture.duration_ms,
            ),
            query=(
                WrittenQuery(text=question.text or "")
                if question.audio_key is None
                else worker.audio.find_spoken_query(question.audio_key)
            ),
            conversation=worker.conversations.read_context(_conversation_key(question)),
            language=question.language,
        )

    def _append_turn(self, question: Question) -> None:
        """Append question and answer to the conversation. A failure is only logged, because the answer is complete."""
        answer = "".join(piece.text for piece in self._pieces if isinstance(piece, TextPiece))
        transcripts = [piece.text for piece in self._pieces if isinstance(piece, TranscriptPiece)]
        asked = question.text if question.text is not None else "".join(transcripts[-1:])
        try:
            self._worker.conversations.append(_conversation_key(question), self._query_id, asked, answer)
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._worker.log.failure("turn_lost", error, level="WARNING")

    def _fail(self, error: QuestionNotAnswered) -> bool:
        """End the question as failed. Return False in the same cases as `_end`."""
        failed = QueryFailed(code=error.code, message=error.message, query_id=self._query_id, retryable=error.retryable)
        return self._end(failed, QuestionStatus.FAILED, retryable=error.retryable)

    def _end(self, message: Message, status: QuestionStatus, **fields: object) -> bool:
        """End the question, and then notify the client. Return False if another invocation answers the question, or the
        time limit check has failed it.

        If this process dies in between, or the message cannot be posted, the time limit check notifies the client.
        """
        questions = self._worker.questions
        question = questions.change(self._key, lambda record: record and record.end(self._name, status, **fields))
        if question is None or question.worker != self._name:
            return False
        if any(self._post(question.connection, message) for _ in range(MAX_LAST_POSTS)):
            questions.change(self._key, lambda record: record and record.mark_reported())
        return True

    def _post(self, connection: str, message: Message) -> bool:
        """Post a message. Return False if this failed, but True if the connection is closed."""
        try:
            self._worker.connections.post(connection, message)
        except (ClientError, BotoCoreError) as error:
            self._worker.log.failure("piece_not_posted", error, level="WARNING")
            return False
        return True


def _conversation_key(question: Question) -> Key:
    return conversation_key(question.identity, question.session, question.lecture)


def create_agent(environment: WorkerEnvironment, session: boto3.Session) -> Agent:
    """Create the agent's client. Raises ValueError if the environment names no agent, or its credentials are missing."""
    if environment.agentcore_endpoint is not None:
        return Agent.at_endpoint(environment.agentcore_endpoint)
    credentials = session.get_credentials()
    if environment.agentcore_runtime_arn is None or credentials is None:
        raise ValueError("set AGENTCORE_ENDPOINT, or AGENTCORE_RUNTIME_ARN together with AWS credentials")
    return Agent.in_agentcore(environment.agentcore_runtime_arn, environment.agentcore_qualifier, credentials)


@cache
def _worker() -> QueryWorker:
    environment = WorkerEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=CONFIG)
    s3 = session.client("s3", config=CONFIG.merge(build_presigning_config()))
    table, days = environment.dynamodb_table, environment.session_days
    return QueryWorker(
        environment=environment,
        questions=expiring_records(dynamodb, table, Question, days, ids.now_ms),
        lectures=LectureTable(dynamodb, table),
        conversations=Conversations(dynamodb, table, days, ids.now_ms),
        audio=AudioBucket(s3, environment.s3_bucket),
        connections=WebSocketConnections(session.client("apigatewaymanagementapi", config=SHORT_TIMEOUT_CONFIG)),
        agent=create_agent(environment, session),
        clock_ms=ids.now_ms,
        log=EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> str:
    return _worker().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _worker()  # created while the container starts, which is faster and delays no request

"""Lambda function that answers one question: the query worker. The WebSocket handler invokes it asynchronously.

The worker sends the question to the agent, the external service that answers questions. It forwards the answer to the
client while it arrives, and stores it. If the question was already answered, the worker sends the stored answer again.
Lambda may deliver an invocation twice, so the question's record names the invocation that answers it.

Lambda does not repeat a failed invocation. After any failure, the client is notified at once and the question is marked
as failed, so that the client can ask again. If the worker dies, the WebSocket handler's time limit check does this
later.
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
from handlers.common.aws import CONFIG, SHORT_TIMEOUT_CONFIG, build_presigning_config
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
from handlers.voice_qa.query_worker.agent_protocol import (
    AgentQuestion,
    QuestionLecture,
    WrittenQuery,
    opaque_session_id,
)
from handlers.voice_qa.query_worker.answers import AudioBucket, Conversations
from handlers.voice_qa.records import (
    Key,
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
LISTENER_CHECK_MS = 2_000
"""Interval at which the question's record is read."""
MAX_LAST_POSTS = 3
"""Maximum number of times that the end of an answer is posted."""


class AnswerOutcome(StrEnum):
    """Outcome of an invocation, as it is logged."""

    ANSWERED = "answered"
    FAILED = "failed"
    """The question was not answered. The client was notified, unless it is not connected any more."""
    REPLAYED = "replayed"
    """The stored answer was sent again."""
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

    records: Records[Question]
    lectures: LectureTable
    conversations: Conversations
    audio: AudioBucket
    connections: WebSocketConnections
    agent: Agent
    clock_ms: Callable[[], int]
    log: EventLog

    def handle(self, event: Mapping[str, Any]) -> AnswerOutcome:
        """Answer one question, or send its stored answer, or do nothing. Raises AnsweringFailed."""
        invocation = _Invocation(self, QuestionReference.model_validate(event))
        try:
            return invocation.run()
        except Exception as error:  # noqa: BLE001 - replaced by AnsweringFailed
            self.log.failure("query_broken", error)
            invocation.fail_unexpectedly()
            raise AnsweringFailed(type(error).__name__).with_traceback(error.__traceback__) from None


class _Invocation:
    """One invocation of the worker for one question: the pieces of its answer, and the connection that gets them.

    A client that lost pieces asks the question again, on any connection, and names the first number that it needs. Its
    connection then gets the pieces from that number on. All pieces stay in memory, so that they can be sent again and
    stored.

    The question's record names the connection, and is read regularly while the answer arrives. Without a connected
    client, nothing is posted, but the answer continues to be read from the agent. If posting a message failed, the
    message may have arrived nevertheless. It is posted again, and the client recognises it by its number.
    """

    _question: Question
    """The record as it was read last, while this worker ran the question."""

    def __init__(self, worker: QueryWorker, reference: QuestionReference) -> None:
        self._worker = worker
        self._guest_id, self._query_id = reference.guest_id, reference.query_id
        self._key = query_key(reference.guest_id, reference.query_id)
        self._name = token_hex()
        """Random name of this invocation, by which the question's record names its worker."""
        self._pieces: list[Piece] = []
        """All pieces of the answer so far."""
        self._next = 0
        """Number of the next piece to post."""
        self._request_count = 0
        """Number of requests for the question to which this invocation responds."""
        self._read_ms = 0
        """Time at which the record was last read."""
        self._is_open = True
        """False if the connection is closed."""

    def run(self) -> AnswerOutcome:
        if not self._begin():
            return AnswerOutcome.NOTHING_TO_DO
        try:
            self._collect_pieces()
        except UnanswerableQuestion as error:
            return self._end(error)
        return self._end()

    def fail_unexpectedly(self) -> None:
        """Notify the client to ask again, and mark the question as failed, unless another invocation answers it.

        If this fails too, the time limit check does it.
        """
        try:
            if self._begin():
                self._end(WORKER_FAILED)
        except Exception as error:  # noqa: BLE001 - the exception that came first is raised
            self._worker.log.failure("failure_not_reported", error, level="WARNING")

    def _begin(self) -> bool:
        """Begin to answer the question, or go on. Return False if this invocation must not answer it."""
        return self._follow(self._worker.records.change(self._key, lambda record: record and record.begin(self._name)))

    def _read_question(self) -> bool:
        """Read the question's record. Return False if this worker does not run the question any more."""
        return self._follow(self._worker.records.read(self._key))

    def _follow(self, question: Question | None) -> bool:
        """Post to the connection in a newer record from now on, from the number that its client needs."""
        self._read_ms = self._worker.clock_ms()
        if question is None or not question.is_run_by(self._name):
            return False
        if question.request_count != self._request_count:
            self._is_open, self._next, self._request_count = True, question.first_piece, question.request_count
        self._question = question
        return True

    def _collect_pieces(self) -> None:
        """Read the pieces of the stored answer, or those of the agent's answer, which are sent and stored.

        Raises UnanswerableQuestion. Nothing is stored if the question was marked as failed after its time limit.
        """
        worker, question = self._worker, self._question
        if question.is_stored:
            stored = worker.audio.read_answer(self._answer_name)
            if stored is None:
                raise ANSWER_GONE
            self._pieces = stored
            return
        with worker.agent.answer(self._collect_context(), question.attempt) as pieces:
            for piece in pieces:
                self._pieces.append(piece)
                if worker.clock_ms() - self._read_ms >= LISTENER_CHECK_MS and not self._read_question():
                    return
                self._post_pieces()
        worker.audio.put_answer(self._answer_name, self._pieces)
        if self._read_question():
            self._append_turn()

    def _collect_context(self) -> AgentQuestion:
        """Return the question with its context. Raises UnanswerableQuestion if it cannot be sent to the agent."""
        worker, question = self._worker, self._question
        lecture = worker.lectures.find_ready(question.lecture)
        return AgentQuestion(
            query_id=self._query_id,
            session_id=opaque_session_id(f"{self._guest_id}#{question.session}"),
            lecture=QuestionLecture(
                lecture_id=question.lecture,
                url=worker.audio.presign_url(lecture.key, VersionId=lecture.version_id),
                format=lecture.format,
                duration_ms=lecture.duration_ms,
            ),
            query=(
                WrittenQuery(text=question.text or "")
                if question.audio_key is None
                else worker.audio.find_question(question.audio_key)
            ),
            conversation=worker.conversations.context(self._conversation_key),
            language=question.language,
        )

    def _append_turn(self) -> None:
        """Append question and answer to the conversation. A failure is only logged, because the answer is complete."""
        answer = "".join(piece.text for piece in self._pieces if isinstance(piece, TextPiece))
        transcripts = [piece.text for piece in self._pieces if isinstance(piece, TranscriptPiece)]
        asked = self._question.text if self._question.text is not None else "".join(transcripts[-1:])
        try:
            self._worker.conversations.append(self._conversation_key, self._query_id, asked, answer)
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._worker.log.failure("turn_lost", error, level="WARNING")

    def _post_pieces(self, *last_messages: Message) -> bool:
        """Post all pieces that the client still needs, and then further messages. Return False if a post failed."""
        try:
            for message in (*self._pieces[self._next :], *last_messages):
                if self._is_open:
                    self._is_open = self._worker.connections.post(self._question.connection, message)
                    self._next += 1
        except (ClientError, BotoCoreError) as error:
            self._worker.log.failure("piece_not_posted", error, level="WARNING")
            return False
        return True

    def _end(self, error: UnanswerableQuestion | None = None) -> AnswerOutcome:
        """Notify the client that the question has ended, and then write the end to the question's record.

        If the client asks again in between, the record is not ended and the client is notified again. If this process
        dies in between, the time limit check notifies the client.
        """
        last_message: Message
        if error is not None:
            outcome, status = AnswerOutcome.FAILED, QuestionStatus.FAILED
            last_message = QueryFailed(
                code=error.code, message=error.message, query_id=self._query_id, retryable=error.retryable
            )
        else:
            outcome = AnswerOutcome.REPLAYED if self._question.is_stored else AnswerOutcome.ANSWERED
            status = QuestionStatus.ANSWERED
            url = self._worker.audio.presign_answer(self._answer_name, self._pieces)
            attempt, pieces = self._question.attempt, len(self._pieces)
            last_message = Answered(query_id=self._query_id, attempt=attempt, pieces=pieces, audio_url=url)
        is_overtaken = True
        while self._read_question():
            is_overtaken = False
            reported = any(self._post_pieces(last_message) for _ in range(MAX_LAST_POSTS))
            retryable = error is not None and error.retryable
            self._replace(self._question, self._question.end(status, retryable=retryable, reported=reported))
        outcome = AnswerOutcome.OVERTAKEN if is_overtaken else outcome
        self._worker.log.info(
            "query_replayed" if outcome is AnswerOutcome.REPLAYED else "query_ended",
            outcome=outcome,
            cause=error.cause if error is not None else None,
            milliseconds=self._worker.clock_ms() - self._question.asked_ms,
            pieces=len(self._pieces),
        )
        return outcome

    def _replace(self, before: Question, after: Question) -> None:
        """Write a record, unless it was changed since it was read as `before`."""
        self._worker.records.change(self._key, lambda record: after if record == before else record)

    @property
    def _answer_name(self) -> str:
        return f"{self._guest_id}/{self._query_id}.{self._question.attempt}"

    @property
    def _conversation_key(self) -> Key:
        return conversation_key(self._question.identity, self._question.session, self._question.lecture)


def create_agent(environment: WorkerEnvironment, session: boto3.Session) -> Agent:
    """Create the agent's client. Raises ValueError if the environment names no agent."""
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
        records=expiring_records(dynamodb, table, Question, days, ids.now_ms),
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

"""Answers one question: asks the agent, forwards what it says while it says it, and keeps the whole.

Called asynchronously; Lambda may call twice, and again after an exception. The question's record says who works on it,
so that one call does; one that comes when the answer is there already says it again to whoever asked. What the agent
makes of a question is final for this call. Only a mistake of ours is an exception: the question is given back, and the
next call begins anew. From the moment that the record says how it ended, nothing is an exception any more.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from typing import Annotated, Any, Literal

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from pydantic import StringConstraints

from handlers.common.clients import CONFIG, LIVE_CONFIG
from handlers.common.connections import Connections
from handlers.common.logging import EventLog, Fields
from handlers.common.messages import Message
from handlers.common.runtime import LambdaContext
from handlers.common.versioned import TooManyWriters, VersionedItems
from handlers.voice_qa import agent
from handlers.voice_qa.agent import Agent, AgentFailed
from handlers.voice_qa.agents import MESSAGES, agent_of
from handlers.voice_qa.answers import Answers, NotKept
from handlers.voice_qa.conversation import Conversations
from handlers.voice_qa.environment import WorkerEnvironment
from handlers.voice_qa.forwarding import Forwarder, Place
from handlers.voice_qa.materials import Materials, Unanswerable
from handlers.voice_qa.protocol import Answered, Code, Piece, QueryFailed, QueryId
from handlers.voice_qa.records import (
    DAY_SECONDS,
    TTL_ATTRIBUTE,
    Allowance,
    Question,
    Status,
    allowance_key,
    conversation_key,
    query_key,
)

SIGNING = Config(signature_version="s3v4", s3={"addressing_style": "virtual"})
"""Otherwise addresses are signed as no bucket with a key of its own takes it, and lead to another region."""
GONE = Unanswerable(Code.QUERY_FAILED, "The answer is not kept any more. Ask again.", retryable=True)


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    REPLAYED = "replayed"
    NOTHING_TO_DO = "nothing_to_do"
    OVERTAKEN = "overtaken"
    """Another call has begun, because this one was taken for lost."""


class Broken(Exception):
    """A mistake of ours, without what it says: that may hold anything."""


class Call(Message):
    """Which question is to be answered."""

    schema_version: Literal[1]
    identity: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9:_-]{1,128}$")]
    query_id: QueryId


@dataclass
class Hearing:
    """What has been heard of an answer."""

    first_ms: int | None = None
    text: list[str] = field(default_factory=list)
    transcript: str = ""
    dropped_citations: int = 0

    def hear(self, piece: agent.Piece, now_ms: int) -> None:
        """One piece more."""
        self.first_ms = now_ms if self.first_ms is None else self.first_ms
        match piece:
            case agent.TextPiece(text):
                self.text.append(text)
            case agent.TranscriptPiece(text):
                self.transcript = text


@dataclass(frozen=True)
class Job:
    """A question that this call works on."""

    call: Call
    question: Question
    forwarder: Forwarder
    asked_ms: int
    hearing: Hearing = field(default_factory=Hearing)

    def ours(self, now: Question) -> bool:
        """Whether nobody else has begun meanwhile."""
        return now.status is Status.RUNNING and now.running_until_ms == self.question.running_until_ms


class Worker:
    """Answers questions, one at a time."""

    def __init__(
        self,
        items: VersionedItems,
        materials: Materials,
        conversations: Conversations,
        answers: Answers,
        connections: Connections,
        *,
        agent: Agent,
        clock_ms: Callable[[], int],
        pause: Callable[[float], None],
        log: EventLog,
    ) -> None:
        self._items = items
        self._materials = materials
        self._conversations = conversations
        self._answers = answers
        self._connections = connections
        self._agent = agent
        self._clock_ms = clock_ms
        self._pause = pause
        self._log = log

    def handle(self, event: Mapping[str, Any], remaining_ms: int) -> Outcome:
        """One question."""
        call = Call.model_validate(event)
        try:
            return self._handle(call, remaining_ms)
        except Exception as error:  # noqa: BLE001 - what it says may hold keys, and Lambda writes that to the log
            self._log.error("query_broken", error_type=type(error).__name__)
            raise Broken(type(error).__name__).with_traceback(error.__traceback__) from None

    def _handle(self, call: Call, remaining_ms: int) -> Outcome:
        now_ms = self._clock_ms()

        def begin(question: Question) -> tuple[Question, tuple[Question, bool]]:
            begun, mine = question.begun(now_ms, now_ms + remaining_ms)
            return begun, (begun, mine)

        question, mine = self._items.change(Question, query_key(call.identity, call.query_id), begin)
        if mine:
            asked_ms = question.asked_ms or now_ms
            return self._work(Job(call, question, self._forwarder(call, question), asked_ms))
        if question.status is Status.ANSWERED:
            return self._replay(call, question)
        self._log.info("query_not_ours", outcome=question.status)
        return Outcome.NOTHING_TO_DO

    def _forwarder(self, call: Call, question: Question, messages: tuple[Piece, ...] = ()) -> Forwarder:
        return Forwarder(
            call.query_id,
            _place(question),
            connections=self._connections,
            look=lambda: _place(self._items.read(Question, query_key(call.identity, call.query_id))),
            clock_ms=self._clock_ms,
            pause=self._pause,
            log=self._log,
            messages=messages,
        )

    def _replay(self, call: Call, question: Question) -> Outcome:
        try:
            messages = self._answers.kept(call.identity, call.query_id)
        except NotKept:
            return self._forget(call, question)
        forwarder = self._forwarder(call, question, messages)
        forwarder.end(_place(question), self._answered(call, messages))
        self._end_allowance(call)
        self._log.info("query_replayed", pieces=len(messages))
        return Outcome.REPLAYED

    def _forget(self, call: Call, question: Question) -> Outcome:
        """The answer is not there any more: asked again, the question is answered anew."""

        def forget(now: Question) -> tuple[Question, None]:
            gone = now.status is Status.ANSWERED
            return (now.failed(GONE.code, retryable=GONE.retryable) if gone else now), None

        self._items.change(Question, query_key(call.identity, call.query_id), forget)
        self._forwarder(call, question).end(_place(question), _failure(call, GONE))
        self._end_allowance(call)
        self._log.warning("answer_not_kept")
        return Outcome.FAILED

    def _work(self, job: Job) -> Outcome:
        try:
            return self._ask(job)
        except Exception:

            def give_back(now: Question) -> tuple[Question, None]:
                return (now.given_back() if job.ours(now) else now), None

            self._items.change(Question, query_key(job.call.identity, job.call.query_id), give_back)
            raise

    def _ask(self, job: Job) -> Outcome:
        call = job.call
        try:
            self._listen(job, self._materials.question(call.identity, call.query_id, job.question))
        except Unanswerable as error:
            return self._fail(job, error, cause=error.code)
        except AgentFailed as error:
            failed = Unanswerable(Code.AGENT_FAILED, MESSAGES[error.code], retryable=error.retryable)
            return self._fail(job, failed, cause=error.code)
        messages = tuple(job.forwarder.messages)
        self._answers.keep(call.identity, call.query_id, messages)
        self._remember(job)
        answered = self._answered(call, messages)
        spoken = answered.audio_url is not None
        ended = self._end(job, lambda now: now.answered(len(messages), has_audio=spoken), answered)
        return self._ended(job, Outcome.ANSWERED if ended else Outcome.OVERTAKEN)

    def _listen(self, job: Job, question: agent.Question) -> None:
        with self._agent.answer(question) as answer:
            try:
                for piece in answer:
                    job.hearing.hear(piece, self._clock_ms())
                    job.forwarder.send(piece)
            finally:
                job.hearing.dropped_citations = answer.dropped_citations

    def _remember(self, job: Job) -> None:
        """A guest's own item may be such that nothing can be added: that is no reason to ask again."""
        asked, heard = job.question, job.hearing
        key = conversation_key(job.call.identity, asked.session, asked.lecture_id)
        words = heard.transcript if asked.audio_key is not None else asked.text or ""
        try:
            self._conversations.append(key, job.call.query_id, words, "".join(heard.text))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("turn_lost", error_type=type(error).__name__)

    def _answered(self, call: Call, messages: tuple[Piece, ...]) -> Answered:
        url = self._answers.audio_url(call.identity, call.query_id, messages)
        return Answered(query_id=call.query_id, pieces=len(messages), audio_url=url)

    def _fail(self, job: Job, error: Unanswerable, *, cause: str) -> Outcome:
        failed = _failure(job.call, error)
        ended = self._end(job, lambda now: now.failed(error.code, retryable=error.retryable), failed)
        return self._ended(job, Outcome.FAILED if ended else Outcome.OVERTAKEN, cause)

    def _end(self, job: Job, move: Callable[[Question], Question], last: Message) -> bool:
        """Writes how it ended, and tells whoever listens at that moment; who comes later calls again."""

        def end(now: Question) -> tuple[Question, Place | None]:
            return (move(now), _place(now)) if job.ours(now) else (now, None)

        place = self._items.change(Question, query_key(job.call.identity, job.call.query_id), end)
        if place is None:
            return False
        job.forwarder.end(place, last)
        self._end_allowance(job.call)
        return True

    def _end_allowance(self, call: Call) -> None:
        """It ends by itself too, later."""
        try:
            self._items.change(Allowance, allowance_key(call.identity), lambda one: (one.ended(call.query_id), None))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("allowance_kept", error_type=type(error).__name__)

    def _ended(self, job: Job, outcome: Outcome, cause: str = "") -> Outcome:
        heard = job.hearing
        fields = Fields(
            outcome=outcome,
            cause=cause,
            milliseconds=max(0, self._clock_ms() - job.asked_ms),
            pieces=len(job.forwarder.messages),
            dropped_citations=heard.dropped_citations,
        )
        if heard.first_ms is not None:
            fields["first_piece_milliseconds"] = max(0, heard.first_ms - job.asked_ms)
        self._log.info("query_ended", **fields)
        return outcome


def _place(question: Question) -> Place:
    return Place(question.connection, question.resume_from)


def _failure(call: Call, error: Unanswerable) -> QueryFailed:
    return QueryFailed(code=error.code, message=error.message, query_id=call.query_id, retryable=error.retryable)


@cache
def _worker() -> Worker:
    """Made once a container."""
    environment = WorkerEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=CONFIG)
    s3 = session.client("s3", config=CONFIG.merge(SIGNING))
    table, bucket, days = environment.dynamodb_table, environment.s3_bucket, environment.session_days
    conversations = Conversations(dynamodb, table, kept_days=days, clock_ms=_now_ms)
    return Worker(
        VersionedItems(dynamodb, table, ttl_attribute=TTL_ATTRIBUTE, kept_seconds=days * DAY_SECONDS, clock_ms=_now_ms),
        Materials(dynamodb, s3, conversations, table=table, bucket=bucket),
        conversations,
        Answers(s3, bucket),
        Connections(session.client("apigatewaymanagementapi", config=LIVE_CONFIG)),
        agent=agent_of(environment, session),
        clock_ms=_now_ms,
        pause=time.sleep,
        log=EventLog(environment.log_level),
    )


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def handler(event: Mapping[str, Any], context: LambdaContext) -> str:
    """The entry point of the function."""
    return _worker().handle(event, context.get_remaining_time_in_millis())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _worker()  # while the container starts, which is faster and comes before anybody waits

"""Answers one question: asks the agent, forwards what it says while it says it, and keeps the whole.

What the agent makes of a question is final for this call. Only a mistake of ours is an exception: the question is given
back, and the next call begins anew. Where it could not be given back, or nobody was left to do it, Lambda makes the call
again, and that one begins anew. From the moment that the record says how it ended, nothing is an exception any more.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.versioned_items import TooManyWriters
from handlers.common.logging import EventLog, LogFields
from handlers.common.websocket.connections import WebSocketConnections
from handlers.common.websocket.messages import Message
from handlers.voice_qa.client_messages import Answered, Code, Piece, QueryFailed, Unanswerable
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import Agent, AgentCode, AgentFailed
from handlers.voice_qa.query_worker.answer_forwarding import Forwarder
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.question_context import Materials
from handlers.voice_qa.query_worker.question_item import QuestionItem
from handlers.voice_qa.query_worker.stored_answers import Answers, NotKept
from handlers.voice_qa.table_records import Question, Status, conversation_key

GONE = Unanswerable(Code.QUERY_FAILED, "The answer is not kept any more. Ask again.", retryable=True)

MESSAGES = {
    AgentCode.REFUSED: "Questions cannot be answered at the moment.",
    AgentCode.UNAVAILABLE: "Nobody can answer at the moment. Ask again.",
    AgentCode.THROTTLED: "Too much is being asked at the moment. Ask again in a while.",
    AgentCode.FIRST_BYTE_LATE: "The answer did not begin in time. Ask again.",
    AgentCode.TOO_SLOW: "The answer did not come to an end in time. Ask again.",
    AgentCode.BROKEN_OFF: "The answer broke off. Ask again.",
    AgentCode.MALFORMED: "The answer could not be read.",
    AgentCode.TOO_MUCH: "The answer was too long.",
    AgentCode.REJECTED: "This question cannot be answered.",
    AgentCode.FAILED: "The question could not be answered.",
}
"""What clients are told where an agent fails: nothing that it said itself."""


class Outcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    REPLAYED = "replayed"
    NOTHING_TO_DO = "nothing_to_do"
    OVERTAKEN = "overtaken"
    """Another call has begun, because this one was taken for lost."""


@dataclass
class Hearing:
    """What has been heard of an answer."""

    first_ms: int | None = None
    text: list[str] = field(default_factory=list)
    transcript: str = ""
    dropped_citations: int = 0

    def hear(self, piece: agent_types.Piece, now_ms: int) -> None:
        """One piece more."""
        self.first_ms = now_ms if self.first_ms is None else self.first_ms
        match piece:
            case agent_types.TextPiece(text):
                self.text.append(text)
            case agent_types.TranscriptPiece(text):
                self.transcript = text


@dataclass(frozen=True)
class Job:
    """An attempt at a question."""

    item: QuestionItem
    question: Question
    forwarder: Forwarder
    asked_ms: int
    hearing: Hearing = field(default_factory=Hearing)


class Answering:
    """Answers questions, one at a time."""

    def __init__(
        self,
        materials: Materials,
        conversations: Conversations,
        answers: Answers,
        connections: WebSocketConnections,
        *,
        agent: Agent,
        clock_ms: Callable[[], int],
        pause: Callable[[float], None],
        log: EventLog,
    ) -> None:
        self._materials = materials
        self._conversations = conversations
        self._answers = answers
        self._connections = connections
        self._agent = agent
        self._clock_ms = clock_ms
        self._pause = pause
        self._log = log

    def answer(self, item: QuestionItem, remaining_ms: int, call: str) -> Outcome:
        """One question, if it is to be answered; one that was answered already is said again."""
        now_ms = self._clock_ms()
        question, mine = item.begin(now_ms, now_ms + remaining_ms, call)
        if mine:
            forwarder = self._forwarder(item, question, question.attempt)
            return self._work(Job(item, question, forwarder, question.asked_ms or now_ms))
        if question.status is Status.ANSWERED:
            return self._replay(item, question)
        self._log.info("query_not_ours", outcome=question.status)
        return Outcome.NOTHING_TO_DO

    def _forwarder(
        self, item: QuestionItem, question: Question, attempt: int, messages: tuple[Piece, ...] = ()
    ) -> Forwarder:
        return Forwarder(
            item.query_id,
            attempt,
            question.place,
            connections=self._connections,
            look=lambda: item.place(attempt),
            clock_ms=self._clock_ms,
            pause=self._pause,
            log=self._log,
            messages=messages,
        )

    def _replay(self, item: QuestionItem, question: Question) -> Outcome:
        attempt = question.attempt
        try:
            messages = self._answers.kept(item.identity, item.query_id, attempt)
        except NotKept:
            return self._forget(item, question)
        forwarder = self._forwarder(item, question, attempt, messages)
        forwarder.end(question.place, self._answered(item, attempt, messages))
        item.end_allowance()
        self._log.info("query_replayed", pieces=len(messages))
        return Outcome.REPLAYED

    def _forget(self, item: QuestionItem, question: Question) -> Outcome:
        """The answer is not there any more: asked again, the question is answered anew."""
        item.forget(GONE.code, retryable=GONE.retryable)
        self._forwarder(item, question, question.attempt).end(question.place, _failure(item, GONE))
        item.end_allowance()
        self._log.warning("answer_not_kept")
        return Outcome.FAILED

    def _work(self, job: Job) -> Outcome:
        try:
            return self._ask(job)
        except Exception:
            job.item.give_back(job.question.attempt)
            raise

    def _ask(self, job: Job) -> Outcome:
        item = job.item
        try:
            self._listen(job, self._materials.question(item.identity, item.query_id, job.question))
        except Unanswerable as error:
            return self._fail(job, error, cause=error.code)
        except AgentFailed as error:
            failed = Unanswerable(Code.AGENT_FAILED, MESSAGES[error.code], retryable=error.retryable)
            return self._fail(job, failed, cause=error.code)
        attempt, messages = job.question.attempt, tuple(job.forwarder.messages)
        self._answers.keep(item.identity, item.query_id, attempt, messages)
        answered = self._answered(item, attempt, messages)
        ended = self._end(job, Question.answered, answered, lambda: self._remember(job))
        return self._ended(job, Outcome.ANSWERED if ended else Outcome.OVERTAKEN)

    def _listen(self, job: Job, question: agent_types.Question) -> None:
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
        key = conversation_key(job.item.identity, asked.session, asked.lecture_id)
        words = heard.transcript if asked.audio_key is not None else asked.text or ""
        try:
            self._conversations.append(key, job.item.query_id, words, "".join(heard.text))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("turn_lost", error_type=type(error).__name__)

    def _answered(self, item: QuestionItem, attempt: int, messages: tuple[Piece, ...]) -> Answered:
        url = self._answers.audio_url(item.identity, item.query_id, attempt, messages)
        return Answered(query_id=item.query_id, attempt=attempt, pieces=len(messages), audio_url=url)

    def _fail(self, job: Job, error: Unanswerable, *, cause: str) -> Outcome:
        failed = _failure(job.item, error)
        ended = self._end(job, lambda now: now.failed(error.code, retryable=error.retryable), failed)
        return self._ended(job, Outcome.FAILED if ended else Outcome.OVERTAKEN, cause)

    def _end(
        self, job: Job, move: Callable[[Question], Question], last: Message, first: Callable[[], None] | None = None
    ) -> bool:
        """Writes how it ended, and tells whoever listens at that moment; who comes later calls again.

        What is to be done `first`, whoever was overtaken does not do.
        """
        place = job.item.end(job.question.attempt, move)
        if place is None:
            return False
        if first is not None:
            first()
        job.forwarder.end(place, last)
        job.item.end_allowance()
        return True

    def _ended(self, job: Job, outcome: Outcome, cause: str = "") -> Outcome:
        heard = job.hearing
        fields = LogFields(
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


def _failure(item: QuestionItem, error: Unanswerable) -> QueryFailed:
    return QueryFailed(code=error.code, message=error.message, query_id=item.query_id, retryable=error.retryable)

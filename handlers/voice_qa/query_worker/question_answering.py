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
from handlers.common.logging import EventLog, Fields
from handlers.common.websocket.connections import Connections
from handlers.common.websocket.messages import Message
from handlers.voice_qa.client_messages import Answered, Piece, QueryFailed, UnanswerableQuestion, VoiceQaErrorCode
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import Agent, AgentCode, AgentFailed
from handlers.voice_qa.query_worker.answer_forwarding import AnswerForwarder
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.question_context import QuestionContext
from handlers.voice_qa.query_worker.question_item import QuestionItem
from handlers.voice_qa.query_worker.stored_answers import AnswerNotStored, AnswerStore
from handlers.voice_qa.table_records import QuestionRecord, QuestionStatus, conversation_key

GONE = UnanswerableQuestion(
    VoiceQaErrorCode.QUERY_FAILED, "The answer is not kept any more. Ask again.", retryable=True
)

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


class AnswerOutcome(StrEnum):
    """How a call ended."""

    ANSWERED = "answered"
    FAILED = "failed"
    REPLAYED = "replayed"
    NOTHING_TO_DO = "nothing_to_do"
    OVERTAKEN = "overtaken"
    """Another call has begun, because this one was taken for lost."""


@dataclass
class ReceivedAnswer:
    """What has been heard of an answer."""

    first_ms: int | None = None
    text: list[str] = field(default_factory=list)
    transcript: str = ""
    dropped_citations: int = 0

    def hear(self, piece: agent_types.AgentPiece, now_ms: int) -> None:
        """One piece more."""
        self.first_ms = now_ms if self.first_ms is None else self.first_ms
        match piece:
            case agent_types.AgentTextPiece(text):
                self.text.append(text)
            case agent_types.AgentTranscriptPiece(text):
                self.transcript = text


@dataclass(frozen=True)
class AnswerAttempt:
    """An attempt at a question."""

    item: QuestionItem
    question: QuestionRecord
    forwarder: AnswerForwarder
    asked_ms: int
    hearing: ReceivedAnswer = field(default_factory=ReceivedAnswer)


class QuestionAnswering:
    """Answers questions, one at a time."""

    def __init__(
        self,
        materials: QuestionContext,
        conversations: Conversations,
        answers: AnswerStore,
        connections: Connections,
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

    def answer(self, item: QuestionItem, remaining_ms: int, call: str) -> AnswerOutcome:
        """One question, if it is to be answered; one that was answered already is said again."""
        now_ms = self._clock_ms()
        question, mine = item.begin(now_ms, now_ms + remaining_ms, call)
        if mine:
            forwarder = self._forwarder(item, question, question.attempt)
            return self._work(AnswerAttempt(item, question, forwarder, question.asked_ms or now_ms))
        if question.status is QuestionStatus.ANSWERED:
            return self._replay(item, question)
        self._log.info("query_not_ours", outcome=question.status)
        return AnswerOutcome.NOTHING_TO_DO

    def _forwarder(
        self, item: QuestionItem, question: QuestionRecord, attempt: int, messages: tuple[Piece, ...] = ()
    ) -> AnswerForwarder:
        return AnswerForwarder(
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

    def _replay(self, item: QuestionItem, question: QuestionRecord) -> AnswerOutcome:
        attempt = question.attempt
        try:
            messages = self._answers.kept(item.identity, item.query_id, attempt)
        except AnswerNotStored:
            return self._forget(item, question)
        forwarder = self._forwarder(item, question, attempt, messages)
        forwarder.end(question.place, self._answered(item, attempt, messages))
        item.end_allowance()
        self._log.info("query_replayed", pieces=len(messages))
        return AnswerOutcome.REPLAYED

    def _forget(self, item: QuestionItem, question: QuestionRecord) -> AnswerOutcome:
        """The answer is not there any more: asked again, the question is answered anew."""
        item.forget(GONE.code, retryable=GONE.retryable)
        self._forwarder(item, question, question.attempt).end(question.place, _failure(item, GONE))
        item.end_allowance()
        self._log.warning("answer_not_kept")
        return AnswerOutcome.FAILED

    def _work(self, job: AnswerAttempt) -> AnswerOutcome:
        try:
            return self._ask(job)
        except Exception:
            job.item.give_back(job.question.attempt)
            raise

    def _ask(self, job: AnswerAttempt) -> AnswerOutcome:
        item = job.item
        try:
            self._listen(job, self._materials.question(item.identity, item.query_id, job.question))
        except UnanswerableQuestion as error:
            return self._fail(job, error, cause=error.code)
        except AgentFailed as error:
            failed = UnanswerableQuestion(
                VoiceQaErrorCode.AGENT_FAILED, MESSAGES[error.code], retryable=error.retryable
            )
            return self._fail(job, failed, cause=error.code)
        attempt, messages = job.question.attempt, tuple(job.forwarder.messages)
        self._answers.keep(item.identity, item.query_id, attempt, messages)
        answered = self._answered(item, attempt, messages)
        ended = self._end(job, QuestionRecord.mark_answered, answered, lambda: self._remember(job))
        return self._ended(job, AnswerOutcome.ANSWERED if ended else AnswerOutcome.OVERTAKEN)

    def _listen(self, job: AnswerAttempt, question: agent_types.AgentQuestion) -> None:
        with self._agent.answer(question) as answer:
            try:
                for piece in answer:
                    job.hearing.hear(piece, self._clock_ms())
                    job.forwarder.send(piece)
            finally:
                job.hearing.dropped_citations = answer.dropped_citations

    def _remember(self, job: AnswerAttempt) -> None:
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

    def _fail(self, job: AnswerAttempt, error: UnanswerableQuestion, *, cause: str) -> AnswerOutcome:
        failed = _failure(job.item, error)
        ended = self._end(job, lambda now: now.failed(error.code, retryable=error.retryable), failed)
        return self._ended(job, AnswerOutcome.FAILED if ended else AnswerOutcome.OVERTAKEN, cause)

    def _end(
        self,
        job: AnswerAttempt,
        move: Callable[[QuestionRecord], QuestionRecord],
        last: Message,
        first: Callable[[], None] | None = None,
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

    def _ended(self, job: AnswerAttempt, outcome: AnswerOutcome, cause: str = "") -> AnswerOutcome:
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


def _failure(item: QuestionItem, error: UnanswerableQuestion) -> QueryFailed:
    return QueryFailed(code=error.code, message=error.message, query_id=item.query_id, retryable=error.retryable)

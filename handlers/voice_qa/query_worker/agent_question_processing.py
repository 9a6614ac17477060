"""Answering of one question: send it to the agent, forward the answer to the client while it arrives, and store it.

The agent is the external service that answers questions. If the agent fails or the question cannot be answered, the
question is marked as failed, and the client is notified. If anything else fails, such as a read of the table, the
exception is raised, so that Lambda retries the invocation. Before that, the question is released, so that the retry can
begin another attempt. Once the record says that the question has ended, failures to notify the client or to store the
turn (the question and its answer) are only logged.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.records import TooManyWriters
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.query_worker import agent_protocol
from handlers.voice_qa.query_worker.agent import Agent
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed
from handlers.voice_qa.query_worker.answer_forwarding import AnswerForwarder
from handlers.voice_qa.query_worker.answer_store import AnswerNotStored, AnswerStore
from handlers.voice_qa.query_worker.conversations import Conversations
from handlers.voice_qa.query_worker.environment import AgentCode
from handlers.voice_qa.query_worker.question_context import QuestionContext
from handlers.voice_qa.question_item_updates import QuestionItem
from handlers.voice_qa.table_records import QuestionRecord, QuestionStatus, conversation_key
from handlers.voice_qa.websocket_messages import Answered, Piece, QueryFailed, UnanswerableQuestion, VoiceQaErrorCode

ANSWER_GONE = UnanswerableQuestion(
    VoiceQaErrorCode.QUERY_FAILED, "The answer is no longer stored. Ask again.", retryable=True
)

MESSAGES = {
    AgentCode.REFUSED: "Questions cannot be answered at the moment.",
    AgentCode.REJECTED: "This question cannot be answered.",
    AgentCode.THROTTLED: "Too many questions are being asked at the moment. Ask again later.",
    AgentCode.UNAVAILABLE: "The answer was interrupted, or the agent is not available at the moment. Ask again.",
    AgentCode.TOO_SLOW: "The answer did not start or end in time. Ask again.",
    AgentCode.MALFORMED: "The answer could not be read.",
    AgentCode.FAILED: "The question could not be answered.",
}
"""Messages for clients by failure of the agent. They contain nothing that the agent sent."""


class AnswerOutcome(StrEnum):
    """Outcome of an invocation, as it is logged."""

    ANSWERED = "answered"
    FAILED = "failed"
    """The question was not answered. The client was notified, unless it is not connected any more."""
    REPLAYED = "replayed"
    """The stored answer was sent again."""
    NOTHING_TO_DO = "nothing_to_do"
    """Another invocation is answering the question, or the question has failed."""
    NO_LONGER_RUNNING = "overtaken"
    """This attempt was not running any more: another attempt had begun, or the question had been marked as failed after
    its time limit."""


@dataclass
class ReceivedAnswer:
    """Parts of an answer that were received so far, for the conversation and the log."""

    first_piece_ms: int | None = None
    """Time at which the first piece arrived, or None before that."""
    text: list[str] = field(default_factory=list)
    transcript: str = ""
    """The agent's transcript of a spoken question."""

    def add(self, piece: agent_protocol.AgentPiece, now_ms: int) -> None:
        self.first_piece_ms = now_ms if self.first_piece_ms is None else self.first_piece_ms
        match piece:
            case agent_protocol.AgentText(text=text):
                self.text.append(text)
            case agent_protocol.AgentTranscript(text=text):
                self.transcript = text


@dataclass(frozen=True)
class AnswerAttempt:
    """An attempt to answer a question, and the parts of the answer that it has received."""

    item: QuestionItem
    question: QuestionRecord
    """The question's record at the beginning of the attempt."""
    forwarder: AnswerForwarder
    asked_ms: int
    """Time at which the client requested this attempt."""
    received: ReceivedAnswer = field(default_factory=ReceivedAnswer)

    @property
    def number(self) -> int:
        """Number of this attempt among those for the question."""
        return self.question.attempt


class QuestionAnswering:
    def __init__(
        self,
        context: QuestionContext,
        conversations: Conversations,
        answers: AnswerStore,
        connections: WebSocketConnections,
        *,
        agent: Agent,
        max_attempt_ms: int,
        clock_ms: Callable[[], int],
        pause: Callable[[float], None],
        log: EventLog,
    ) -> None:
        """`max_attempt_ms` is the time after which an attempt counts as dead, so that a client can ask again.

        `pause` waits for a number of seconds.
        """
        self._context = context
        self._conversations = conversations
        self._answers = answers
        self._connections = connections
        self._agent = agent
        self._max_attempt_ms = max_attempt_ms
        self._clock_ms = clock_ms
        self._pause = pause
        self._log = log

    def answer(self, item: QuestionItem, remaining_ms: int, request_id: str) -> AnswerOutcome:
        """Answer the question, or send its stored answer again, or do nothing if it needs neither.

        The invocation times out in `remaining_ms`.
        """
        now_ms = self._clock_ms()
        question, must_answer = item.begin(now_ms, now_ms + min(remaining_ms, self._max_attempt_ms), request_id)
        if must_answer:
            forwarder = self._create_forwarder(item, question)
            return self._answer_or_release(AnswerAttempt(item, question, forwarder, question.asked_ms or now_ms))
        if question.status is QuestionStatus.ANSWERED:
            return self._send_stored_answer(item, question)
        self._log.info("query_not_ours", outcome=question.status)
        return AnswerOutcome.NOTHING_TO_DO

    def _create_forwarder(
        self, item: QuestionItem, question: QuestionRecord, messages: tuple[Piece, ...] = ()
    ) -> AnswerForwarder:
        return AnswerForwarder(
            item.query_id,
            question.attempt,
            question.listener,
            connections=self._connections,
            read_listener=lambda: item.current_listener(question.attempt),
            clock_ms=self._clock_ms,
            pause=self._pause,
            log=self._log,
            messages=messages,
        )

    def _send_stored_answer(self, item: QuestionItem, question: QuestionRecord) -> AnswerOutcome:
        try:
            messages = self._answers.get(item.guest_id, item.query_id, question.attempt)
        except AnswerNotStored:
            return self._fail_gone_answer(item, question)
        forwarder = self._create_forwarder(item, question, messages)
        self._report_end(item, question, forwarder, self._answered_message(item, question.attempt, messages))
        self._log.info("query_replayed", pieces=len(messages))
        return AnswerOutcome.REPLAYED

    def _fail_gone_answer(self, item: QuestionItem, question: QuestionRecord) -> AnswerOutcome:
        """Mark the question as failed, because its stored answer no longer exists. The client can ask again."""
        item.mark_answer_gone(ANSWER_GONE.code, retryable=ANSWER_GONE.retryable)
        forwarder = self._create_forwarder(item, question)
        self._report_end(item, question, forwarder, _failed_message(item, ANSWER_GONE))
        self._log.warning("answer_not_kept")
        return AnswerOutcome.FAILED

    def _answer_or_release(self, attempt: AnswerAttempt) -> AnswerOutcome:
        try:
            return self._answer_with_agent(attempt)
        except Exception:
            attempt.item.release(attempt.number)
            raise

    def _answer_with_agent(self, attempt: AnswerAttempt) -> AnswerOutcome:
        item = attempt.item
        try:
            self._forward_answer(attempt, self._context.collect(item.guest_id, item.query_id, attempt.question))
        except UnanswerableQuestion as error:
            return self._fail(attempt, error, cause=error.code)
        except AgentFailed as error:
            failed = UnanswerableQuestion(
                VoiceQaErrorCode.AGENT_FAILED, MESSAGES[error.code], retryable=error.retryable
            )
            return self._fail(attempt, failed, cause=error.code)
        attempt_number, messages = attempt.number, tuple(attempt.forwarder.messages)
        self._answers.put(item.guest_id, item.query_id, attempt_number, messages)
        answered = self._answered_message(item, attempt_number, messages)
        ended = self._end(attempt, QuestionRecord.mark_answered, answered, lambda: self._append_turn(attempt))
        return self._log_end(attempt, AnswerOutcome.ANSWERED if ended else AnswerOutcome.NO_LONGER_RUNNING)

    def _forward_answer(self, attempt: AnswerAttempt, question: agent_protocol.AgentQuestion) -> None:
        with self._agent.answer(question) as pieces:
            for piece in pieces:
                attempt.received.add(piece, self._clock_ms())
                attempt.forwarder.send(piece)

    def _append_turn(self, attempt: AnswerAttempt) -> None:
        """Append question and answer to the conversation. A failure is only logged, because the answer is complete."""
        question, received = attempt.question, attempt.received
        key = conversation_key(question.identity, question.session, question.lecture_id)
        asked_text = received.transcript if question.audio_key is not None else question.text or ""
        try:
            self._conversations.append(key, attempt.item.query_id, asked_text, "".join(received.text))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.failure("turn_lost", error, level="WARNING")

    def _answered_message(self, item: QuestionItem, attempt_number: int, messages: tuple[Piece, ...]) -> Answered:
        url = self._answers.audio_url(item.guest_id, item.query_id, attempt_number, messages)
        return Answered(query_id=item.query_id, attempt=attempt_number, pieces=len(messages), audio_url=url)

    def _fail(self, attempt: AnswerAttempt, error: UnanswerableQuestion, *, cause: StrEnum) -> AnswerOutcome:
        failed = _failed_message(attempt.item, error)
        ended = self._end(attempt, lambda record: record.mark_failed(error.code, retryable=error.retryable), failed)
        return self._log_end(attempt, AnswerOutcome.FAILED if ended else AnswerOutcome.NO_LONGER_RUNNING, cause)

    def _end(
        self,
        attempt: AnswerAttempt,
        transition: Callable[[QuestionRecord], QuestionRecord],
        last_message: Message,
        before_message: Callable[[], None] | None = None,
    ) -> bool:
        """End the question with `transition`, and post `last_message` to the listener in the changed record.

        The listener is the connection that receives the answer. It changes when the client reconnects.

        `before_message` is called after the record has changed and before the message is posted. Return False if this
        attempt is not running any more, because another attempt has begun, or because the question was marked as failed
        after its time limit.
        """
        ended = attempt.item.end(attempt.number, transition)
        if ended is None:
            return False
        if before_message is not None:
            before_message()
        self._report_end(attempt.item, ended, attempt.forwarder, last_message)
        return True

    def _report_end(
        self, item: QuestionItem, ended: QuestionRecord, forwarder: AnswerForwarder, last_message: Message
    ) -> None:
        """Notify the listener that the question has ended, and record that it was notified.

        If this process dies before that is recorded, the time limit check notifies the client (`overdue_question_check`).
        """
        if forwarder.end(ended.listener, last_message):
            item.mark_reported(ended.calls)
        item.stop_counting_as_running()

    def _log_end(self, attempt: AnswerAttempt, outcome: AnswerOutcome, cause: StrEnum | None = None) -> AnswerOutcome:
        received = attempt.received
        first_ms = received.first_piece_ms
        self._log.info(
            "query_ended",
            outcome=outcome,
            cause=cause,
            milliseconds=max(0, self._clock_ms() - attempt.asked_ms),
            first_piece_milliseconds=None if first_ms is None else max(0, first_ms - attempt.asked_ms),
            pieces=len(attempt.forwarder.messages),
        )
        return outcome


def _failed_message(item: QuestionItem, error: UnanswerableQuestion) -> QueryFailed:
    return QueryFailed(code=error.code, message=error.message, query_id=item.query_id, retryable=error.retryable)

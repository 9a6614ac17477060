"""Questions of guests: accept a question and invoke the query worker, and fail a question that did not end in time.

The query worker is the Lambda function that answers a stored question. It can die at any moment or never start, and the
client would then wait for ever. So before each invocation, a message is sent to an SQS queue: the time limit check. SQS
delivers it to the WebSocket handler after the time limit. If the question has not ended, it is marked as failed, and the
client gets an error. If it has ended, but the worker died before it notified the client, the client gets the same error,
but the question is not changed. In both cases, the client can ask again.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.errors import CommonErrorCode, HandlerError
from handlers.common.ids import ULID_PATTERN
from handlers.common.logging import EventLog
from handlers.common.records import Records
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.environment import QUERIES
from handlers.voice_qa.lectures import LectureTable
from handlers.voice_qa.messages import (
    Query,
    QueryAccepted,
    QueryFailed,
    UnanswerableQuestion,
    VoiceQaErrorCode,
)
from handlers.voice_qa.records import (
    HOUR_MS,
    Counter,
    GuestConnection,
    Question,
    QuestionReference,
    QuestionStatus,
    count_within_limit,
    counter_key,
    query_key,
)

OVERDUE_MESSAGE = "The complete answer did not arrive in time. Ask again."


@dataclass(frozen=True)
class Questions:
    """The stored questions, as the WebSocket handler changes them."""

    records: Records[Question]
    counters: Records[Counter]
    lectures: LectureTable
    connections: WebSocketConnections
    schedule_check: Callable[[QuestionReference], None]
    invoke_worker: Callable[[QuestionReference], None]
    new_id: Callable[[], str]
    clock_ms: Callable[[], int]
    log: EventLog
    queries_per_hour: int
    limit_ms: int
    """Time limit of a question."""

    def ask(self, guest: GuestConnection, connection: str, message: Query) -> QueryAccepted:
        """Accept a question. It may have been asked before. Raises HandlerError if it is refused."""
        _check_question(guest, message)
        now_ms, key = self.clock_ms(), query_key(guest.guest_id, message.query_id)
        new = Question(
            identity=guest.identity,
            lecture=message.lecture_id,
            session=message.session_id or self.new_id(),
            audio_key=message.audio_key,
            text=message.text,
            language=message.language,
            connection=connection,
            resume_attempt=message.attempt,
            resume_from=message.resume_from,
            asked_ms=now_ms,
        )
        stored = self.records.read(key)
        if stored is None or stored.needs_attempt(now_ms):
            # Only a new attempt needs a ready lecture. A running attempt continues even if its lecture is replaced.
            self._check_lecture(message.lecture_id)
        requested = new if stored is None else stored.apply_request(new, now_ms)
        if requested.needs_worker:
            self._count(guest.guest_id, f"{message.query_id}.{requested.request_count}", now_ms)
        question = self.records.change(key, lambda record: record.apply_request(new, now_ms) if record else new) or new
        if question.status is QuestionStatus.FAILED:
            raise HandlerError(
                VoiceQaErrorCode.QUERY_FAILED, "This question cannot be answered. Asking it again would not help."
            )
        if question.needs_worker:
            self._start_worker(QuestionReference(guest_id=guest.guest_id, query_id=message.query_id))
        return QueryAccepted(
            query_id=message.query_id, session_id=question.session, repeated=question.request_count > 1
        )

    def check_time_limit(self, body: str) -> None:
        """Notify the client of a question that did not end in time, or whose end was not reported.

        If posting the error fails, SQS redelivers the check. The question is then already marked as failed, but its end
        is not marked as reported. So the repeated check still posts the error.
        """
        check = QuestionReference.model_validate_json(body)
        key, now_ms = query_key(check.guest_id, check.query_id), self.clock_ms()
        question = self.records.change(key, lambda record: record and record.fail_if_overdue(now_ms, self.limit_ms))
        if question is None or not question.has_ended or question.reported:
            return
        self.log.error("query_overdue", outcome=question.status)
        error = QueryFailed(
            code=VoiceQaErrorCode.AGENT_FAILED, message=OVERDUE_MESSAGE, query_id=check.query_id, retryable=True
        )
        if self.connections.post(question.connection, error):
            self.records.change(key, lambda record: record and record.mark_reported(question.request_count))

    def _check_lecture(self, lecture_id: str) -> None:
        try:
            self.lectures.find_ready(lecture_id)
        except UnanswerableQuestion as error:
            raise HandlerError(error.code, error.message) from None

    def _count(self, guest_id: str, request: str, now_ms: int) -> None:
        key = counter_key(guest_id, "queries", now_ms // HOUR_MS)
        if not count_within_limit(self.counters, key, request, self.queries_per_hour):
            raise HandlerError(
                VoiceQaErrorCode.TOO_MANY_QUERIES,
                f"Limit of {self.queries_per_hour} questions per hour reached. Ask again in the next hour.",
            )

    def _start_worker(self, question: QuestionReference) -> None:
        try:
            self.schedule_check(question)
            self.invoke_worker(question)
        except (ClientError, BotoCoreError) as error:
            # The invocation may have succeeded although its response was lost. So the question stays accepted, and the
            # worker can answer it.
            self.log.failure("worker_not_called", error)
            raise HandlerError(
                VoiceQaErrorCode.UNAVAILABLE, "The question could not be accepted. Ask it again."
            ) from None


def _check_question(guest: GuestConnection, message: Query) -> None:
    """Raise HandlerError unless the message has either a text or audio that this guest uploaded."""
    if (message.audio_key is None) == (message.text is None):
        raise HandlerError(
            CommonErrorCode.MALFORMED,
            "A question has either audioKey or text: send exactly one of them.",
        )
    if message.audio_key is not None and not is_own_query(guest.guest_id, message.audio_key):
        raise HandlerError(VoiceQaErrorCode.AUDIO_REFUSED, "audioKey is not the key of one of your uploads.")


def is_own_query(guest_id: str, key: str) -> bool:
    """Return True if the key has the form of the keys that this guest gets for spoken questions."""
    return re.fullmatch(rf"{QUERIES}{re.escape(guest_id)}/{ULID_PATTERN}", key) is not None

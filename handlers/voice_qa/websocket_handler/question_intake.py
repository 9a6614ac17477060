"""Intake of questions: check a question, count it for the guest's limits, store it, and invoke the query worker.

The query worker is the Lambda function that answers the stored question. For each question, at most one attempt to
answer it runs at a time, so an unnecessary invocation does no harm. Before each invocation, a time limit check is
scheduled (`overdue_question_check`), so that the client gets an error if the invocation is lost or the worker dies.
When the client then asks again, the worker is invoked again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.errors import CommonErrorCode, HandlerError
from handlers.common.json_models import WrongField
from handlers.common.logging import EventLog
from handlers.common.versioned_items import VersionedItems
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.table_records import (
    CHECK_GRACE_SECONDS,
    MAX_CALLS,
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    TimeLimitCheck,
    WorkerEvent,
    allowance_key,
    query_key,
)
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment
from handlers.voice_qa.websocket_handler.upload_forms import is_own_query
from handlers.voice_qa.websocket_messages import Query, QueryAccepted, UnanswerableQuestion, VoiceQaErrorCode


@dataclass(frozen=True)
class ConnectedGuest:
    """A guest and the connection on which the guest asks."""

    identity: str = field(repr=False)
    guest_id: str
    connection: str
    """Id of the connection, which receives the answer."""


@dataclass(frozen=True)
class RequestedQuestion:
    """A question after a client's request was applied to it."""

    record: QuestionRecord
    worker_needed: bool
    repeated: bool
    """True if the question was stored before this request."""


class QuestionIntake:
    def __init__(
        self,
        items: VersionedItems,
        lectures: LectureTable,
        environment: SocketEnvironment,
        *,
        schedule_check: Callable[[TimeLimitCheck], None],
        invoke_worker: Callable[[WorkerEvent], None],
        new_id: Callable[[], str],
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._items = items
        self._lectures = lectures
        self._environment = environment
        self._schedule_check = schedule_check
        self._invoke_worker = invoke_worker
        self._new_id = new_id
        self._clock_ms = clock_ms
        self._log = log

    def ask(self, caller: ConnectedGuest, message: Query) -> QueryAccepted:
        """Accept a question. It may have been asked before. Raises HandlerError if it is refused."""
        _check_question(caller, message)
        now_ms = self._clock_ms()
        new = QuestionRecord(
            identity=caller.identity,
            lecture_id=message.lecture_id,
            session=message.session_id or self._new_id(),
            audio_key=message.audio_key,
            text=message.text,
            language=message.language,
            listener=Listener(connection=caller.connection, attempt=message.attempt, resume_from=message.resume_from),
            asked_ms=now_ms,
        )

        def update(stored: QuestionRecord) -> tuple[QuestionRecord, RequestedQuestion]:
            changed, worker_needed = stored.apply_request(new, now_ms)
            if changed.status is QuestionStatus.ACCEPTED and stored.status is not QuestionStatus.ACCEPTED:
                # The lecture is only checked for a new attempt. A running attempt continues even if its lecture is no
                # longer ready.
                self._check_lecture(message.lecture_id)
            if worker_needed:
                # If a limit is reached, this raises an exception, and the question is not changed. If a concurrent
                # change makes `update` run again, the question already counts as being answered, and is not counted
                # twice.
                self._count_question(caller.guest_id, message.query_id, now_ms)
            repeated = stored.status is not QuestionStatus.NEW
            return changed, RequestedQuestion(changed, worker_needed=worker_needed, repeated=repeated)

        question = self._items.change(QuestionRecord, query_key(caller.guest_id, message.query_id), update)
        _check_answerable(question, now_ms)
        if question.worker_needed:
            self._start_worker(caller.guest_id, message.query_id, question.record.calls, now_ms)
        return QueryAccepted(query_id=message.query_id, session_id=question.record.session, repeated=question.repeated)

    def _check_lecture(self, lecture_id: str) -> None:
        try:
            self._lectures.find_ready(lecture_id)
        except UnanswerableQuestion as error:
            raise HandlerError(error.code, error.message) from None

    def _count_question(self, guest_id: str, query_id: str, now_ms: int) -> None:
        at_once, per_hour = self._environment.queries_at_once, self._environment.queries_per_hour
        # The question counts as being answered until it ends. If its end could not be recorded, it counts until this
        # time.
        until_ms = now_ms + int((self._environment.answer_seconds + CHECK_GRACE_SECONDS) * 1000)

        def count(allowance: Allowance) -> tuple[Allowance, bool]:
            return allowance.count_question(query_id, now_ms, until_ms, at_once, per_hour)

        if not self._items.change(Allowance, allowance_key(guest_id), count):
            raise HandlerError(
                VoiceQaErrorCode.TOO_MANY_QUERIES,
                f"Limit of {at_once} questions at the same time or {per_hour} per hour reached. Ask again later.",
            )

    def _start_worker(self, guest_id: str, query_id: str, call: int, now_ms: int) -> None:
        try:
            self._schedule_check(TimeLimitCheck(guest_id=guest_id, query_id=query_id, call=call))
            self._invoke_worker(WorkerEvent(guest_id=guest_id, query_id=query_id))
        except (ClientError, BotoCoreError) as error:
            # The invocation may have succeeded although its response was lost. So the question stays accepted, and the
            # worker can answer it. It does not count towards the limits, because the failure is not the guest's fault.
            self._log.failure("worker_not_called", error)
            self._items.change(
                Allowance,
                allowance_key(guest_id),
                lambda allowance: (_without_question(allowance, query_id, now_ms), None),
            )
            raise HandlerError(
                VoiceQaErrorCode.UNAVAILABLE, "The question could not be accepted. Ask it again."
            ) from None


def _check_question(caller: ConnectedGuest, message: Query) -> None:
    """Raise HandlerError unless the message has either a text or audio that this guest uploaded."""
    if (message.audio_key is None) == (message.text is None):
        raise HandlerError(
            CommonErrorCode.MALFORMED,
            "Send a question either as audio or as text.",
            fields=[WrongField(field="audioKey", rule="exactly one of audioKey and text is required")],
        )
    if message.audio_key is not None and not is_own_query(caller.guest_id, message.audio_key):
        raise HandlerError(VoiceQaErrorCode.AUDIO_FOREIGN, "audioKey is not the key of one of your uploads.")


def _check_answerable(question: RequestedQuestion, now_ms: int) -> None:
    """Raise HandlerError if no worker is answering the question or will answer it."""
    record = question.record
    being_answered = record.status is QuestionStatus.RUNNING and record.running_until_ms > now_ms
    # True if the worker was invoked as often as is allowed for one question, and is not answering it now.
    if record.calls >= MAX_CALLS and not question.worker_needed and not being_answered:
        raise HandlerError(
            VoiceQaErrorCode.TOO_MANY_QUERIES, "This question was asked too often. Ask it with a new queryId."
        )
    if record.status is QuestionStatus.FAILED:
        raise HandlerError(
            VoiceQaErrorCode.QUERY_FAILED, "This question cannot be answered. Asking it again would not help."
        )


def _without_question(allowance: Allowance, query_id: str, now_ms: int) -> Allowance:
    """Return the allowance without the question that was counted at `now_ms`.

    The allowance is unchanged if no question was counted at that time, because an earlier request had counted it.
    """
    if now_ms not in allowance.asked_ms:
        return allowance
    index = allowance.asked_ms.index(now_ms)
    asked = (*allowance.asked_ms[:index], *allowance.asked_ms[index + 1 :])
    return allowance.end_question(query_id).model_copy(update={"asked_ms": asked})

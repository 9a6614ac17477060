"""What is done with a question: it is checked, counted, written down, and a worker is called, if one is needed.

Answering is the worker's business; it reads the question where it is written here, and begins it at most once at a
time. So a call too many does no harm, and one that was lost is made again when the question is asked again.
"""

from collections.abc import Callable
from dataclasses import dataclass

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.versioned_items import VersionedItems
from handlers.common.errors import CommonCode, FieldProblem, HandlerError
from handlers.common.logging import EventLog
from handlers.voice_qa.client_messages import Query, QueryAccepted, UnanswerableQuestion, VoiceQaErrorCode
from handlers.voice_qa.lecture_table import LectureTable
from handlers.voice_qa.table_records import (
    MAX_CALLS,
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    WorkerEvent,
    allowance_key,
    query_key,
)
from handlers.voice_qa.websocket_handler.environment import SocketEnvironment
from handlers.voice_qa.websocket_handler.upload_forms import is_own_query

COUNTED_MS = 15 * 60 * 1000
"""How long a question counts as being answered if nobody says that it is over: as long as a worker can live."""


@dataclass(frozen=True)
class ConnectedGuest:
    """Who asks, and where he listens."""

    identity: str
    connection: str


class QuestionIntake:
    """Takes questions."""

    def __init__(
        self,
        items: VersionedItems,
        lectures: LectureTable,
        environment: SocketEnvironment,
        *,
        call: Callable[[WorkerEvent], None],
        new_id: Callable[[], str],
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        self._items = items
        self._lectures = lectures
        self._environment = environment
        self._call = call
        self._new_id = new_id
        self._clock_ms = clock_ms
        self._log = log

    def ask(self, caller: ConnectedGuest, message: Query) -> QueryAccepted:
        """A question, perhaps asked before."""
        _check(caller, message)
        now_ms = self._clock_ms()
        new = QuestionRecord(
            lecture_id=message.lecture_id,
            session=message.session_id or self._new_id(),
            audio_key=message.audio_key,
            text=message.text,
            language=message.language,
            place=Listener(connection=caller.connection, attempt=message.attempt, resume_from=message.resume_from),
            asked_ms=now_ms,
        )

        def ask(known: QuestionRecord) -> tuple[QuestionRecord, tuple[QuestionRecord, bool, bool]]:
            moved, worker_needed = known.asked(new, now_ms)
            if moved.status is QuestionStatus.ACCEPTED and known.status is not QuestionStatus.ACCEPTED:
                # An answer that was begun is heard to its end, whatever became of its lecture since.
                self._check_lecture(message.lecture_id)
            if worker_needed:
                # Refused, the question stays as it is. Counting one question again counts it once.
                self._count(caller.identity, message.query_id, now_ms)
            return moved, (moved, worker_needed, known.status is not QuestionStatus.NEW)

        key = query_key(caller.identity, message.query_id)
        question, worker_needed, known = self._items.change(QuestionRecord, key, ask)
        working = question.status is QuestionStatus.RUNNING and question.running_until_ms > now_ms
        if not worker_needed and question.calls >= MAX_CALLS and not working:
            raise HandlerError(
                VoiceQaErrorCode.TOO_MANY_QUERIES, "This question was asked too often. Ask it under a new name.", 429
            )
        if question.status is QuestionStatus.FAILED:
            raise HandlerError(
                VoiceQaErrorCode.QUERY_FAILED, "This question cannot be answered. Asking it again would not help.", 409
            )
        if worker_needed:
            self._send(WorkerEvent(identity=caller.identity, query_id=message.query_id), now_ms)
        return QueryAccepted(query_id=message.query_id, session_id=question.session, repeated=known)

    def _check_lecture(self, lecture_id: str) -> None:
        try:
            self._lectures.ready(lecture_id)
        except UnanswerableQuestion as error:
            raise HandlerError(error.code, error.message, 409) from None

    def _count(self, identity: str, query_id: str, now_ms: int) -> None:
        at_once, per_hour = self._environment.queries_at_once, self._environment.queries_per_hour

        def take(allowance: Allowance) -> tuple[Allowance, bool]:
            return allowance.taken(query_id, now_ms, now_ms + COUNTED_MS, at_once, per_hour)

        if not self._items.change(Allowance, allowance_key(identity), take):
            raise HandlerError(
                VoiceQaErrorCode.TOO_MANY_QUERIES,
                f"{at_once} questions at once and {per_hour} an hour are the most. Ask again later.",
                429,
            )

    def _send(self, call: WorkerEvent, now_ms: int) -> None:
        try:
            self._call(call)
        except (ClientError, BotoCoreError) as error:
            # Whether it was taken is unknown, so the question stays one that any call may begin, and that asking
            # again calls for. It counts no more: a mistake of ours takes nothing from what may be asked.
            self._log.error("worker_not_called", error_type=type(error).__name__)
            self._items.change(
                Allowance,
                allowance_key(call.identity),
                lambda allowance: (_given_back(allowance, call.query_id, now_ms), None),
            )
            raise HandlerError(
                VoiceQaErrorCode.UNAVAILABLE, "The question could not be taken. Ask it again.", 503
            ) from None


def _check(caller: ConnectedGuest, message: Query) -> None:
    """Refuses what is no question, or is spoken in somebody else's audio."""
    if (message.audio_key is None) == (message.text is None):
        raise HandlerError(
            CommonCode.MALFORMED,
            "A question is either spoken or written.",
            fields=[FieldProblem("audioKey", "exactly one of audioKey and text is given")],
        )
    if message.audio_key is not None and not is_own_query(caller.identity, message.audio_key):
        raise HandlerError(VoiceQaErrorCode.AUDIO_FOREIGN, "audioKey is not the key of an upload of yours.", 403)


def _given_back(allowance: Allowance, query_id: str, now_ms: int) -> Allowance:
    """As it was before a question was counted now; one that counted earlier already goes on counting."""
    if now_ms not in allowance.asked_ms:
        return allowance
    place = allowance.asked_ms.index(now_ms)
    asked = (*allowance.asked_ms[:place], *allowance.asked_ms[place + 1 :])
    return allowance.ended(query_id).model_copy(update={"asked_ms": asked})

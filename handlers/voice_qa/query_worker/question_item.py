"""Changes to a question's record by the worker: one attempt at a time begins it, and only that attempt ends it."""

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.dynamodb_versioned_items import TooManyWriters, VersionedItems
from handlers.common.logging import EventLog
from handlers.voice_qa.table_records import (
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    allowance_key,
    query_key,
)


class QuestionItem:
    """The record of one guest's question."""

    def __init__(self, items: VersionedItems, identity: str, query_id: str, log: EventLog) -> None:
        self.identity, self.query_id = identity, query_id
        self._items = items
        self._key = query_key(identity, query_id)
        self._log = log

    def begin(self, now_ms: int, until_ms: int, request_id: str) -> tuple[QuestionRecord, bool]:
        """Begin an attempt. Return the question, and True if this invocation must answer it.

        `request_id` is the invocation's; a retry by Lambda has the same one.
        """

        def begin(now: QuestionRecord) -> tuple[QuestionRecord, tuple[QuestionRecord, bool]]:
            begun, is_ours = now.begin(now_ms, until_ms, request_id)
            return begun, (begun, is_ours)

        return self._items.change(QuestionRecord, self._key, begin)

    def current_listener(self, attempt: int) -> Listener:
        """Return the current listener; a listener without a connection if another attempt has begun."""
        now = self._items.read(QuestionRecord, self._key)
        return now.listener if _is_current(now, attempt) else Listener()

    def give_back(self, attempt: int) -> None:
        """Let the next invocation begin, because an error of the project stopped this attempt."""

        def give_back(now: QuestionRecord) -> tuple[QuestionRecord, None]:
            return (now.release() if _is_current(now, attempt) else now), None

        self._items.change(QuestionRecord, self._key, give_back)

    def end(self, attempt: int, move: Callable[[QuestionRecord], QuestionRecord]) -> Listener | None:
        """End the question. Return the listener at that moment; None if another attempt has begun."""

        def end(now: QuestionRecord) -> tuple[QuestionRecord, Listener | None]:
            return (move(now), now.listener) if _is_current(now, attempt) else (now, None)

        return self._items.change(QuestionRecord, self._key, end)

    def forget(self, code: str, *, retryable: bool) -> None:
        """Mark an answered question as failed, because its stored answer no longer exists."""

        def forget(now: QuestionRecord) -> tuple[QuestionRecord, None]:
            answered = now.status is QuestionStatus.ANSWERED
            return (now.mark_failed(code, retryable=retryable) if answered else now), None

        self._items.change(QuestionRecord, self._key, forget)

    def end_allowance(self) -> None:
        """Stop counting the question as being answered. If this fails, the count expires later."""
        try:
            self._items.change(
                Allowance, allowance_key(self.identity), lambda allowance: (allowance.end_question(self.query_id), None)
            )
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("allowance_kept", error_type=type(error).__name__)


def _is_current(now: QuestionRecord, attempt: int) -> bool:
    return now.status is QuestionStatus.RUNNING and now.attempt == attempt

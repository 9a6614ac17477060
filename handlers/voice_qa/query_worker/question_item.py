"""A question's stored record, and the query worker's changes to it: begin, release and end an answer attempt.

Only one attempt runs at a time, and only the attempt that runs can end the question. When a question ends, the worker
also changes the guest's allowance, which counts the questions that are being answered.
"""

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
    """The stored record of one guest's question, and its changes by the query worker."""

    def __init__(self, items: VersionedItems, identity: str, query_id: str, log: EventLog) -> None:
        self.identity, self.query_id = identity, query_id
        self._items = items
        self._key = query_key(identity, query_id)
        self._log = log

    def begin(self, now_ms: int, until_ms: int, request_id: str) -> tuple[QuestionRecord, bool]:
        """Begin an attempt. Return the question, and True if this invocation must answer it.

        `request_id` is the invocation's; a retry by Lambda has the same id.
        """

        def update(record: QuestionRecord) -> tuple[QuestionRecord, tuple[QuestionRecord, bool]]:
            begun, must_answer = record.begin(now_ms, until_ms, request_id)
            return begun, (begun, must_answer)

        return self._items.change(QuestionRecord, self._key, update)

    def current_listener(self, attempt: int) -> Listener:
        """Return the current listener; a listener without a connection if another attempt has begun."""
        record = self._items.read(QuestionRecord, self._key)
        return record.listener if _is_current(record, attempt) else Listener()

    def release(self, attempt: int) -> None:
        """Let the next invocation begin, because an unexpected exception stopped this attempt."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, None]:
            return (record.release() if _is_current(record, attempt) else record), None

        self._items.change(QuestionRecord, self._key, update)

    def end(self, attempt: int, transition: Callable[[QuestionRecord], QuestionRecord]) -> Listener | None:
        """End the question. Return the listener at that moment; None if another attempt has begun."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, Listener | None]:
            return (transition(record), record.listener) if _is_current(record, attempt) else (record, None)

        return self._items.change(QuestionRecord, self._key, update)

    def mark_answer_gone(self, code: str, *, retryable: bool) -> None:
        """Mark an answered question as failed, because its stored answer no longer exists."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, None]:
            answered = record.status is QuestionStatus.ANSWERED
            return (record.mark_failed(code, retryable=retryable) if answered else record), None

        self._items.change(QuestionRecord, self._key, update)

    def stop_counting(self) -> None:
        """Stop counting the question as being answered. If this fails, the count expires later."""
        try:
            self._items.change(
                Allowance, allowance_key(self.identity), lambda allowance: (allowance.end_question(self.query_id), None)
            )
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.warning("allowance_kept", error_type=type(error).__name__)


def _is_current(record: QuestionRecord, attempt: int) -> bool:
    return record.status is QuestionStatus.RUNNING and record.attempt == attempt

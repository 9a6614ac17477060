"""Changes to the stored record of a question after the question was accepted.

The query worker is the Lambda function that answers questions. It begins an answer attempt, and then ends the question
or releases it for another attempt. Only one attempt runs at a time, and only the running attempt can end the question.
There is one exception: if the question's time limit has passed, the WebSocket handler fails the question.

The guest's allowance is a separate item, which counts the guest's questions that are being answered.
"""

from collections.abc import Callable

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.logging import EventLog
from handlers.common.records import TooManyWriters
from handlers.common.versioned_items import VersionedItems
from handlers.voice_qa.table_records import (
    Allowance,
    Listener,
    QuestionRecord,
    QuestionStatus,
    allowance_key,
    query_key,
)


class QuestionItem:
    """The stored record of one guest's question."""

    def __init__(self, items: VersionedItems, guest_id: str, query_id: str, log: EventLog) -> None:
        self.guest_id, self.query_id = guest_id, query_id
        self._items = items
        self._key = query_key(guest_id, query_id)
        self._log = log

    def begin(self, now_ms: int, until_ms: int, request_id: str) -> tuple[QuestionRecord, bool]:
        """Begin an attempt, if the question needs one. Return the question, and True if this invocation must answer it.

        After `until_ms`, the attempt counts as dead. `request_id` identifies the invocation and its retries by Lambda.
        """

        def update(record: QuestionRecord) -> tuple[QuestionRecord, tuple[QuestionRecord, bool]]:
            begun, must_answer = record.begin(now_ms, until_ms, request_id)
            return begun, (begun, must_answer)

        return self._items.change(QuestionRecord, self._key, update)

    def current_listener(self, attempt: int) -> Listener:
        """Return the connection that receives the answer now. It is empty if this attempt is not running any more."""
        record = self._items.read(QuestionRecord, self._key)
        return record.listener if _is_current(record, attempt) else Listener()

    def release(self, attempt: int) -> None:
        """Allow the next invocation to begin an attempt, because an unexpected exception stopped this attempt."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, None]:
            return (record.release() if _is_current(record, attempt) else record), None

        self._items.change(QuestionRecord, self._key, update)

    def end(self, attempt: int, transition: Callable[[QuestionRecord], QuestionRecord]) -> QuestionRecord | None:
        """End the question with `transition`. Return its new record, or None if this attempt is not running any more."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, QuestionRecord | None]:
            if not _is_current(record, attempt):
                return record, None
            ended = transition(record)
            return ended, ended

        return self._items.change(QuestionRecord, self._key, update)

    def fail_if_overdue(self, call: int, now_ms: int, limit_ms: int) -> QuestionRecord | None:
        """Fail the question if it is in progress after its time limit. Return its record if the client must get an error.

        See `QuestionRecord.fail_if_overdue`.
        """

        def update(record: QuestionRecord) -> tuple[QuestionRecord, QuestionRecord | None]:
            checked, must_report = record.fail_if_overdue(call, now_ms, limit_ms)
            return checked, checked if must_report else None

        return self._items.change(QuestionRecord, self._key, update)

    def mark_reported(self, calls: int) -> None:
        """Record that the client was notified of the end of the question, after `calls` invocations of the worker.

        If this write fails, the client may get an error later, when the time limit of the question is checked.
        """
        try:
            self._items.change(QuestionRecord, self._key, lambda record: (record.mark_reported(calls), None))
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.failure("report_not_marked", error, level="WARNING")

    def mark_answer_gone(self, code: str, *, retryable: bool) -> None:
        """Mark an answered question as failed, because its stored answer no longer exists."""

        def update(record: QuestionRecord) -> tuple[QuestionRecord, None]:
            answered = record.status is QuestionStatus.ANSWERED
            return (record.mark_failed(code, retryable=retryable) if answered else record), None

        self._items.change(QuestionRecord, self._key, update)

    def stop_counting_as_running(self) -> None:
        """Stop counting the question among those that are being answered. If this fails, its entry expires later."""
        try:
            self._items.change(
                Allowance, allowance_key(self.guest_id), lambda allowance: (allowance.end_question(self.query_id), None)
            )
        except (ClientError, BotoCoreError, TooManyWriters) as error:
            self._log.failure("allowance_kept", error, level="WARNING")


def _is_current(record: QuestionRecord, attempt: int) -> bool:
    return record.status is QuestionStatus.RUNNING and record.attempt == attempt

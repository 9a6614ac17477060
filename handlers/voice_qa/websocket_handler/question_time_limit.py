"""Checks that every question ends within its time limit, and errors for the clients of questions that did not.

A worker can die at any moment, or never start, and then it reports nothing. So each invocation of the worker has a
message in a queue, whose delivery SQS delays until the time limit has passed. If the question is still in progress at
this time, it fails, and its client gets an error and can ask again. The same applies if the question has ended, but the
worker died before it reported that. SQS redelivers a failed check only after minutes, so transient failures are
retried. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from handlers.common.aws.dynamodb_versioned_items import VersionedItems
from handlers.common.aws.retry import RetryTiming, retry_live_calls
from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.common.websocket.message_sender import WebSocketConnections
from handlers.voice_qa.client_messages import QueryFailed, VoiceQaErrorCode
from handlers.voice_qa.question_item import QuestionItem
from handlers.voice_qa.table_records import TimeLimitCheck

OVERDUE_MESSAGE = "The answer did not end in time. Ask again."


class TimeLimitOutcome(StrEnum):
    """Outcome of one check."""

    ENDED = "ended"
    """The question has ended and its client was notified, or a later invocation has its own check."""
    OVERDUE = "overdue"
    """The client got an error, unless it is not connected any more."""


class TimeLimitChecks:
    """Performs the checks."""

    def __init__(
        self,
        items: VersionedItems,
        connections: WebSocketConnections,
        *,
        limit_ms: int,
        clock_ms: Callable[[], int],
        log: EventLog,
        timing: RetryTiming | None = None,
    ) -> None:
        """Initialise the checks. `timing` is the timing of retries."""
        self._items = items
        self._connections = connections
        self._limit_ms = limit_ms
        self._clock_ms = clock_ms
        self._log = log
        self._timing = timing or RetryTiming()

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Perform the checks of a batch. Return the messages that SQS must redeliver."""
        return process_batch(messages, self._check, self._log, event_kind="time_limit")

    def _check(self, body: str) -> TimeLimitOutcome:
        try:
            check = TimeLimitCheck.model_validate_json(body)
        except ValidationError:
            raise InvalidEvent("the message is not a check of a time limit") from None
        return retry_live_calls(lambda: self._report_if_overdue(check), self._timing)

    def _report_if_overdue(self, check: TimeLimitCheck) -> TimeLimitOutcome:
        """Perform a check.

        If the check is repeated after a failure, the question already has the status `failed`. But it is not marked as
        reported, so its client still gets the error.
        """
        item = QuestionItem(self._items, check.guest_id, check.query_id, self._log)
        overdue = item.check_time_limit(check.call, self._clock_ms(), self._limit_ms)
        if overdue is None:
            return TimeLimitOutcome.ENDED
        self._log.error("query_overdue", outcome=overdue.status)
        error = QueryFailed(
            code=VoiceQaErrorCode.AGENT_FAILED, message=OVERDUE_MESSAGE, query_id=check.query_id, retryable=True
        )
        if overdue.listener.connection and self._connections.post(overdue.listener.connection, error):
            item.mark_reported(overdue.calls)
        item.stop_counting()
        return TimeLimitOutcome.OVERDUE

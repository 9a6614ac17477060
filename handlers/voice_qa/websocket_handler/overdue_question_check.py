"""Errors for the clients of overdue questions. A question is overdue if its end was not reported within the time limit.

The query worker, which answers a question, can die at any moment or never start. The client would then wait for ever. So
whenever the WebSocket handler invokes the worker, it also sends a message to an SQS queue: the time limit check. SQS
delivers the check to the WebSocket handler after the time limit.

If the question is in progress after its limit, it is marked as failed, and the client gets an error. If the question has
ended, but the worker died before it notified the client, the client gets the same error, but the question is not
changed. In both cases, the client can ask again.
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-message-timers.html
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from handlers.common.events import BatchFailures, process_batch
from handlers.common.logging import EventLog
from handlers.common.versioned_items import VersionedItems
from handlers.common.websocket import WebSocketConnections
from handlers.voice_qa.question_item_updates import QuestionItem
from handlers.voice_qa.table_records import TimeLimitCheck
from handlers.voice_qa.websocket_messages import QueryFailed, VoiceQaErrorCode

OVERDUE_MESSAGE = "The complete answer did not arrive in time. Ask again."


class OverdueCheckOutcome(StrEnum):
    """Outcome of one time limit check."""

    ENDED = "ended"
    """The client was already notified, or a later invocation has its own check."""
    OVERDUE = "overdue"
    """The client got an error, unless it is not connected any more."""


class OverdueQuestionChecker:
    """Handler for the messages of the queue of time limit checks."""

    def __init__(
        self,
        items: VersionedItems,
        connections: WebSocketConnections,
        *,
        limit_ms: int,
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        """`limit_ms` is the time limit of a question."""
        self._items = items
        self._connections = connections
        self._limit_ms = limit_ms
        self._clock_ms = clock_ms
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Handle a batch of time limit checks. Return the messages that SQS must redeliver."""
        return process_batch(messages, self._check, self._log, event_kind="time_limit")

    def _check(self, body: str) -> OverdueCheckOutcome:
        """Perform a check.

        If posting the error fails, SQS redelivers the check. The question is then already marked as failed, but its end
        is not marked as reported. So the repeated check still posts the error.
        """
        check = TimeLimitCheck.model_validate_json(body)
        item = QuestionItem(self._items, check.guest_id, check.query_id, self._log)
        overdue = item.fail_if_overdue(check.call, self._clock_ms(), self._limit_ms)
        if overdue is None:
            return OverdueCheckOutcome.ENDED
        self._log.error("query_overdue", outcome=overdue.status)
        error = QueryFailed(
            code=VoiceQaErrorCode.AGENT_FAILED, message=OVERDUE_MESSAGE, query_id=check.query_id, retryable=True
        )
        if overdue.listener.connection and self._connections.post(overdue.listener.connection, error):
            item.mark_reported(overdue.calls)
        item.stop_counting_as_running()
        return OverdueCheckOutcome.OVERDUE

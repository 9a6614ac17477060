"""Processing of a batch of SQS messages. If a message fails, SQS redelivers this message and not the whole batch."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.logging import EventLog

BatchFailures = dict[str, list[dict[str, str]]]
"""Lambda's partial batch response."""
IGNORED = "ignored"
"""Outcome of a message that the Lambda function ignores, for example because its object is not an upload."""


def process_batch(
    messages: Sequence[Mapping[str, Any]],
    act: Callable[[str], StrEnum],
    event_log: EventLog,
    *,
    event_kind: str,
) -> BatchFailures:
    """Call `act` with the body of each message, and return the messages that SQS must redeliver.

    The messages whose outcome is `ignored` are counted in the log. `event_kind` names the batch there, for example
    `video` for the log event `video_batch`.
    """
    failed: list[str] = []
    ignored = 0
    for message in messages:
        try:
            ignored += act(message["body"]) == IGNORED
        except InvalidEvent:
            # SQS redelivers the message a few times and then moves it to the dead-letter queue for an operator.
            event_log.warning("message_refused", code=f"NOT_A_{event_kind.upper()}_EVENT")
            failed.append(message["messageId"])
        except Exception as error:  # noqa: BLE001 - only this message is redelivered, not the others of the batch
            event_log.error("message_failed", error_type=type(error).__name__)
            failed.append(message["messageId"])
    event_log.info(f"{event_kind}_batch", records=len(messages), ignored=ignored, failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}

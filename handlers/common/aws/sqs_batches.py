"""Batches of queue messages that bring events of the bus: each is acted on alone, and goes back alone."""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from handlers.common.aws.s3_notifications import NotAnEvent
from handlers.common.logging import EventLog

BatchFailures = dict[str, list[dict[str, str]]]
IGNORED = "ignored"
"""What acting on an event comes to that is not ours."""


def acted_on(
    messages: Sequence[Mapping[str, Any]],
    act: Callable[[str], StrEnum],
    event_log: EventLog,
    *,
    about: str,
) -> BatchFailures:
    """Acts on each message's body; the answer names the messages to deliver again.

    `about`: what the events tell of, in one word for the log.
    """
    failed: list[str] = []
    ignored = 0
    for message in messages:
        try:
            ignored += act(message["body"]) == IGNORED
        except NotAnEvent:
            # Delivered again a few times, then parked in the dead-letter queue, where a person can look at it.
            event_log.warning("message_refused", code=f"NOT_A_{about.upper()}_EVENT")
            failed.append(message["messageId"])
        except Exception as error:  # noqa: BLE001 - its message alone goes back; the batch's others must not repeat
            event_log.error("message_failed", error_type=type(error).__name__)
            failed.append(message["messageId"])
    event_log.info(f"{about}_batch", records=len(messages), ignored=ignored, failed=len(failed))
    return {"batchItemFailures": [{"itemIdentifier": one} for one in failed]}

"""Events that livestream publishes on the default EventBridge bus, and names of those that it receives."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

SOURCE_SUFFIX: Final = ".livestream"
"""End of the source of livestream's own events. The source begins with the name of the stack, because several stacks
may use the same bus."""
UPLOAD_COMPLETED: Final = "Video Upload Completed"
"""Detail type of the event that makes livestream cut the uploaded video into chunks."""
MEDIACONVERT: Final = "aws.mediaconvert"
"""Source of MediaConvert's events."""
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"
"""Detail type of MediaConvert's events about jobs."""
PublishEvent = Callable[[str, Mapping[str, object]], None]
"""Function that publishes one event, given its detail type and detail. Raises EventNotPublished."""


def is_livestream_source(source: str) -> bool:
    """Return True if the source is that of a livestream backend.

    The stack need not be checked, because the event rules only pass on events of this stack.
    """
    return source.endswith(SOURCE_SUFFIX)


class EventNotPublished(Exception):
    """EventBridge rejected an event, or the call failed and the result is unknown.

    The exception contains no part of the event.
    """


class EventPublisher:
    """Sends events with PutEvents."""

    def __init__(self, client: "EventBridgeClient", source: str) -> None:
        self._client = client
        self._source = source

    def __call__(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """Publish one event; raise EventNotPublished on failure."""
        entry: PutEventsRequestEntryTypeDef = {
            "Source": self._source,
            "DetailType": detail_type,
            "Detail": json.dumps({"schemaVersion": 1, **detail}),
        }
        try:
            answer = self._client.put_events(Entries=[entry])
        except (ClientError, BotoCoreError):
            raise EventNotPublished from None
        if answer["FailedEntryCount"]:
            raise EventNotPublished

"""Publisher of livestream's events on the default EventBridge bus."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

PublishEvent = Callable[[str, Mapping[str, object]], None]
"""Function that publishes one event, given its detail type and detail. Raises EventNotPublished."""


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

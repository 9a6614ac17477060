"""What livestream tells the default bus."""

import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from types_boto3_events.client import EventBridgeClient
    from types_boto3_events.type_defs import PutEventsRequestEntryTypeDef

PublishEvent = Callable[[str, Mapping[str, object]], None]
"""Takes an event's detail type and its detail; raises EventNotPublished."""


class EventNotPublished(Exception):
    """The bus did not take an event, or it is not known whether it did; says nothing of the event."""


class EventPublisher:
    """Publishes events."""

    def __init__(self, client: "EventBridgeClient", source: str) -> None:
        self._client = client
        self._source = source

    def __call__(self, detail_type: str, detail: Mapping[str, object]) -> None:
        """One event."""
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

"""DynamoDB gateway for the live table. No other module reads or writes the table.

The table has items of three kinds:

- `ClientConnection`: one connection of a client.
- `SessionUtterances`: the state of a session's utterances, with a slot for each utterance in progress.
- `TextReservation`: the reservation of a text for one caption line, so that overlapping utterances do not show the same
  words twice. Its key contains a keyed hash of the text, but the text itself is not stored.

An utterance is a few seconds of speech. The gateway uses only GetItem and UpdateItem.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from handlers.common.versioned_items import VersionedItems
from handlers.transcription.session_utterance_state import LiveItem, SessionUtterances

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

UTTERANCES_KEY_PREFIX = "flight#"
"""Start of the keys of `SessionUtterances` items. Utterances in progress are also called "in flight"."""
KEPT_SECONDS = 12 * 3600
"""Lifetime of an item after its last change. It is longer than any session. Text reservations have a shorter
lifetime."""

Item = TypeVar("Item", bound=LiveItem)
T = TypeVar("T")


class ClientConnection(LiveItem):
    """One WebSocket connection. It is stored because the client states its user only when it connects."""

    user: str = ""
    """User id, or empty if the connection is unknown."""


@dataclass(frozen=True)
class TextReservation:
    """Reservation of a text for the caption line that shows it."""

    utterance: str
    line: str
    """Result id of the line."""
    revision: int
    final: bool
    """True if the line is final, so that its text cannot change any more."""


class LiveTable:
    def __init__(self, client: "DynamoDBClient", name: str, clock_ms: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._clock_ms = clock_ms
        self._items = VersionedItems(client, name, ttl_attribute="ttl", kept_seconds=KEPT_SECONDS, clock_ms=clock_ms)

    def read(self, model: type[Item], key: str) -> Item:
        """Return the item of a key, or an item of default values if there is none."""
        return self._items.read(model, {"pk": key})

    def change(self, model: type[Item], key: str, transition: Callable[[Item], tuple[Item, T]]) -> T:
        """Call `transition` with an item. Store the first value that it returns as the new item, and return the second.

        If a concurrent invocation has changed the item, `transition` is called again with the changed item.
        """
        return self._items.change(model, {"pk": key}, transition)

    def utterances(self, session_id: str) -> SessionUtterances:
        return self.read(SessionUtterances, session_utterances_key(session_id))

    def change_utterances(
        self, session_id: str, transition: Callable[[SessionUtterances], tuple[SessionUtterances, T]]
    ) -> T:
        """Change the state of a session's utterances like `change`."""
        return self.change(SessionUtterances, session_utterances_key(session_id), transition)

    def reserve_text(self, key: str, reservation: TextReservation, seconds: int) -> tuple[bool, TextReservation | None]:
        """Reserve a text for some seconds. Return True if this succeeded.

        Also return the running reservation that was replaced, or None. The reservation fails if another utterance has
        reserved the text. But a line that is final replaces the reservation of a line that is not final, because the
        text of the replaced line may still change.
        """
        now_ms = self._clock_ms()
        free = "attribute_not_exists(pk) OR ends_ms <= :now OR #owner = :owner"
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET #owner = :owner, line = :line, revision = :revision, #final = :final, ends_ms = :ends, #ttl = :ttl",
                ConditionExpression=f"{free} OR #final = :partial" if reservation.final else free,
                ExpressionAttributeNames={"#owner": "owner", "#final": "final", "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":owner": {"S": reservation.utterance},
                    ":line": {"S": reservation.line},
                    ":revision": {"N": str(reservation.revision)},
                    ":final": {"BOOL": reservation.final},
                    ":ends": {"N": str(now_ms + seconds * 1000)},
                    ":now": {"N": str(now_ms)},
                    ":ttl": {"N": str(now_ms // 1000 + seconds + 60)},
                    **({":partial": {"BOOL": False}} if reservation.final else {}),
                },
                ReturnValues="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False, None
        old = answer.get("Attributes")
        if not old or int(old["ends_ms"]["N"]) <= now_ms:
            return True, None
        replaced = TextReservation(
            old["owner"]["S"], old["line"]["S"], int(old["revision"]["N"]), final=old["final"]["BOOL"]
        )
        return True, replaced

    def release_text(self, key: str, utterance: str, line: str) -> None:
        """End the reservation of a text if it belongs to this line of this utterance."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET ends_ms = :over",
                ConditionExpression="#owner = :owner AND line = :line",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": utterance}, ":line": {"S": line}, ":over": {"N": "0"}},
            )


def session_utterances_key(session_id: str) -> str:
    return f"{UTTERANCES_KEY_PREFIX}{session_id}"


def connection_key(connection_id: str) -> str:
    return f"connection#{connection_id}"


def text_reservation_key(session_id: str, digest: str) -> str:
    return f"caption#{session_id}#{digest}"

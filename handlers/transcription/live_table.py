"""DynamoDB gateway for the live table: connections, utterances of sessions, open sessions of users, and text
reservations, which keep overlapping utterances from showing the same words twice.

Only this module reads and writes the table. It uses GetItem, UpdateItem and one Query on the index of due items. Of a
caption's text, the table contains only a keyed hash.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from handlers.common.aws.dynamodb_versioned_items import VersionedItems
from handlers.transcription.session_utterances import LiveItem, SessionUtterances
from handlers.transcription.shared_names import DUE_INDEX

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

WATCHED = "yes"
"""Value of the attribute `watched`, the partition key of the index of due items. It is the same for all of them."""
UTTERANCES_KEY_PREFIX = "flight#"
"""Start of the keys of `SessionUtterances` items."""
KEPT_SECONDS = 12 * 3600
"""Lifetime of an item after its last change; longer than a session."""

Item = TypeVar("Item", bound=LiveItem)
T = TypeVar("T")
MAX_REMEMBERED_SESSIONS = 16
"""Maximum number of sessions that a connection's item names. It exceeds the default number of open sessions per
user."""


class ClientConnection(LiveItem):
    """One WebSocket connection and its user. Later messages carry only the connection's id."""

    user: str = ""
    sessions: tuple[str, ...] = ()
    """Sessions that the client last opened on the connection. Soon after it closes, they stop counting towards the
    user's limit of open sessions, unless the client has opened them on another connection."""

    def add_session(self, session: str) -> Self:
        """Remember one more session."""
        others = tuple(remembered for remembered in self.sessions if remembered != session)
        return self.model_copy(update={"sessions": (*others, session)[-MAX_REMEMBERED_SESSIONS:]})


@dataclass(frozen=True)
class TextReservation:
    """The caption line that shows a reserved text."""

    utterance: str
    """Utterance to which the line belongs."""
    line: str
    """Result id of the line."""
    revision: int
    """Revision of the line that shows the text."""
    final: bool
    """True if the line is final, so that its text cannot change any more."""


class LiveTable:
    """Gateway for the live table."""

    def __init__(self, client: "DynamoDBClient", name: str, clock_ms: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._clock_ms = clock_ms
        self._items = VersionedItems(client, name, ttl_attribute="ttl", kept_seconds=KEPT_SECONDS, clock_ms=clock_ms)

    def read(self, model: type[Item], key: str) -> Item:
        """Return the item of a key; a default item if there is none."""
        return self._items.read(model, {"pk": key})

    def change(self, model: type[Item], key: str, transition: Callable[[Item], tuple[Item, T]]) -> T:
        """Replace an item by the first value of `transition(item)`, and return the second.

        `transition` is called again if a concurrent invocation changed the item.
        """
        return self._items.change(model, {"pk": key}, transition, _due_attributes)

    def utterances(self, session_id: str) -> SessionUtterances:
        """Return the state of a session's utterances."""
        return self.read(SessionUtterances, session_utterances_key(session_id))

    def change_utterances(
        self, session_id: str, transition: Callable[[SessionUtterances], tuple[SessionUtterances, T]]
    ) -> T:
        """Change the state of a session's utterances, as `change` does."""
        return self.change(SessionUtterances, session_utterances_key(session_id), transition)

    def overdue_sessions(self, now_ms: int) -> list[str]:
        """Return the ids of the sessions with overdue slots, which the sweep must process now."""
        answer = self._client.query(
            TableName=self._name,
            IndexName=DUE_INDEX,
            KeyConditionExpression="watched = :yes AND due_ms <= :now",
            ExpressionAttributeValues={":yes": {"S": WATCHED}, ":now": {"N": str(now_ms)}},
        )
        return [item["pk"]["S"].removeprefix(UTTERANCES_KEY_PREFIX) for item in answer["Items"]]

    def reserve_text(self, key: str, reservation: TextReservation, seconds: int) -> tuple[bool, TextReservation | None]:
        """Reserve a text for some seconds. Return True if that succeeded, and the reservation that was replaced.

        The reservation fails if another utterance holds one. A final replaces the reservation of a partial, because the
        partial's text may still change.
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
        """End the reservation of a retracted line. A reservation of another utterance or line stays."""
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
    """Return the key of a session's utterances."""
    return f"{UTTERANCES_KEY_PREFIX}{session_id}"


def connection_key(connection_id: str) -> str:
    """Return the key of a connection."""
    return f"connection#{connection_id}"


def user_open_sessions_key(user: str) -> str:
    """Return the key under which a user's open sessions are counted."""
    return f"user#{user}"


def text_reservation_key(session_id: str, digest: str) -> str:
    """Return the key of the reservation of a text with this hash."""
    return f"caption#{session_id}#{digest}"


def _due_attributes(item: LiveItem) -> Mapping[str, dict[str, str] | None]:
    """Return the key attributes of the index of due items; None removes an attribute."""
    if item.due_ms is None:
        return {"watched": None, "due_ms": None}
    return {"watched": {"S": WATCHED}, "due_ms": {"N": str(item.due_ms)}}

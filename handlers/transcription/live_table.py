"""The table of what is live: read and written here alone, with two calls, GetItem and UpdateItem.

Captions leave nothing but a keyed hash of their text.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar

from handlers.common.aws.versioned_items import VersionedItems
from handlers.transcription.environment import DUE_INDEX
from handlers.transcription.utterance_slots import LiveItem

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

WATCHED = "yes"
KEPT_SECONDS = 12 * 3600
"""How long an item stays after its last change: longer than a session lasts."""

State = TypeVar("State", bound=LiveItem)
T = TypeVar("T")
REMEMBERED_SESSIONS = 16
"""Sessions of one connection: more than a user may have open, unless somebody raised that far."""


class ClientConnection(LiveItem):
    """One WebSocket connection, and whose it is: later messages carry its id alone."""

    user: str = ""
    sessions: tuple[str, ...] = ()
    """Those that were opened on it last: with it they stop counting, unless they went on over another."""

    def opened(self, session: str) -> Self:
        """With one session more."""
        others = tuple(one for one in self.sessions if one != session)
        return self.model_copy(update={"sessions": (*others, session)[-REMEMBERED_SESSIONS:]})


@dataclass(frozen=True)
class TextReservation:
    """Which line of which utterance shows some words."""

    utterance: str
    line: str
    revision: int
    """How often the line had changed by then."""
    final: bool


class LiveTable:
    """Items of the live table."""

    def __init__(self, client: "DynamoDBClient", name: str, clock_ms: Callable[[], int]) -> None:
        self._client = client
        self._name = name
        self._clock_ms = clock_ms
        self._items = VersionedItems(client, name, ttl_attribute="ttl", kept_seconds=KEPT_SECONDS, clock_ms=clock_ms)

    def read(self, model: type[State], key: str) -> State:
        """What is known of a key; a value without content where nothing is."""
        return self._items.read(model, {"pk": key})

    def change(self, model: type[State], key: str, move: Callable[[State], tuple[State, T]]) -> T:
        """Moves a key's state on, and gives what the move gave. The move may be made more than once."""
        return self._items.change(model, {"pk": key}, move, _due)

    def overdue_keys(self, now_ms: int) -> list[str]:
        """Keys of items that somebody must look at by now."""
        answer = self._client.query(
            TableName=self._name,
            IndexName=DUE_INDEX,
            KeyConditionExpression="watched = :yes AND due_ms <= :now",
            ExpressionAttributeValues={":yes": {"S": WATCHED}, ":now": {"N": str(now_ms)}},
        )
        return [item["pk"]["S"] for item in answer["Items"]]

    def reserve_text(self, key: str, claim: TextReservation, seconds: int) -> tuple[bool, TextReservation | None]:
        """Takes a key for a while: whether it is taken, and whose it was until now.

        It is refused where another utterance has it; but a final takes it from a partial, whose words may still change.
        """
        now_ms = self._clock_ms()
        free = "attribute_not_exists(pk) OR ends_ms <= :now OR #owner = :owner"
        try:
            answer = self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET #owner = :owner, line = :line, revision = :revision, #final = :final, ends_ms = :ends, #ttl = :ttl",
                ConditionExpression=f"{free} OR #final = :partial" if claim.final else free,
                ExpressionAttributeNames={"#owner": "owner", "#final": "final", "#ttl": "ttl"},
                ExpressionAttributeValues={
                    ":owner": {"S": claim.utterance},
                    ":line": {"S": claim.line},
                    ":revision": {"N": str(claim.revision)},
                    ":final": {"BOOL": claim.final},
                    ":ends": {"N": str(now_ms + seconds * 1000)},
                    ":now": {"N": str(now_ms)},
                    ":ttl": {"N": str(now_ms // 1000 + seconds + 60)},
                    **({":partial": {"BOOL": False}} if claim.final else {}),
                },
                ReturnValues="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False, None
        old = answer.get("Attributes")
        if not old or int(old["ends_ms"]["N"]) <= now_ms:
            return True, None
        return True, TextReservation(
            old["owner"]["S"], old["line"]["S"], int(old["revision"]["N"]), final=old["final"]["BOOL"]
        )

    def release_text(self, key: str, utterance: str, line: str) -> None:
        """Ends the claim of a line that is taken away. Another's stays, and so does that of a line that came later."""
        with suppress(self._client.exceptions.ConditionalCheckFailedException):
            self._client.update_item(
                TableName=self._name,
                Key={"pk": {"S": key}},
                UpdateExpression="SET ends_ms = :over",
                ConditionExpression="#owner = :owner AND line = :line",
                ExpressionAttributeNames={"#owner": "owner"},
                ExpressionAttributeValues={":owner": {"S": utterance}, ":line": {"S": line}, ":over": {"N": "0"}},
            )


def session_slots_key(session_id: str) -> str:
    """Where the live table has a session's utterances."""
    return f"flight#{session_id}"


def connection_key(connection_id: str) -> str:
    """Where it has a connection."""
    return f"connection#{connection_id}"


def user_quota_key(user: str) -> str:
    """Where it counts a user's sessions."""
    return f"user#{user}"


def text_reservation_key(session_id: str, digest: str) -> str:
    """Where it has a caption's hash."""
    return f"caption#{session_id}#{digest}"


def _due(state: LiveItem) -> Mapping[str, dict[str, str] | None]:
    """What the index goes by."""
    if state.due_ms is None:
        return {"watched": None, "due_ms": None}
    return {"watched": {"S": WATCHED}, "due_ms": {"N": str(state.due_ms)}}

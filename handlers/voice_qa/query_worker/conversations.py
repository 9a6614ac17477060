"""Conversations about a lecture: the latest turns are stored, and some of them are given to the agent as context.

Guests, who are browser users with unauthenticated Cognito credentials, may read and write these items directly in the
table. So items are parsed strictly, and invalid turns are ignored. The context for the agent has a maximum size.

A conversation expires a fixed number of days after its first turn, even if turns are added, so that regular use does
not keep words for ever. A later turn begins a new conversation, even if DynamoDB has not deleted the old item. A guest
can postpone the expiry by changing or removing the item's `expiresAt`. But each new turn limits it again: to the same
number of days after that turn.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from handlers.common.aws.dynamodb_values import serialize_item
from handlers.common.aws.dynamodb_versioned_items import MAX_ATTEMPTS, TooManyWriters
from handlers.common.json_models import Message
from handlers.common.text.text_cleaning import remove_hidden_characters
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.voice_qa.client_messages import QueryId
from handlers.voice_qa.query_worker.agent.agent_types import Turn
from handlers.voice_qa.table_records import DAY_SECONDS, TTL_ATTRIBUTE, Key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_ITEM = 350_000
"""Maximum size of an item in bytes. DynamoDB allows 400 KB, including names and overhead."""
ITEM_OVERHEAD = 4_000
"""Maximum size of keys, numbers and names, in bytes."""
MAX_QUESTION, MAX_ANSWER = 50_000, 250_000
"""Maximum sizes of a stored question and of a stored answer in bytes. One turn of these sizes always fits into an
item."""
CONTEXT_TURNS, CONTEXT_CHARACTERS = 10, 2_000
"""Number of turns that an agent gets as context, and the maximum length of each question and answer in it."""
_NUMBER = re.compile(r"[0-9]{1,12}")
_ABSENT: Mapping[str, Any] = {}
"""Value of an attribute that an item does not have."""

_StoredText = Annotated[str, AfterValidator(remove_hidden_characters), Field(repr=False)]
"""Question or answer. It is cleaned because a guest may have written it, and agents read it."""


class StoredTurn(Message):
    """A stored turn: a question and its answer."""

    query_id: QueryId
    question: _StoredText
    answer: _StoredText
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
    """Time at which the turn was stored, after its answer was complete."""


TURN_ATTRIBUTES = frozenset(field.alias or name for name, field in StoredTurn.model_fields.items())


def append_turn(turns: Iterable[StoredTurn], turn: StoredTurn) -> tuple[StoredTurn, ...]:
    """Return the turns and then the new turn, one per question.

    The oldest turns are dropped if the item would grow too large.
    """
    truncated = turn.model_copy(
        update={"question": _truncate(turn.question, MAX_QUESTION), "answer": _truncate(turn.answer, MAX_ANSWER)}
    )
    turns_by_query: dict[str, StoredTurn] = {}
    for candidate in (*turns, truncated):
        turns_by_query.setdefault(candidate.query_id, candidate)
    newest_first: list[StoredTurn] = []
    size = ITEM_OVERHEAD
    for candidate in reversed(turns_by_query.values()):
        size += stored_size(candidate)
        if size > MAX_ITEM:
            break
        newest_first.append(candidate)
    return tuple(reversed(newest_first))


def stored_size(turn: StoredTurn) -> int:
    """Return the size of a turn as DynamoDB counts it: names, values, and a few bytes for each container and
    element.
    """
    texts = turn.model_dump(by_alias=True)
    return 4 + sum(len(name) + len(text.encode()) + 1 for name, text in texts.items())


def context_turns(turns: tuple[StoredTurn, ...]) -> tuple[Turn, ...]:
    """Return the turns that an agent gets as context."""
    return tuple(
        Turn(turn.question[:CONTEXT_CHARACTERS], turn.answer[:CONTEXT_CHARACTERS]) for turn in turns[-CONTEXT_TURNS:]
    )


def parse_turns(item: Mapping[str, Any]) -> tuple[StoredTurn, ...]:
    """Return the valid turns of an item, which a guest may have written."""
    stored_turns = item.get("conversation", _ABSENT).get("L", [])
    return tuple(turn for stored_turn in stored_turns if (turn := _parse_turn(stored_turn)) is not None)


class Conversations:
    """Gateway for conversations in voice Q&A's table. It uses only GetItem and UpdateItem."""

    def __init__(self, client: "DynamoDBClient", table: str, *, kept_days: int, clock_ms: Callable[[], int]) -> None:
        """Initialise the gateway. A conversation expires `kept_days` after its first turn."""
        self._client = client
        self._table = table
        self._kept_days = kept_days
        self._clock_ms = clock_ms

    def turns(self, key: Key) -> tuple[StoredTurn, ...]:
        """Return the turns so far."""
        return parse_turns(self._read_item(key))

    def append(self, key: Key, query_id: str, question: str, answer: str) -> None:
        """Append a turn with the current time. Change nothing if the question's turn is there already."""
        turn = StoredTurn(query_id=query_id, question=question, answer=answer, at=self._now())
        for _ in range(MAX_ATTEMPTS):
            item = self._read_item(key)
            turns = parse_turns(item)
            if any(known.query_id == query_id for known in turns) or self._write(key, item, append_turn(turns, turn)):
                return
        raise TooManyWriters

    def _read_item(self, key: Key) -> Mapping[str, Any]:
        """Return the item. If its conversation has expired, return only `totalTurns`, which the next update's condition
        needs.

        `totalTurns` counts all turns that were ever added under the key, also those of expired conversations.
        """
        item = self._client.get_item(TableName=self._table, Key=serialize_item(key), ConsistentRead=True).get(
            "Item", {}
        )
        until = _parse_number(item, TTL_ATTRIBUTE)
        if until is None or until > self._clock_ms() // 1000:
            return item
        return {name: value for name, value in item.items() if name == "totalTurns"}

    def _write(self, key: Key, before: Mapping[str, Any], turns: tuple[StoredTurn, ...]) -> bool:
        """Write the turns. Return False if a concurrent invocation changed the item.

        Each worker's write increases `totalTurns`, so the condition fails if another worker has written since the read.

        The item's expiry stays if it is at most `kept_days` from now. Otherwise, or if the item has no valid expiry, it
        becomes `kept_days` from now. So a guest can postpone it, but each write of a worker limits it to `kept_days`
        after the newest turn.
        """
        total_before = before.get("totalTurns")
        latest = self._clock_ms() // 1000 + self._kept_days * DAY_SECONDS
        until = _parse_number(before, TTL_ATTRIBUTE)
        values: dict[str, Any] = {
            ":conversation": {"L": [{"M": serialize_item(turn.model_dump(by_alias=True))} for turn in turns]},
            ":total": {"N": str(_turn_count(before) + 1)},
            ":created": before.get("createdAt", {"S": self._now()}),
            ":expires": {"N": str(latest if until is None else min(until, latest))},
            **({} if total_before is None else {":seen": total_before}),
        }
        try:
            self._client.update_item(
                TableName=self._table,
                Key=serialize_item(key),
                UpdateExpression="SET conversation = :conversation, totalTurns = :total, expiresAt = :expires,"
                " createdAt = :created",
                ConditionExpression="attribute_not_exists(totalTurns)"
                if total_before is None
                else "totalTurns = :seen",
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _now(self) -> str:
        return timestamp(datetime.fromtimestamp(self._clock_ms() / 1000, UTC))


def _parse_turn(value: Mapping[str, Any]) -> StoredTurn | None:
    fields = value.get("M", _ABSENT)
    if set(fields) != TURN_ATTRIBUTES:
        return None
    try:
        return StoredTurn.model_validate({name: text.get("S") for name, text in fields.items()})
    except ValidationError:
        return None


def _turn_count(item: Mapping[str, Any]) -> int:
    """Return `totalTurns`; if the item does not have it, the number of its valid turns."""
    count = _parse_number(item, "totalTurns")
    return len(parse_turns(item)) if count is None else count


def _parse_number(item: Mapping[str, Any], name: str) -> int | None:
    """Return a number attribute, which a guest may have written; None if it is not a plain number."""
    text = item.get(name, _ABSENT).get("N", "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _truncate(text: str, max_bytes: int) -> str:
    """Return the start of a text that fits into so many bytes."""
    return text.encode()[:max_bytes].decode(errors="ignore")

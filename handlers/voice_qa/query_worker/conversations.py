"""Conversations of guests about a lecture. A conversation consists of turns: a question and its answer.

The latest turns are stored in the table, and the agent gets some of them as the context of a new question. Guests, who
are browser users with unauthenticated Cognito credentials, may read and write these items directly in the table. So
items are parsed strictly, and invalid turns are ignored.

A conversation expires a fixed number of days after its first turn. Further turns do not postpone this, so that the
words of a guest who asks regularly are deleted too. A turn after the expiry begins a new conversation, even if DynamoDB
has not deleted the old item yet. A guest can postpone the expiry by changing the item's `expiresAt`. But each new turn
limits the expiry to the same number of days after that turn.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, Field, StringConstraints, ValidationError

from handlers.common.ids import timestamp
from handlers.common.json_models import Message
from handlers.common.records import MAX_ATTEMPTS, TooManyWriters, serialize_item
from handlers.common.text import remove_hidden_characters
from handlers.voice_qa.query_worker.agent_protocol import ContextTurn
from handlers.voice_qa.table_records import DAY_SECONDS, TTL_ATTRIBUTE, Key
from handlers.voice_qa.websocket_messages import QueryId

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_ITEM = 350_000
"""Maximum size of an item in bytes. DynamoDB allows 400 KB."""
ITEM_OVERHEAD = 4_000
"""Maximum size of an item without its turns, in bytes."""
MAX_QUESTION, MAX_ANSWER = 50_000, 250_000
"""Maximum sizes in bytes of the question and of the answer in a turn, so that a turn always fits into an item."""
CONTEXT_TURNS = 10
"""Maximum number of turns that an agent gets as context."""
CONTEXT_CHARACTERS = 2_000
"""Maximum length of each question, and of each answer, in these turns."""
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
    """Return the turns with the new turn at their end. If the item would grow too large, the oldest turns are dropped.

    If several turns have the same `query_id`, only the first of them is kept.
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
    """Return the size of a turn as DynamoDB counts it: names and values, and a few bytes for each map and element."""
    texts = turn.model_dump(by_alias=True)
    return 4 + sum(len(name) + len(text.encode()) + 1 for name, text in texts.items())


def context_turns(turns: tuple[StoredTurn, ...]) -> tuple[ContextTurn, ...]:
    """Return the turns that an agent gets as context."""
    return tuple(
        ContextTurn(question=turn.question[:CONTEXT_CHARACTERS], answer=turn.answer[:CONTEXT_CHARACTERS])
        for turn in turns[-CONTEXT_TURNS:]
    )


def parse_turns(item: Mapping[str, Any]) -> tuple[StoredTurn, ...]:
    """Return the valid turns of an item, which a guest may have written."""
    stored_turns = item.get("conversation", _ABSENT).get("L", [])
    return tuple(turn for stored_turn in stored_turns if (turn := _parse_turn(stored_turn)) is not None)


class Conversations:
    """Gateway for conversations in voice Q&A's table. It uses only GetItem and UpdateItem."""

    def __init__(self, client: "DynamoDBClient", table: str, *, kept_days: int, clock_ms: Callable[[], int]) -> None:
        """A conversation expires `kept_days` after its first turn."""
        self._client = client
        self._table = table
        self._kept_days = kept_days
        self._clock_ms = clock_ms

    def turns(self, key: Key) -> tuple[StoredTurn, ...]:
        return parse_turns(self._read_item(key))

    def append(self, key: Key, query_id: str, question: str, answer: str) -> None:
        """Append a turn with the current time, unless the conversation already has a turn for this question.

        Raises TooManyWriters.
        """
        turn = StoredTurn(query_id=query_id, question=question, answer=answer, at=self._now())
        for _ in range(MAX_ATTEMPTS):
            item = self._read_item(key)
            turns = parse_turns(item)
            if any(known.query_id == query_id for known in turns) or self._write(key, item, append_turn(turns, turn)):
                return
        raise TooManyWriters

    def _read_item(self, key: Key) -> Mapping[str, Any]:
        """Return the item of a conversation. If it has expired, return only its `totalTurns`.

        This attribute counts all turns that were ever added to the item, and the condition of the next write needs it.
        """
        item = self._client.get_item(TableName=self._table, Key=serialize_item(key), ConsistentRead=True).get(
            "Item", {}
        )
        until = _parse_number(item, TTL_ATTRIBUTE)
        if until is None or until > self._clock_ms() // 1000:
            return item
        return {name: value for name, value in item.items() if name == "totalTurns"}

    def _write(self, key: Key, before: Mapping[str, Any], turns: tuple[StoredTurn, ...]) -> bool:
        """Write the turns. Return False if a concurrent invocation changed the item since it was read.

        Each write of a worker increases `totalTurns`, so the condition of a concurrent write fails.

        The item's expiry stays if it is at most `kept_days` from now. Otherwise, or if the item has no valid expiry, it
        becomes `kept_days` from now.
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
    """Return `totalTurns`, or the number of valid turns if the item has no valid `totalTurns`."""
    count = _parse_number(item, "totalTurns")
    return len(parse_turns(item)) if count is None else count


def _parse_number(item: Mapping[str, Any], name: str) -> int | None:
    """Return the number in an attribute, which a guest may have written. It is None if it is not a whole number."""
    text = item.get(name, _ABSENT).get("N", "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _truncate(text: str, max_bytes: int) -> str:
    """Return the longest start of a text that has at most `max_bytes` bytes in UTF-8."""
    return text.encode()[:max_bytes].decode(errors="ignore")

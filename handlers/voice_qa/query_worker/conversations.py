"""A session's conversation about a lecture: kept with its last turns, and told to the agent with fewer.

A guest may write these items himself. So what is read is parsed strictly, turns that are none are passed over, and the
number of turns counts for nothing but the condition of an update. What the agent is told is bounded, whatever is there.

A conversation ends so many days after it began, also one that goes on: nobody's words are kept for longer. What is said
then begins a new one, whether DynamoDB has taken the old one away or not.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, StringConstraints, ValidationError

from handlers.common.aws.dynamodb_values import stored
from handlers.common.aws.versioned_items import ATTEMPTS, TooManyWriters
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Message
from handlers.voice_qa.client_messages import QueryId
from handlers.voice_qa.query_worker.agent.agent_types import Turn
from handlers.voice_qa.table_records import DAY_SECONDS, TTL_ATTRIBUTE, Key

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_ITEM = 350_000
"""Bytes of an item. DynamoDB takes 400 KB, names and overhead included."""
ITEM_OVERHEAD = 4_000
"""Bytes, at most: keys, numbers and names."""
MAX_QUESTION, MAX_ANSWER = 50_000, 250_000
"""Bytes of one turn: the newest always has room."""
TOLD_TURNS, TOLD_CHARACTERS = 10, 2_000
"""What an agent is told: turns, and of each question and each answer."""
_NUMBER = re.compile(r"[0-9]{1,12}")
_ABSENT: Mapping[str, Any] = {}


class StoredTurn(Message):
    """A question, and what was answered."""

    query_id: QueryId
    question: str = Field(repr=False)
    answer: str = Field(repr=False)
    at: Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


NAMES = frozenset(field.alias or name for name, field in StoredTurn.model_fields.items())


def appended(turns: Iterable[StoredTurn], turn: StoredTurn) -> tuple[StoredTurn, ...]:
    """The turns with one more, each once; the oldest go where an item would grow too large."""
    cut = turn.model_copy(
        update={"question": _cut(turn.question, MAX_QUESTION), "answer": _cut(turn.answer, MAX_ANSWER)}
    )
    once: dict[str, StoredTurn] = {}
    for one in (*turns, cut):
        once.setdefault(one.query_id, one)
    kept: list[StoredTurn] = []
    size = ITEM_OVERHEAD
    for one in reversed(once.values()):
        size += size_of(one)
        if size > MAX_ITEM:
            break
        kept.append(one)
    return tuple(reversed(kept))


def size_of(turn: StoredTurn) -> int:
    """Bytes of a turn as DynamoDB counts: names, values, and a few for each container and element."""
    texts = turn.model_dump(by_alias=True)
    return 4 + sum(len(name) + len(text.encode()) + 1 for name, text in texts.items())


def told(turns: tuple[StoredTurn, ...]) -> tuple[Turn, ...]:
    """What an agent hears of it."""
    return tuple(Turn(one.question[:TOLD_CHARACTERS], one.answer[:TOLD_CHARACTERS]) for one in turns[-TOLD_TURNS:])


def turns_of(item: Mapping[str, Any]) -> tuple[StoredTurn, ...]:
    """The turns of an item, whoever wrote it."""
    kept = item.get("conversation", _ABSENT).get("L", [])
    return tuple(turn for one in kept if (turn := _turn(one)) is not None)


class Conversations:
    """Conversations in the subsystem's table: read and written with GetItem and UpdateItem alone."""

    def __init__(self, client: "DynamoDBClient", table: str, *, kept_days: int, clock_ms: Callable[[], int]) -> None:
        """`kept_days` after its first turn a conversation goes."""
        self._client = client
        self._table = table
        self._kept_days = kept_days
        self._clock_ms = clock_ms

    def turns(self, key: Key) -> tuple[StoredTurn, ...]:
        """What was said so far."""
        return turns_of(self._item(key))

    def append(self, key: Key, query_id: str, question: str, answer: str) -> None:
        """One turn more, said now; nothing where it is there already."""
        turn = StoredTurn(query_id=query_id, question=question, answer=answer, at=self._now())
        for _ in range(ATTEMPTS):
            item = self._item(key)
            turns = turns_of(item)
            if any(one.query_id == query_id for one in turns) or self._write(key, item, appended(turns, turn)):
                return
        raise TooManyWriters

    def _item(self, key: Key) -> Mapping[str, Any]:
        """What is there; of a conversation whose time is over its count alone, which the next write is held to."""
        item = self._client.get_item(TableName=self._table, Key=stored(key), ConsistentRead=True).get("Item", {})
        until = _number(item, TTL_ATTRIBUTE)
        if until is None or until > self._clock_ms() // 1000:
            return item
        return {name: value for name, value in item.items() if name == "totalTurns"}

    def _write(self, key: Key, before: Mapping[str, Any], turns: tuple[StoredTurn, ...]) -> bool:
        """False where somebody else wrote meanwhile."""
        seen = before.get("totalTurns")
        latest = self._clock_ms() // 1000 + self._kept_days * DAY_SECONDS
        until = _number(before, TTL_ATTRIBUTE)
        values: dict[str, Any] = {
            ":conversation": {"L": [{"M": stored(one.model_dump(by_alias=True))} for one in turns]},
            ":total": {"N": str(_total(before) + 1)},
            ":created": before.get("createdAt", {"S": self._now()}),
            ":expires": {"N": str(latest if until is None else min(until, latest))},
            **({} if seen is None else {":seen": seen}),
        }
        try:
            self._client.update_item(
                TableName=self._table,
                Key=stored(key),
                UpdateExpression="SET conversation = :conversation, totalTurns = :total, expiresAt = :expires,"
                " createdAt = :created",
                ConditionExpression="attribute_not_exists(totalTurns)" if seen is None else "totalTurns = :seen",
                ExpressionAttributeValues=values,
            )
        except self._client.exceptions.ConditionalCheckFailedException:
            return False
        return True

    def _now(self) -> str:
        return timestamp(datetime.fromtimestamp(self._clock_ms() / 1000, UTC))


def _turn(value: Mapping[str, Any]) -> StoredTurn | None:
    fields = value.get("M", _ABSENT)
    if set(fields) != NAMES:
        return None
    try:
        return StoredTurn.model_validate({name: text.get("S") for name, text in fields.items()})
    except ValidationError:
        return None


def _total(item: Mapping[str, Any]) -> int:
    """Turns so far; as many as there are where the item does not say it."""
    count = _number(item, "totalTurns")
    return len(turns_of(item)) if count is None else count


def _number(item: Mapping[str, Any], name: str) -> int | None:
    """A number of an item, whoever wrote it: nothing where it is no plain one."""
    text = item.get(name, _ABSENT).get("N", "")
    return int(text) if _NUMBER.fullmatch(text) else None


def _cut(text: str, most: int) -> str:
    """As much of the text as so many bytes hold."""
    return text.encode()[:most].decode(errors="ignore")

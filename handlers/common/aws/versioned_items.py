"""Items of a table that several functions change: one JSON text, with a version beside it.

Whoever changes an item says which version it was; who comes second reads again, and makes his move on top of what is
there. Each write has a name: where its answer is lost, boto3 sends it again, and that one must not take the first for
somebody else's.
"""

from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict

from handlers.common.aws.dynamodb_values import Item, stored

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

ATTEMPTS = 12
"""More than can collide: a few functions write to one item, each a few times in seconds."""
REMEMBERED = 8
"""Names of writes in an item: so many can be on top of one whose answer was lost, and it still knows itself."""

T = TypeVar("T")
Key = Mapping[str, str]
"""The key's attributes; all are strings."""


class State(BaseModel):
    """What an item holds. Every field has a default: nothing is known of an item that is not there."""

    model_config = ConfigDict(frozen=True, extra="ignore")


S = TypeVar("S", bound=State)


class TooManyWriters(Exception):
    """An item changed each time that it was read."""


@dataclass(frozen=True)
class VersionedItems:
    """Reads and changes items, with GetItem and UpdateItem alone."""

    client: "DynamoDBClient"
    table: str
    _: KW_ONLY
    ttl_attribute: str
    kept_seconds: int
    """How long an item stays after its last change."""
    clock_ms: Callable[[], int]

    def read(self, model: type[S], key: Key) -> S:
        """What is known of a key; a value of defaults where nothing is."""
        return _state(model, self._item(key))

    def change(
        self,
        model: type[S],
        key: Key,
        move: Callable[[S], tuple[S, T]],
        beside: Callable[[S], Mapping[str, Item | None]] = lambda _: {},
    ) -> T:
        """Moves a key's state on, and gives what the move gave. The move may be made more than once.

        `beside`: attributes that stand beside the state, for an index; none takes one away.
        """
        item = self._item(key)
        for _ in range(ATTEMPTS):
            state = _state(model, item)
            moved, given = move(state)
            if moved == state:
                return given
            newer = self._write(key, moved, beside(moved), item)
            if newer is None:
                return given
            item = newer
        raise TooManyWriters

    def _item(self, key: Key) -> Item:
        return self.client.get_item(TableName=self.table, Key=stored(key), ConsistentRead=True).get("Item", {})

    def _write(self, key: Key, state: State, beside: Mapping[str, Item | None], before: Item) -> Item | None:
        """None when it is written; otherwise what somebody else wrote."""
        version = int(before["version"]["N"]) if "version" in before else 0
        write = {"S": token_hex(4)}
        values: Item = {
            ":state": {"S": state.model_dump_json()},
            ":old": {"N": str(version)},
            ":new": {"N": str(version + 1)},
            ":writes": {"L": [write, *_writes(before)][:REMEMBERED]},
            ":ttl": {"N": str(self.clock_ms() // 1000 + self.kept_seconds)},
            **{f":{name}": value for name, value in beside.items() if value is not None},
        }
        names = {
            "#state": "state",
            "#writes": "writes",
            "#ttl": self.ttl_attribute,
            **{f"#{name}": name for name in beside},
        }
        sets = ", ".join(f"#{name} = :{name}" for name, value in beside.items() if value is not None)
        removes = ", ".join(f"#{name}" for name, value in beside.items() if value is None)
        update = "SET #state = :state, version = :new, #writes = :writes, #ttl = :ttl"
        try:
            self.client.update_item(
                TableName=self.table,
                Key=stored(key),
                UpdateExpression=f"{update}{f', {sets}' if sets else ''}{f' REMOVE {removes}' if removes else ''}",
                ConditionExpression="version = :old" if version else "attribute_not_exists(version) OR version = :old",
                ExpressionAttributeNames=names,
                ExpressionAttributeValues=values,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            found = self._item(key)
            return None if write in _writes(found) else found
        return None


def _writes(item: Item) -> list[Item]:
    """The names of an item's last writes, the newest first."""
    found: list[Item] = item.get("writes", {}).get("L", [])
    return found


def _state(model: type[S], item: Item) -> S:
    return model.model_validate_json(item["state"]["S"]) if "state" in item else model()

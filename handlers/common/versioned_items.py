"""DynamoDB gateway for small states that several Lambda invocations change concurrently.

Such an item contains a state, as JSON text, and a version number. Each change increases the version, on condition that
it still has the value that was read (optimistic locking). If another invocation changed the item first, the item is
read again, and the change is applied to its new state.

If the response to a write is lost, boto3 sends the write again. The condition then fails, although the first write
succeeded. To recognise this case, each write adds a random id to the item, which keeps the ids of its latest writes.
"""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass
from secrets import token_hex
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict

from handlers.common.records import MAX_ATTEMPTS, AttributeValue, Item, Key, TooManyWriters, serialize_item

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

MAX_WRITE_IDS = 8
"""Number of write ids that an item keeps. A repeated write is recognised if fewer writes than this came after it."""

T = TypeVar("T")


class VersionedState(BaseModel):
    """Base of the models of states. Every field needs a default, because a missing item has the default state."""

    model_config = ConfigDict(frozen=True, extra="ignore")


S = TypeVar("S", bound=VersionedState)


@dataclass(frozen=True)
class VersionedItems:
    """Gateway for the versioned items of one table. It uses only GetItem and UpdateItem."""

    client: "DynamoDBClient"
    table: str
    _: KW_ONLY
    ttl_attribute: str
    """Name of the attribute with the time after which DynamoDB deletes an item."""
    kept_seconds: int
    """Lifetime of an item after its last change."""
    clock_ms: Callable[[], int]
    """Return the time in milliseconds since 1970."""

    def read(self, model: type[S], key: Key) -> S:
        """Return the state of a key. The state of a missing item has default values."""
        return _state(model, self._get_item(key))

    def change(self, model: type[S], key: Key, transition: Callable[[S], tuple[S, T]]) -> T:
        """Change the state of an item. Raises TooManyWriters.

        `transition` takes the current state, and returns the new state and a result, which this method returns. It is
        called again if another invocation changed the item first. A state that stays equal is not written.
        """
        item = self._get_item(key)
        for _ in range(MAX_ATTEMPTS):
            state = _state(model, item)
            new_state, result = transition(state)
            if new_state == state:
                return result
            newer_item = self._write(key, new_state, item)
            if newer_item is None:
                return result
            item = newer_item
        raise TooManyWriters

    def _get_item(self, key: Key) -> Item:
        return self.client.get_item(TableName=self.table, Key=serialize_item(key), ConsistentRead=True).get("Item", {})

    def _write(self, key: Key, state: VersionedState, old_item: Item) -> Item | None:
        """Write the state. Return None on success, or the current item if another invocation changed it first."""
        version = int(old_item["version"]["N"]) if "version" in old_item else 0
        write_id = {"S": token_hex(4)}
        values: Item = {
            ":state": {"S": state.model_dump_json()},
            ":old": {"N": str(version)},
            ":new": {"N": str(version + 1)},
            ":writes": {"L": [write_id, *_write_ids(old_item)][:MAX_WRITE_IDS]},
            ":ttl": {"N": str(self.clock_ms() // 1000 + self.kept_seconds)},
        }
        try:
            self.client.update_item(
                TableName=self.table,
                Key=serialize_item(key),
                UpdateExpression="SET #state = :state, version = :new, #writes = :writes, #ttl = :ttl",
                ConditionExpression="version = :old" if version else "attribute_not_exists(version) OR version = :old",
                ExpressionAttributeNames={"#state": "state", "#writes": "writes", "#ttl": self.ttl_attribute},
                ExpressionAttributeValues=values,
            )
        except self.client.exceptions.ConditionalCheckFailedException:
            current_item = self._get_item(key)
            return None if write_id in _write_ids(current_item) else current_item
        return None


def _write_ids(item: Item) -> list[AttributeValue]:
    """Return the ids of the item's latest writes, newest first."""
    write_ids: list[AttributeValue] = item.get("writes", {}).get("L", [])
    return write_ids


def _state(model: type[S], item: Item) -> S:
    return model.model_validate_json(item["state"]["S"]) if "state" in item else model()

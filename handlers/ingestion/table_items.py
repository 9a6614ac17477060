"""What records of the file table share: their keys, their values, and conditional updates of them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from handlers.common.aws.dynamodb_values import serialize_value

SCHEMA_VERSION = 1
OPEN_INDEX = "open"
"""The sparse index of what is under way: partition `open_shard`, sorted by `open_since`."""

Item = Mapping[str, Any]
Values = Mapping[str, str | int]


@dataclass(frozen=True)
class RecordId:
    """The key of one record."""

    date_prefix: str
    file_key: str

    @property
    def key(self) -> dict[str, dict[str, str]]:
        """As requests have it."""
        return {"date_prefix": {"S": self.date_prefix}, "file_key": {"S": self.file_key}}


def id_of(item: Item) -> RecordId:
    """The key of a record that was read."""
    return RecordId(item["date_prefix"]["S"], item["file_key"]["S"])


def text(item: Item, name: str) -> str:
    """A string of a record; empty where it has none."""
    return str(item.get(name, {}).get("S", ""))


def number(item: Item, name: str) -> int:
    """A number of a record; 0 where it has none."""
    return int(item.get(name, {}).get("N", 0))


def expiry(now: datetime, days: int) -> int:
    """The second from which DynamoDB may remove a record."""
    return int((now + timedelta(days=days)).timestamp())


def update(
    one: RecordId,
    condition: str,
    given: Values,
    *,
    sets: Values,
    once: Values | None = None,
    copies: Mapping[str, str] | None = None,
    removes: Sequence[str] = (),
) -> dict[str, Any]:
    """A conditional update: names in `condition` begin with `#`, its values are `given`.

    `once` is only written where there is nothing yet; `copies` takes the value of another attribute. The answer holds
    the record as it is afterwards, or as it stopped the update: a retried call so finds what its first attempt did.
    """
    once, copies = once or {}, copies or {}
    names = {*sets, *once, *copies, *copies.values(), *removes}
    names |= {word.strip("#(),") for word in condition.split() if "#" in word}
    assignments = [f"#{name} = :set_{name}" for name in sets]
    assignments += [f"#{name} = if_not_exists(#{name}, :set_{name})" for name in once]
    assignments += [f"#{name} = #{source}" for name, source in copies.items()]
    expression = "SET " + ", ".join(assignments)
    if removes:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in removes)
    return {
        "Key": one.key,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
        "ExpressionAttributeValues": {
            **{f":set_{name}": serialize_value(value) for name, value in {**sets, **once}.items()},
            **{f":{name}": serialize_value(value) for name, value in given.items()},
        },
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

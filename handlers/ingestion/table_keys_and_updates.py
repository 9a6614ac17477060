"""Code for all items of the file table: primary keys, attribute values, queries of the index and conditional updates.

The items are the records of files, and the records of manifests (lists of files for one Spark run).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from handlers.common.ids import timestamp
from handlers.common.records import serialize_value

if TYPE_CHECKING:
    from types_boto3_dynamodb.client import DynamoDBClient

SCHEMA_VERSION = 1
"""Version of the items' form. Each item has it as `schemaVersion`, which is the only attribute in camel case."""
OPEN_INDEX = "open"
"""Sparse index of pending files, files that a manifest has claimed, and running manifests. Its partition key is
`open_shard`, its sort key `open_since`."""
MANIFEST_KEY_PREFIX = "MANIFEST#"

Item = Mapping[str, Any]
"""Item as DynamoDB returns it: typed attribute values by name."""
Values = Mapping[str, str | int]
"""Plain attribute values by name."""


@dataclass(frozen=True)
class RecordId:
    """Primary key of an item of the file table."""

    date_prefix: str
    file_key: str

    @property
    def key(self) -> dict[str, dict[str, str]]:
        """The key in the form of a DynamoDB request."""
        return {"date_prefix": {"S": self.date_prefix}, "file_key": {"S": self.file_key}}

    @staticmethod
    def from_item(item: Item) -> "RecordId":
        return RecordId(item["date_prefix"]["S"], item["file_key"]["S"])


def get_text(item: Item, name: str) -> str:
    """Return a string attribute, or an empty string if the item lacks it."""
    return str(item.get(name, {}).get("S", ""))


def get_number(item: Item, name: str) -> int:
    """Return a number attribute, or 0 if the item lacks it."""
    return int(item.get(name, {}).get("N", 0))


def compute_ttl(now: datetime, days: int) -> int:
    """Return the TTL of an item that is kept for some days: the epoch second after which DynamoDB may delete it."""
    return int((now + timedelta(days=days)).timestamp())


def query_open_items(
    client: "DynamoDBClient", table: str, shard: str, *, before: datetime | None = None, page_size: int = 1000
) -> Iterator[Item]:
    """Yield the items of one partition of the index `open`, ordered by `open_since`.

    With `before`, yield only the items whose `open_since` is earlier.
    """
    values = {":shard": {"S": shard}} | ({":before": {"S": timestamp(before)}} if before else {})
    next_page: dict[str, Any] = {}
    while True:
        response = client.query(
            TableName=table,
            IndexName=OPEN_INDEX,
            KeyConditionExpression="open_shard = :shard" + (" AND open_since < :before" if before else ""),
            ExpressionAttributeValues=values,
            Limit=page_size,
            **next_page,
        )
        yield from response["Items"]
        if "LastEvaluatedKey" not in response:
            return
        next_page = {"ExclusiveStartKey": response["LastEvaluatedKey"]}


def build_update(
    record_id: RecordId,
    condition: str,
    condition_values: Values,
    *,
    assign: Values,
    assign_if_absent: Values | None = None,
    copy: Mapping[str, str] | None = None,
    remove: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the arguments of a conditional UpdateItem call, without the table name.

    In `condition`, attribute names start with `#` and values with `:`. Spaces must separate each name from the rest,
    because this function finds the names by splitting the text. `assign` sets attributes, and `assign_if_absent` sets
    those that the item lacks. `copy` maps a target attribute to the attribute whose value is copied. `remove` lists attributes.

    The response contains the item after the update. If the condition fails, the error contains the current item. So a
    retried call, whose condition fails because its first attempt succeeded, still gets the item.
    """
    assign_if_absent, copy = assign_if_absent or {}, copy or {}
    names = {*assign, *assign_if_absent, *copy, *copy.values(), *remove}
    names |= {word.strip("#(),") for word in condition.split() if "#" in word}
    assignments = [f"#{name} = :set_{name}" for name in assign]
    assignments += [f"#{name} = if_not_exists(#{name}, :set_{name})" for name in assign_if_absent]
    assignments += [f"#{name} = #{source}" for name, source in copy.items()]
    expression = "SET " + ", ".join(assignments)
    if remove:
        expression += " REMOVE " + ", ".join(f"#{name}" for name in remove)
    return {
        "Key": record_id.key,
        "UpdateExpression": expression,
        "ConditionExpression": condition,
        "ExpressionAttributeNames": {f"#{name}": name for name in sorted(names)},
        "ExpressionAttributeValues": {
            **{f":set_{name}": serialize_value(value) for name, value in {**assign, **assign_if_absent}.items()},
            **{f":{name}": serialize_value(value) for name, value in condition_values.items()},
        },
        "ReturnValues": "ALL_NEW",
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }

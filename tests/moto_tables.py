"""DynamoDB tables in moto: creation, and all items of a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Index:
    """A global secondary index."""

    key: Sequence[str]
    projection: str = "ALL"
    included: Sequence[str] = ()
    """Attributes of the projection `INCLUDE`."""


def create_table(client: Any, name: str, *key: str, indexes: Mapping[str, Index] | None = None) -> None:
    """Create a table with one or two key attributes and its indexes. Keys are strings."""
    indexes = indexes or {}
    key_attributes = dict.fromkeys([*key, *(attribute for index in indexes.values() for attribute in index.key)])
    index_parameter = (
        {"GlobalSecondaryIndexes": [_to_index(name, index) for name, index in indexes.items()]} if indexes else {}
    )
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema(key),
        AttributeDefinitions=[{"AttributeName": attribute, "AttributeType": "S"} for attribute in key_attributes],
        **index_parameter,
    )


def stored_items(client: Any, table: str) -> list[dict[str, Any]]:
    """Return all items of a table."""
    items: list[dict[str, Any]] = client.scan(TableName=table)["Items"]
    return items


def _to_index(name: str, index: Index) -> dict[str, Any]:
    projection: dict[str, Any] = {"ProjectionType": index.projection}
    if index.included:
        projection["NonKeyAttributes"] = list(index.included)
    return {"IndexName": name, "KeySchema": _schema(index.key), "Projection": projection}


def _schema(key: Sequence[str]) -> list[dict[str, str]]:
    return [
        {"AttributeName": attribute, "KeyType": kind} for attribute, kind in zip(key, ("HASH", "RANGE"), strict=False)
    ]

"""DynamoDB's tables, as tests make them beside what they try."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Index:
    """A table's index."""

    key: Sequence[str]
    projection: str = "ALL"
    beside: Sequence[str] = ()
    """Attributes of a projection that includes some."""


def create_table(
    client: Any,
    name: str,
    *key: str,
    indexes: Mapping[str, Index] | None = None,
    numbers: Collection[str] = (),
) -> None:
    """A table by one key or two, and its indexes. What they go by are strings, but for some numbers."""
    indexes = indexes or {}
    keyed = dict.fromkeys([*key, *(element for index in indexes.values() for element in index.key)])
    more = {"GlobalSecondaryIndexes": [_described(item, index) for item, index in indexes.items()]} if indexes else {}
    client.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=_schema(key),
        AttributeDefinitions=[
            {"AttributeName": entry, "AttributeType": "N" if entry in numbers else "S"} for entry in keyed
        ],
        **more,
    )


def _described(name: str, index: Index) -> dict[str, Any]:
    beside = {"NonKeyAttributes": list(index.beside)} if index.beside else {}
    projection = {"ProjectionType": index.projection, **beside}
    return {"IndexName": name, "KeySchema": _schema(index.key), "Projection": projection}


def _schema(key: Sequence[str]) -> list[dict[str, str]]:
    return [{"AttributeName": item, "KeyType": kind} for item, kind in zip(key, ("HASH", "RANGE"), strict=False)]

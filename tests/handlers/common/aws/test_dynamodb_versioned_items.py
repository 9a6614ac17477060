"""Tests of versioned items under concurrent and repeated writes."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.aws.dynamodb_values import AttributeValue
from handlers.common.aws.dynamodb_versioned_items import (
    MAX_ATTEMPTS,
    MAX_WRITE_IDS,
    TooManyWriters,
    VersionedItems,
    VersionedState,
)
from tests.credentials import credentials
from tests.lost_responses import repeat_next_call
from tests.moto_tables import create_table

TABLE, KEY = "things", {"pk": "a"}


class Names(VersionedState):
    names: tuple[str, ...] = ()


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    credentials(monkeypatch)
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client, TABLE, *KEY)
        yield client


@pytest.fixture
def items(dynamodb: Any) -> VersionedItems:
    return VersionedItems(dynamodb, TABLE, ttl_attribute="ttl", kept_seconds=60, clock_ms=lambda: 5_000)


def add_first(items: VersionedItems, name: str) -> bool:
    """Add a name if the item has none. Return True if it was added."""

    def join(now: Names) -> tuple[Names, bool]:
        return (now, False) if now.names else (Names(names=(name,)), True)

    return items.change(Names, KEY, join)


def add_name(items: VersionedItems, name: str) -> None:
    """Add a name."""
    items.change(Names, KEY, lambda now: (Names(names=(*now.names, name)), None))


def test_only_the_first_of_two_writers_adds_its_name(items: VersionedItems) -> None:
    assert (add_first(items, "ann"), add_first(items, "bob")) == (True, False)
    assert items.read(Names, KEY).names == ("ann",)


def test_a_repeated_write_recognises_itself(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_next_call(dynamodb, "update_item", monkeypatch)
    assert add_first(items, "ann"), "or nobody would do what everybody takes for being done"
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"]
    assert (item["version"], item["ttl"]) == ({"N": "1"}, {"N": "65"})


def test_a_repeated_write_recognises_itself_below_newer_writes(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others() -> None:
        for name in ("bob", "cal", "dan"):
            add_name(items, name)

    repeat_next_call(dynamodb, "update_item", monkeypatch, others)
    assert add_first(items, "ann")
    assert items.read(Names, KEY).names == ("ann", "bob", "cal", "dan")


def test_an_item_does_not_grow_with_its_writes(items: VersionedItems, dynamodb: Any) -> None:
    for number in range(3 * MAX_WRITE_IDS):
        add_name(items, str(number))
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"]
    assert item["version"] == {"N": str(3 * MAX_WRITE_IDS)}
    assert len(item["writes"]["L"]) == MAX_WRITE_IDS


def test_index_attributes_are_set_and_removed(items: VersionedItems, dynamodb: Any) -> None:
    def due(state: Names) -> dict[str, AttributeValue | None]:
        return {"due": {"N": "7"} if len(state.names) == 1 else None}

    for expected in ({"N": "7"}, None):
        items.change(Names, KEY, lambda now: (Names(names=(*now.names, "ann")), None), due)
        assert dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"].get("due") == expected


def test_a_transition_is_applied_again_to_a_concurrent_change(items: VersionedItems) -> None:
    def both(now: Names) -> tuple[Names, tuple[str, ...]]:
        if not now.names:
            add_first(items, "bob")
        moved = Names(names=(*now.names, "ann"))
        return moved, moved.names

    assert items.change(Names, KEY, both) == ("bob", "ann") == items.read(Names, KEY).names


def test_a_writer_that_always_collides_raises_an_error(items: VersionedItems) -> None:
    def overtaken(now: Names) -> tuple[Names, None]:
        items.change(Names, KEY, lambda one: (Names(names=(*one.names, "bob")), None))
        return Names(names=(*now.names, "ann")), None

    with pytest.raises(TooManyWriters):
        items.change(Names, KEY, overtaken)
    assert items.read(Names, KEY).names == ("bob",) * MAX_ATTEMPTS

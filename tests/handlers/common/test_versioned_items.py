"""Tests of versioned items, which concurrent writers can change without losing a change.

A change reads the item, computes its new state, and writes it on condition that the version is still the same. The item
keeps the ids of its last writes, by which a writer recognises its own write if botocore has sent it twice.
"""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.records import MAX_ATTEMPTS, TooManyWriters
from handlers.common.versioned_items import MAX_WRITE_IDS, VersionedItems, VersionedState
from tests.credentials import credentials
from tests.lost_responses import repeat_every_call
from tests.moto_tables import create_table

TABLE, KEY = "versioned-items", {"pk": "a"}


class Names(VersionedState):
    """State of the tested item: a list of names."""

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

    def add_if_empty(state: Names) -> tuple[Names, bool]:
        return (state, False) if state.names else (Names(names=(name,)), True)

    return items.change(Names, KEY, add_if_empty)


def add_name(items: VersionedItems, name: str) -> None:
    items.change(Names, KEY, lambda state: (Names(names=(*state.names, name)), None))


def stored_item(dynamodb: Any) -> dict[str, Any]:
    item: dict[str, Any] = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"]
    return item


def test_only_the_first_of_two_writers_adds_its_name(items: VersionedItems) -> None:
    assert (add_first(items, "ann"), add_first(items, "bob")) == (True, False)
    assert items.read(Names, KEY).names == ("ann",)


def test_a_write_that_is_sent_twice_is_applied_once_and_succeeds(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_every_call(dynamodb, "update_item", monkeypatch)
    assert add_first(items, "ann"), "if the writer took its own write for another writer's, none would do the work"
    item = stored_item(dynamodb)
    assert (item["version"], item["ttl"]) == ({"N": "1"}, {"N": "65"})


def test_a_write_that_is_sent_twice_succeeds_even_after_other_writes_in_between(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write_three_names() -> None:
        for name in ("bob", "cal", "dan"):
            add_name(items, name)

    repeat_every_call(dynamodb, "update_item", monkeypatch, write_three_names)
    assert add_first(items, "ann")
    assert items.read(Names, KEY).names == ("ann", "bob", "cal", "dan")


def test_the_number_of_stored_write_ids_is_limited(items: VersionedItems, dynamodb: Any) -> None:
    for number in range(3 * MAX_WRITE_IDS):
        add_name(items, str(number))
    item = stored_item(dynamodb)
    assert item["version"] == {"N": str(3 * MAX_WRITE_IDS)}
    assert len(item["writes"]["L"]) == MAX_WRITE_IDS


def test_a_transition_is_repeated_on_the_result_of_a_concurrent_change(items: VersionedItems) -> None:
    def add_ann(state: Names) -> tuple[Names, tuple[str, ...]]:
        if not state.names:
            add_first(items, "bob")  # concurrent change
        changed = Names(names=(*state.names, "ann"))
        return changed, changed.names

    assert items.change(Names, KEY, add_ann) == ("bob", "ann") == items.read(Names, KEY).names


def test_a_writer_that_always_collides_raises_an_error(items: VersionedItems) -> None:
    def add_ann_after_bob(state: Names) -> tuple[Names, None]:
        add_name(items, "bob")  # concurrent change
        return Names(names=(*state.names, "ann")), None

    with pytest.raises(TooManyWriters):
        items.change(Names, KEY, add_ann_after_bob)
    assert items.read(Names, KEY).names == ("bob",) * MAX_ATTEMPTS

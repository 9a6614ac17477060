"""Items that several functions change: each move is made on top of what is there, and counts once."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.aws.versioned_items import (
    MAX_ATTEMPTS,
    MAX_WRITE_IDS,
    TooManyWriters,
    VersionedItems,
    VersionedState,
)
from tests.credentials import credentials
from tests.lost_responses import repeated
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


def joined(items: VersionedItems, name: str) -> bool:
    """Adds a name, unless somebody is there already: whether it was added."""

    def join(now: Names) -> tuple[Names, bool]:
        return (now, False) if now.names else (Names(names=(name,)), True)

    return items.change(Names, KEY, join)


def added(items: VersionedItems, name: str) -> None:
    """Adds a name, whoever is there."""
    items.change(Names, KEY, lambda now: (Names(names=(*now.names, name)), None))


def test_one_of_two_is_first_and_both_know_it(items: VersionedItems) -> None:
    assert (joined(items, "ann"), joined(items, "bob")) == (True, False)
    assert items.read(Names, KEY).names == ("ann",)


def test_a_write_whose_answer_is_lost_is_not_taken_for_somebody_elses(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeated(dynamodb, "update_item", monkeypatch)
    assert joined(items, "ann"), "or nobody would do what everybody takes for being done"
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"]
    assert (item["version"], item["ttl"]) == ({"N": "1"}, {"N": "65"})


def test_nor_is_it_where_others_wrote_on_top_before_it_was_looked_at_again(
    items: VersionedItems, dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others() -> None:
        for name in ("bob", "cal", "dan"):
            added(items, name)

    repeated(dynamodb, "update_item", monkeypatch, others)
    assert joined(items, "ann")
    assert items.read(Names, KEY).names == ("ann", "bob", "cal", "dan")


def test_an_item_does_not_grow_with_its_writes(items: VersionedItems, dynamodb: Any) -> None:
    for number in range(3 * MAX_WRITE_IDS):
        added(items, str(number))
    item = dynamodb.get_item(TableName=TABLE, Key={"pk": {"S": "a"}})["Item"]
    assert item["version"] == {"N": str(3 * MAX_WRITE_IDS)}
    assert len(item["writes"]["L"]) == MAX_WRITE_IDS


def test_a_move_is_made_on_top_of_what_somebody_wrote_meanwhile(items: VersionedItems) -> None:
    def both(now: Names) -> tuple[Names, tuple[str, ...]]:
        if not now.names:
            joined(items, "bob")
        moved = Names(names=(*now.names, "ann"))
        return moved, moved.names

    assert items.change(Names, KEY, both) == ("bob", "ann") == items.read(Names, KEY).names


def test_who_never_comes_to_write_says_so(items: VersionedItems) -> None:
    def overtaken(now: Names) -> tuple[Names, None]:
        items.change(Names, KEY, lambda one: (Names(names=(*one.names, "bob")), None))
        return Names(names=(*now.names, "ann")), None

    with pytest.raises(TooManyWriters):
        items.change(Names, KEY, overtaken)
    assert items.read(Names, KEY).names == ("bob",) * MAX_ATTEMPTS

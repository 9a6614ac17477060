"""Tests of records, which several writers change without losing a change, and of the conversion of their values."""

from collections.abc import Iterator
from typing import Any
from unittest.mock import Mock

import boto3
import pytest
from moto import mock_aws
from pydantic import ConfigDict

from handlers.common.records import (
    MAX_ATTEMPTS,
    Record,
    Records,
    TooManyWriters,
    deserialize_item,
    serialize_item,
    serialize_model,
)
from tests.credentials import credentials
from tests.lost_responses import repeat_every_call
from tests.moto_tables import create_table

TABLE, KEY = "records", {"pk": "a"}


class Party(Record):
    """Record of the tests: a list of guests and an optional host."""

    guests: tuple[str, ...] = ()
    host_name: str | None = None


@pytest.fixture
def dynamodb(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    credentials(monkeypatch)
    with mock_aws():
        client = boto3.client("dynamodb")
        create_table(client, TABLE, *KEY)
        yield client


@pytest.fixture
def records(dynamodb: Any) -> Records[Party]:
    return Records(dynamodb, TABLE, Party, lambda party: {"ttl": 60 + len(party.guests)})


def invite(party: Party | None, guest: str) -> Party:
    party = party or Party()
    return party if guest in party.guests else party.model_copy(update={"guests": (*party.guests, guest)})


def stored_item(dynamodb: Any) -> dict[str, Any]:
    return deserialize_item(dynamodb.get_item(TableName=TABLE, Key=serialize_item(KEY))["Item"])


def test_a_record_is_created_changed_and_read(
    records: Records[Party], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    get_item = Mock(wraps=dynamodb.get_item)
    monkeypatch.setattr(dynamodb, "get_item", get_item)
    assert records.read(KEY) is None
    get_item.assert_called_once_with(TableName=TABLE, Key=serialize_item(KEY), ConsistentRead=True)
    records.change(KEY, lambda party: invite(party, "ann").model_copy(update={"host_name": "eve"}))
    changed = records.change(KEY, lambda party: invite(party, "bob").model_copy(update={"host_name": None}))
    assert get_item.call_count == 3, "a change without a conflict reads once"
    assert changed == records.read(KEY) == records.parse(serialize_item(stored_item(dynamodb)))
    assert stored_item(dynamodb) == {"pk": "a", "guests": ["ann", "bob"], "ttl": 62, "revision": changed.revision}


def test_a_transition_that_changes_nothing_writes_nothing(records: Records[Party]) -> None:
    assert records.change(KEY, lambda party: party) is None
    first = records.change(KEY, lambda party: invite(party, "ann"))
    assert first is not None
    assert records.change(KEY, lambda party: invite(party, "ann")) == first, "with the same revision"


def test_a_transition_is_repeated_on_the_result_of_a_concurrent_change(records: Records[Party]) -> None:
    def invite_ann(party: Party | None) -> Party:
        if party is None:
            records.change(KEY, lambda current: invite(current, "bob"))  # concurrent change
        return invite(party, "ann")

    assert records.change(KEY, invite_ann) == Party(guests=("bob", "ann"), revision=records.read(KEY).revision)  # type: ignore[union-attr]


def test_a_write_that_is_sent_twice_is_applied_once(
    records: Records[Party], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transition = Mock(side_effect=lambda party: invite(party, "ann"))
    repeat_every_call(dynamodb, "put_item", monkeypatch)
    assert records.change(KEY, transition) == records.read(KEY)
    transition.assert_called_once_with(None)  # the writer recognised its own write


def test_a_write_that_is_sent_twice_succeeds_although_another_one_came_in_between(
    records: Records[Party], dynamodb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    repeat_every_call(
        dynamodb, "put_item", monkeypatch, lambda: records.change(KEY, lambda party: invite(party, "bob"))
    )
    party = records.change(KEY, lambda party: invite(party, "ann"))
    assert party is not None
    assert party.guests == ("ann", "bob")


def test_a_writer_that_always_collides_raises_an_error(records: Records[Party]) -> None:
    def invite_after_others(party: Party | None) -> Party:
        guests = party.guests if party else ()
        records.change(KEY, lambda current: invite(current, f"guest {len(guests)}"))  # concurrent change
        return invite(party, "ann")

    with pytest.raises(TooManyWriters):
        records.change(KEY, invite_after_others)
    party = records.read(KEY)
    assert party is not None
    assert len(party.guests) == MAX_ATTEMPTS


def test_an_error_other_than_a_conflict_is_raised(dynamodb: Any) -> None:
    with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
        Records(dynamodb, "other", Party).change(KEY, lambda party: invite(party, "ann"))


class Values(Record):
    model_config = ConfigDict(strict=True)

    values: dict[str, Any]
    share: float = 0.1
    party: Party = Party(host_name=None)


def test_a_value_returns_from_its_dynamodb_type_and_none_is_left_out() -> None:
    values = {"a": True, "b": 10**30, "c": -1.5, "d": "1", "e": ["a", -5], "f": {"g": "x"}}
    item = serialize_model(Values(values=values))
    assert item["share"] == {"N": "0.1"}
    assert item["party"] == {"M": {"revision": {"S": ""}, "guests": {"L": []}}}
    assert Values.model_validate(deserialize_item(item)) == Values(values=values)

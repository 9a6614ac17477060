"""Tests of the command `backfill`, which writes and removes items for an index by participant or tag."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.aws.dynamodb_values import deserialize_item, serialize_item
from operations import meetings_index_backfill
from operations.__main__ import main
from tests.credentials import credentials
from tests.moto_tables import Index, create_table

TABLE = "polyphony-dev-meetings-meetings"
ANN, BOB = "A" * 32, "B" * 32
AT = "2026-01-31T09:30:00.000Z"


def meeting(number: int) -> str:
    return f"01KG{number:022d}"


class Stack:
    """The meetings table in moto with the index, and the seconds of each wait."""

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb")
        create_table(self.dynamodb, TABLE, "user", "meetingId", indexes={"GSI-2": Index(("user", "participantSearch"))})
        self.printed: list[str] = []
        self.waits: list[float] = []

    def __call__(self, service: str) -> Any:
        assert service == "dynamodb"
        return self.dynamodb

    def put(self, user: str, number: int, participants: list[str], tags: list[str] | None = None) -> None:
        item = {"user": user, "meetingId": meeting(number), "startedAt": AT, "version": 1, "participants": participants}
        self.dynamodb.put_item(TableName=TABLE, Item=serialize_item({**item, "tags": tags or []}))

    def items(self) -> list[dict[str, Any]]:
        return [deserialize_item(item) for item in self.dynamodb.scan(TableName=TABLE)["Items"]]

    def found(self, user: str, name: str) -> list[str]:
        """Return the ids of the meetings that the index lists."""
        answer = self.dynamodb.query(
            TableName=TABLE,
            IndexName="GSI-2",
            KeyConditionExpression="#user = :user AND begins_with(participantSearch, :name)",
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues=serialize_item({":user": user, ":name": f"{name}#"}),
        )
        return sorted(item["of"]["S"] for item in answer["Items"])

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)

    def run(self, *arguments: str) -> int:
        return main(
            ["backfill", "--stack", "dev", *arguments],
            clients=self,
            clock=lambda: 0.0,
            wait=self.wait,
            print_line=self.printed.append,
        )


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    credentials(monkeypatch)
    with mock_aws():
        yield Stack()


def test_the_index_finds_each_meeting_by_each_of_its_participants(stack: Stack) -> None:
    """A second run changes nothing."""
    stack.put(ANN, 1, ["Ann", "Bob  B."])
    stack.put(ANN, 2, ["ann", "ANN"])
    stack.put(BOB, 3, ["Ann"])
    assert stack.run("participants") == 0
    assert stack.found(ANN, "ann") == [meeting(1), meeting(2)]
    assert stack.found(ANN, "bob b.") == [meeting(1)]
    assert stack.found(BOB, "ann") == [meeting(3)]
    assert stack.printed == ["3 meetings read, 4 items written, 0 removed, 0 meetings changed meanwhile"]
    made = [item for item in stack.items() if "of" in item]
    assert not any("startedAt" in entry for entry in made), "the index by date has none of them"
    before = stack.items()
    assert stack.run("participants") == 0
    assert stack.items() == before
    assert "0 items written, 0 removed" in stack.printed[-1]


def test_a_removed_participant_is_no_longer_found(stack: Stack) -> None:
    stack.put(ANN, 1, ["Ann", "Bob"])
    stack.run("participants")
    stack.put(ANN, 1, ["Bob", "Cem"])
    assert stack.run("participants") == 0
    assert (stack.found(ANN, "ann"), stack.found(ANN, "cem")) == ([], [meeting(1)])
    assert "1 items written, 1 removed" in stack.printed[-1]


def test_items_for_tags_can_be_removed_without_those_for_participants(stack: Stack) -> None:
    stack.put(ANN, 1, ["Ann"], ["team", "weekly"])
    before = stack.items()
    stack.run("participants")
    stack.run("tags")
    assert len(stack.items()) == 4
    stack.run("tags", "--remove")
    assert stack.found(ANN, "ann") == [meeting(1)]
    stack.run("participants", "--remove")
    assert stack.items() == before


def test_items_that_are_not_meetings_are_skipped(stack: Stack) -> None:
    due = {"user": "#open", "meetingId": f"{AT}#{ANN}#{meeting(1)}", "of": meeting(1)}
    stack.dynamodb.put_item(TableName=TABLE, Item=serialize_item(due))
    assert stack.run("participants") == 0
    assert stack.items() == [due]


def test_a_hundred_participants_take_more_than_one_transaction(stack: Stack) -> None:
    stack.put(ANN, 1, [f"person {number}" for number in range(100)])
    assert stack.run("participants") == 0
    assert len(stack.items()) == 101


def test_a_meeting_that_changed_meanwhile_gets_no_items_and_is_counted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.put(ANN, 1, ["Ann"])
    scan = stack.dynamodb.scan

    def outdated(**asked: Any) -> Any:
        answer = scan(**asked)
        for item in answer["Items"]:
            item["version"] = {"N": "0"}
        return answer

    with monkeypatch.context() as patch:
        patch.setattr(stack.dynamodb, "scan", outdated)
        assert stack.run("participants") == 2
    assert "1 meetings changed meanwhile; run the command again for these" in stack.printed[-1]
    assert stack.found(ANN, "ann") == []
    assert stack.run("participants") == 0
    assert stack.found(ANN, "ann") == [meeting(1)]


@pytest.fixture
def page_size(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> int:
    """Return the size of a page, which is reduced, and store two pages of meetings."""
    monkeypatch.setattr(meetings_index_backfill, "PAGE", 5)
    for number in range(10):
        stack.put(ANN, number, ["Ann"])
    return 5


def test_the_pause_between_pages_follows_the_given_rate(stack: Stack, page_size: int) -> None:
    assert stack.run("participants", "--per-second", "5") == 0
    assert stack.waits
    assert set(stack.waits) == {page_size / 5}


def test_an_interrupted_run_prints_its_position_and_continues_there(stack: Stack, page_size: int) -> None:
    def stopped(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stack, "wait", stopped)
        assert stack.run("participants") == 2
    _, _, after = stack.printed[-1].partition("--after ")
    assert f"{page_size} items written" in stack.printed[-1]
    assert stack.run("participants", "--after", after) == 0
    assert stack.found(ANN, "ann") == [meeting(number) for number in range(10)]


@pytest.mark.parametrize("wrong", [["--per-second", "0"], ["--after", "somewhere"]])
def test_invalid_options_are_refused(stack: Stack, capsys: pytest.CaptureFixture[str], wrong: list[str]) -> None:
    assert stack.run("participants", *wrong) == 2
    assert capsys.readouterr().err.startswith(wrong[0])


def test_a_missing_table_is_an_error(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.dynamodb.delete_table(TableName=TABLE)
    assert stack.run("participants") == 2
    assert f"dynamodb:Scan on {TABLE}: the resource does not exist" in capsys.readouterr().err

"""Tests of the command `backfill`, which writes and removes the index items by which a user's meetings are found.

Each item belongs to one participant or tag of a meeting.
"""

from typing import Any
from unittest.mock import Mock

import boto3
import pytest

from handlers.common.aws.dynamodb_values import deserialize_item, serialize_item
from operations import meetings_index_backfill
from operations.__main__ import main
from tests.moto_tables import Index, create_table

TABLE = "polyphony-dev-meetings-meetings"
ANN, BOB = "A" * 32, "B" * 32
STARTED_AT = "2026-01-31T09:30:00.000Z"


def meeting_id(number: int) -> str:
    return f"01KG{number:022d}"


class Stack:
    """The meetings table in moto with the index. It records the seconds of each pause.

    The attribute `of` of an index item is the id of its meeting.
    """

    def __init__(self) -> None:
        self.dynamodb = boto3.client("dynamodb")
        create_table(self.dynamodb, TABLE, "user", "meetingId", indexes={"GSI-2": Index(("user", "participantSearch"))})
        self.printed: list[str] = []
        self.pauses: list[float] = []

    def __call__(self, service: str) -> Any:
        assert service == "dynamodb"
        return self.dynamodb

    def put_meeting(self, user: str, number: int, participants: list[str], tags: list[str] | None = None) -> None:
        item = {"user": user, "meetingId": meeting_id(number), "startedAt": STARTED_AT, "version": 1}
        lists = {"participants": participants, "tags": tags or []}
        self.dynamodb.put_item(TableName=TABLE, Item=serialize_item(item | lists))

    def read_items(self) -> list[dict[str, Any]]:
        return [deserialize_item(item) for item in self.dynamodb.scan(TableName=TABLE)["Items"]]

    def find_meetings(self, user: str, name: str) -> list[str]:
        """Return the ids of a user's meetings that the index lists for a participant."""
        response = self.dynamodb.query(
            TableName=TABLE,
            IndexName="GSI-2",
            KeyConditionExpression="#user = :user AND begins_with(participantSearch, :name)",
            ExpressionAttributeNames={"#user": "user"},
            ExpressionAttributeValues=serialize_item({":user": user, ":name": f"{name}#"}),
        )
        return sorted(item["of"]["S"] for item in response["Items"])

    def wait(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def run(self, *arguments: str) -> int:
        return main(
            ["backfill", "--stack", "dev", *arguments],
            clients=self,
            clock=lambda: 0.0,
            wait=self.wait,
            print_line=self.printed.append,
        )


@pytest.fixture
def stack(mocked_aws: None) -> Stack:
    return Stack()


def test_the_index_finds_each_meeting_by_each_of_its_participants(stack: Stack) -> None:
    stack.put_meeting(ANN, 1, ["Ann", "Bob  B."])
    stack.put_meeting(ANN, 2, ["ann", "ANN"])
    stack.put_meeting(BOB, 3, ["Ann"])
    assert stack.run("participants") == 0
    assert stack.find_meetings(ANN, "ann") == [meeting_id(1), meeting_id(2)]
    assert stack.find_meetings(ANN, "bob b.") == [meeting_id(1)]
    assert stack.find_meetings(BOB, "ann") == [meeting_id(3)]
    assert stack.printed == ["3 meetings read, 4 items written, 0 removed, 0 meetings changed meanwhile"]
    index_items = [item for item in stack.read_items() if "of" in item]
    assert not any("startedAt" in item for item in index_items), "the index by date must not list them"


def test_a_second_run_changes_nothing(stack: Stack) -> None:
    stack.put_meeting(ANN, 1, ["Ann", "Bob"])
    stack.run("participants")
    before = stack.read_items()
    assert stack.run("participants") == 0
    assert stack.read_items() == before
    assert "0 items written, 0 removed" in stack.printed[-1]


def test_a_removed_participant_is_no_longer_found(stack: Stack) -> None:
    stack.put_meeting(ANN, 1, ["Ann", "Bob"])
    stack.run("participants")
    stack.put_meeting(ANN, 1, ["Bob", "Cem"])
    assert stack.run("participants") == 0
    assert (stack.find_meetings(ANN, "ann"), stack.find_meetings(ANN, "cem")) == ([], [meeting_id(1)])
    assert "1 items written, 1 removed" in stack.printed[-1]


def test_items_for_tags_can_be_removed_without_those_for_participants(stack: Stack) -> None:
    stack.put_meeting(ANN, 1, ["Ann"], ["team", "weekly"])
    before = stack.read_items()
    stack.run("participants")
    stack.run("tags")
    assert len(stack.read_items()) == 4
    stack.run("tags", "--remove")
    assert stack.find_meetings(ANN, "ann") == [meeting_id(1)]
    stack.run("participants", "--remove")
    assert stack.read_items() == before


def test_items_that_are_not_meetings_are_skipped(stack: Stack) -> None:
    other_item = {"user": "#other", "meetingId": f"{STARTED_AT}#{ANN}#{meeting_id(1)}", "of": meeting_id(1)}
    stack.dynamodb.put_item(TableName=TABLE, Item=serialize_item(other_item))
    assert stack.run("participants") == 0
    assert stack.read_items() == [other_item]


def test_a_hundred_participants_are_written_in_several_transactions(stack: Stack) -> None:
    stack.put_meeting(ANN, 1, [f"person {number}" for number in range(100)])
    assert stack.run("participants") == 0
    assert len(stack.read_items()) == 101


def test_a_meeting_that_changed_concurrently_gets_no_items_and_is_counted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stack.put_meeting(ANN, 1, ["Ann"])
    scan = stack.dynamodb.scan

    def scan_old_versions(**parameters: Any) -> Any:
        response = scan(**parameters)
        for item in response["Items"]:
            item["version"] = {"N": "0"}
        return response

    with monkeypatch.context() as patched:
        patched.setattr(stack.dynamodb, "scan", scan_old_versions)
        assert stack.run("participants") == 2
    assert "1 meetings changed meanwhile; run the command again for these" in stack.printed[-1]
    assert stack.find_meetings(ANN, "ann") == []
    assert stack.run("participants") == 0
    assert stack.find_meetings(ANN, "ann") == [meeting_id(1)]


@pytest.fixture
def page_size(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> int:
    """Store two pages of meetings. Return the page size, which is reduced."""
    monkeypatch.setattr(meetings_index_backfill, "PAGE", 5)
    for number in range(10):
        stack.put_meeting(ANN, number, ["Ann"])
    return 5


def test_the_pauses_between_pages_follow_the_given_rate(stack: Stack, page_size: int) -> None:
    assert stack.run("participants", "--per-second", "5") == 0
    assert stack.pauses
    assert set(stack.pauses) == {page_size / 5}


def test_an_interrupted_run_prints_its_position_and_continues_there(stack: Stack, page_size: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(stack, "wait", Mock(side_effect=KeyboardInterrupt))
        assert stack.run("participants") == 2
    _, _, position = stack.printed[-1].partition("--after ")
    assert f"{page_size} items written" in stack.printed[-1]
    assert stack.run("participants", "--after", position) == 0
    assert stack.find_meetings(ANN, "ann") == [meeting_id(number) for number in range(10)]


@pytest.mark.parametrize("options", [["--per-second", "0"], ["--after", "somewhere"]])
def test_invalid_options_are_refused(stack: Stack, capsys: pytest.CaptureFixture[str], options: list[str]) -> None:
    assert stack.run("participants", *options) == 2
    assert capsys.readouterr().err.startswith(options[0])


def test_a_missing_table_is_an_error(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    stack.dynamodb.delete_table(TableName=TABLE)
    assert stack.run("participants") == 2
    assert f"dynamodb:Scan on {TABLE}: the resource does not exist" in capsys.readouterr().err

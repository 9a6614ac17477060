"""Conversations: the stored form, the limits for the table and the agent, and items that a guest has changed.

A conversation is the list of a guest's earlier questions and answers about a lecture. A turn is one question with its
answer. IAM allows guests to read and write the items of their own conversations.
"""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.records import TooManyWriters
from handlers.voice_qa.query_worker import conversations as module
from handlers.voice_qa.query_worker.conversations import (
    CONTEXT_CHARACTERS,
    CONTEXT_TURNS,
    MAX_ITEM,
    Conversations,
    StoredTurn,
    append_turn,
    context_turns,
    parse_turns,
    stored_size,
)
from tests.handlers.transcription.router_harness import START_MS, Clock
from tests.handlers.voice_qa.validate_lecture.lecture_harness import TABLE, LectureHarness

TURN_TIME = "2026-01-01T00:00:00.000Z"
KEY = {"sessionId": "us-east-1:guest#01M7W8GQNQY865WCQPRM59D2J7", "lectureId": "01M7W8GQNQY865WCQPRM59D2J8"}
STORED_KEY = {name: {"S": value} for name, value in KEY.items()}
STORED_TURN: dict[str, Any] = {
    "M": {"queryId": {"S": "query-0001"}, "question": {"S": "Q"}, "answer": {"S": "A"}, "at": {"S": TURN_TIME}}
}


def build_turn(number: int, question: str = "Q", answer: str = "A") -> StoredTurn:
    return StoredTurn(query_id=f"query-{number:04}", question=question, answer=answer, at=TURN_TIME)


def query_ids(turns: tuple[StoredTurn, ...]) -> list[str]:
    return [turn.query_id for turn in turns]


TURNS = st.lists(
    st.builds(
        lambda number, letter, question_length, answer_length: build_turn(
            number, letter * question_length, letter * answer_length
        ),
        st.integers(0, 20),
        st.sampled_from(["x", "€", "🐤"]),
        st.integers(0, 60_000),
        st.integers(0, 400_000),
    ),
    max_size=8,
)


@given(turns=TURNS, new_length=st.integers(0, 400_000))
def test_an_item_stays_within_its_size_and_has_the_newest_turn(turns: list[StoredTurn], new_length: int) -> None:
    new_turn = build_turn(99, "q" * new_length, "€" * new_length)
    stored_turns = append_turn(turns, new_turn)
    assert sum(map(stored_size, stored_turns)) < MAX_ITEM
    assert query_ids(stored_turns)[-1] == new_turn.query_id
    assert len(set(query_ids(stored_turns))) == len(stored_turns)
    assert new_turn.answer.startswith(stored_turns[-1].answer)


def test_the_oldest_turns_are_removed_first_and_a_turn_is_stored_once() -> None:
    stored_turns: tuple[StoredTurn, ...] = ()
    for number in range(6):
        stored_turns = append_turn(stored_turns, build_turn(number, answer="a" * 100_000))
    assert query_ids(stored_turns) == ["query-0003", "query-0004", "query-0005"]
    stored_turns = append_turn((build_turn(1), build_turn(2)), build_turn(1, answer="other"))
    assert [(turn.query_id, turn.answer) for turn in stored_turns] == [("query-0001", "A"), ("query-0002", "A")]


def test_the_agent_gets_only_the_last_turns_truncated() -> None:
    context = context_turns(tuple(build_turn(number, "q" * 9_000, f"{number}" + "a" * 9_000) for number in range(30)))
    assert len(context) == CONTEXT_TURNS
    assert context[0].answer.startswith("20")
    assert {len(turn.question) for turn in context} | {len(turn.answer) for turn in context} == {CONTEXT_CHARACTERS}


@pytest.mark.parametrize(
    "changed_attributes",
    [
        *({"queryId": query_id} for query_id in ({"S": "short"}, {"S": "query-0001\n"}, {"N": "12345678"})),
        *({"question": {"L": []}}, {"answer": {"NULL": True}}, {"answer": {"M": {"S": {"S": "A"}}}}),
        *({"at": {"S": "yesterday"}}, {"role": {"S": "system"}}),
    ],
)
def test_an_invalid_turn_that_a_guest_wrote_is_ignored(changed_attributes: dict[str, Any]) -> None:
    invalid = {"M": STORED_TURN["M"] | changed_attributes}
    assert parse_turns({"conversation": {"L": [invalid, STORED_TURN, {"S": "x"}, {"M": {}}]}}) == (build_turn(1),)


@pytest.mark.parametrize("item", [{}, {"conversation": {"S": "x"}}, {"conversation": {"M": {}}}])
def test_an_item_without_a_list_of_turns_has_no_turns(item: dict[str, Any]) -> None:
    assert parse_turns(item) == ()


@pytest.fixture
def conversations(lectures: LectureHarness) -> Conversations:
    return Conversations(lectures.dynamodb, TABLE, kept_days=7, clock_ms=Clock())


def read_item(lectures: LectureHarness) -> dict[str, Any]:
    item: dict[str, Any] = lectures.dynamodb.get_item(TableName=TABLE, Key=STORED_KEY)["Item"]
    return item


def test_an_item_has_the_form_that_guests_read(conversations: Conversations, lectures: LectureHarness) -> None:
    conversations.append(KEY, "query-0001", "Q", "A")
    conversations.append(KEY, "query-0001", "Q", "A stored turn is not written again.")
    now = "2025-10-09T08:53:20.000Z"
    values = {"queryId": "query-0001", "question": "Q", "answer": "A", "at": now}
    assert read_item(lectures) == STORED_KEY | {
        "conversation": {"L": [{"M": {name: {"S": value} for name, value in values.items()}}]},
        "totalTurns": {"N": "1"},
        "createdAt": {"S": now},
        "expiresAt": {"N": str(START_MS // 1000 + 7 * 86_400)},
    }


def test_a_conversation_expires_a_fixed_time_after_its_first_turn(lectures: LectureHarness) -> None:
    clock = Clock()
    conversations = Conversations(lectures.dynamodb, TABLE, kept_days=1, clock_ms=clock)
    for number in range(4):
        conversations.append(KEY, f"query-{number:04}", "Q", "A")
        clock.now_ms += 6 * 3_600_000 - 1_000
    assert len(conversations.turns(KEY)) == 4
    assert read_item(lectures)["createdAt"] == {"S": "2025-10-09T08:53:20.000Z"}
    assert read_item(lectures)["expiresAt"] == {"N": str(START_MS // 1000 + 86_400)}


def test_a_turn_after_the_expiry_begins_a_new_conversation(lectures: LectureHarness) -> None:
    clock = Clock()
    conversations = Conversations(lectures.dynamodb, TABLE, kept_days=1, clock_ms=clock)
    conversations.append(KEY, "query-0001", "Q", "A")
    clock.now_ms += 86_400_000
    assert conversations.turns(KEY) == (), "DynamoDB may delete an expired item days later"
    conversations.append(KEY, "query-0002", "Q", "A")
    assert query_ids(conversations.turns(KEY)) == ["query-0002"]
    assert read_item(lectures)["createdAt"] == {"S": "2025-10-10T08:53:20.000Z"}
    assert read_item(lectures)["expiresAt"] == {"N": str(START_MS // 1000 + 2 * 86_400)}


LATEST_EXPIRY = START_MS // 1000 + 7 * 86_400


@pytest.mark.parametrize(
    ("written_expiry", "expected"),
    [
        ({"N": str(START_MS // 1000 + 60)}, START_MS // 1000 + 60),
        *(({"N": number}, LATEST_EXPIRY) for number in (str(LATEST_EXPIRY + 1), "9" * 12, "9" * 30, "-5")),
        *(({"S": "never"}, LATEST_EXPIRY), ({"NULL": True}, LATEST_EXPIRY)),
    ],
)
def test_the_next_turn_limits_an_expiry_that_a_guest_wrote(
    conversations: Conversations, lectures: LectureHarness, written_expiry: dict[str, Any], expected: int
) -> None:
    attributes = {"conversation": {"L": [STORED_TURN]}, "totalTurns": {"N": "1"}, "expiresAt": written_expiry}
    lectures.dynamodb.put_item(TableName=TABLE, Item=STORED_KEY | attributes)
    conversations.append(KEY, "query-0002", "Q", "A")
    assert read_item(lectures)["expiresAt"] == {"N": str(expected)}
    assert query_ids(conversations.turns(KEY)) == ["query-0001", "query-0002"]


def test_the_number_of_turns_includes_removed_turns(conversations: Conversations, lectures: LectureHarness) -> None:
    for number in range(5):
        conversations.append(KEY, f"query-{number:04}", "Q", "a" * 200_000)
    assert read_item(lectures)["totalTurns"] == {"N": "5"}
    assert query_ids(conversations.turns(KEY)) == ["query-0004"]


@pytest.mark.parametrize(
    ("written_total", "expected"),
    [
        *((None, 2), ({"N": "7"}, 8), ({"S": "many"}, 2), ({"L": []}, 2)),
        *(({"N": number}, 2) for number in ("-3", "1.5", "1" + "0" * 30)),
    ],
)
def test_any_number_of_turns_that_a_guest_wrote_is_accepted_or_replaced(
    conversations: Conversations, lectures: LectureHarness, written_total: dict[str, Any] | None, expected: int
) -> None:
    attributes = {"conversation": {"L": [STORED_TURN, {"S": "x"}]}, "createdAt": {"N": "1"}}
    total = {} if written_total is None else {"totalTurns": written_total}
    lectures.dynamodb.put_item(TableName=TABLE, Item=STORED_KEY | attributes | total)
    conversations.append(KEY, "query-0002", "Q", "A")
    assert read_item(lectures)["totalTurns"] == {"N": str(expected)}
    assert query_ids(conversations.turns(KEY)) == ["query-0001", "query-0002"]


@pytest.mark.parametrize(
    ("exists", "expired"),
    [
        pytest.param(False, False, id="new conversation"),
        pytest.param(True, False, id="existing conversation"),
        pytest.param(True, True, id="expired conversation"),
    ],
)
def test_the_turns_of_two_concurrent_writers_are_both_stored(
    conversations: Conversations,
    lectures: LectureHarness,
    monkeypatch: pytest.MonkeyPatch,
    *,
    exists: bool,
    expired: bool,
) -> None:
    if exists:
        conversations.append(KEY, "query-0000", "Q", "A")
    if expired:
        expiry = {"expiresAt": {"N": str(START_MS // 1000)}}
        lectures.dynamodb.put_item(TableName=TABLE, Item=read_item(lectures) | expiry)
    concurrent_turns = [1, 2]

    def append_after_another_writer(turns: tuple[StoredTurn, ...], new_turn: StoredTurn) -> tuple[StoredTurn, ...]:
        if concurrent_turns:
            conversations.append(KEY, f"query-{concurrent_turns.pop():04}", "Q", "A")
        return append_turn(turns, new_turn)

    monkeypatch.setattr(module, "append_turn", append_after_another_writer)
    conversations.append(KEY, "query-0003", "Q", "A")
    expected = {"query-0001", "query-0002", "query-0003"} | ({"query-0000"} if exists and not expired else set())
    assert set(query_ids(conversations.turns(KEY))) == expected
    total = read_item(lectures)["totalTurns"]
    assert total == {"N": str(3 + exists)}, "each write changes the number, which the condition compares"


def test_an_item_that_changes_all_the_time_raises_an_error(
    conversations: Conversations, lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    totals = iter(range(1, 100))

    def append_after_another_writer(turns: tuple[StoredTurn, ...], new_turn: StoredTurn) -> tuple[StoredTurn, ...]:
        lectures.dynamodb.put_item(TableName=TABLE, Item=STORED_KEY | {"totalTurns": {"N": str(next(totals))}})
        return append_turn(turns, new_turn)

    monkeypatch.setattr(module, "append_turn", append_after_another_writer)
    with pytest.raises(TooManyWriters):
        conversations.append(KEY, "query-0003", "Q", "A")


def test_no_text_is_in_a_turns_representation() -> None:
    assert "canary" not in repr(build_turn(1, "canary", "canary"))

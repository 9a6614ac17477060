"""Conversations: limited for the table and for the agent, whatever a guest wrote."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.dynamodb.models.dynamo_type import LimitedSizeDict

from handlers.common.aws.dynamodb_versioned_items import TooManyWriters
from handlers.voice_qa.query_worker import conversations
from handlers.voice_qa.query_worker.conversations import (
    CONTEXT_CHARACTERS,
    CONTEXT_TURNS,
    MAX_ANSWER,
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

AT = "2026-01-01T00:00:00.000Z"
KEY = {"sessionId": "us-east-1:guest#01M7W8GQNQY865WCQPRM59D2J7", "lectureId": "01M7W8GQNQY865WCQPRM59D2J8"}
TYPED = {name: {"S": item} for name, item in KEY.items()}
GOOD: dict[str, Any] = {
    "M": {"queryId": {"S": "query-0001"}, "question": {"S": "Q"}, "answer": {"S": "A"}, "at": {"S": AT}}
}


def turn(number: int, question: str = "Q", answer: str = "A") -> StoredTurn:
    return StoredTurn(query_id=f"query-{number:04}", question=question, answer=answer, at=AT)


def ids(turns: tuple[StoredTurn, ...]) -> list[str]:
    return [turn.query_id for turn in turns]


TURNS = st.lists(
    st.builds(
        lambda number, letter, asked, answered: turn(number, letter * asked, letter * answered),
        st.integers(0, 20),
        st.sampled_from(["x", "€", "🐤"]),
        st.integers(0, 60_000),
        st.integers(0, 400_000),
    ),
    max_size=8,
)


@given(turns=TURNS, more=st.integers(0, 400_000))
def test_an_item_never_grows_too_large_and_always_has_the_newest_turn(turns: list[StoredTurn], more: int) -> None:
    new = turn(99, "q" * more, "€" * more)
    kept = append_turn(turns, new)
    assert sum(map(stored_size, kept)) < MAX_ITEM
    assert ids(kept)[-1] == new.query_id
    assert len(set(ids(kept))) == len(kept)
    assert new.answer.startswith(kept[-1].answer)


def test_the_oldest_turns_are_dropped_first_and_a_turn_is_stored_once() -> None:
    grown: tuple[StoredTurn, ...] = ()
    for number in range(6):
        grown = append_turn(grown, turn(number, answer="a" * 100_000))
    assert ids(grown) == ["query-0003", "query-0004", "query-0005"]
    kept = append_turn((turn(1), turn(2)), turn(1, answer="other"))
    assert [(turn.query_id, turn.answer) for turn in kept] == [("query-0001", "A"), ("query-0002", "A")]


def test_an_agent_gets_only_the_last_turns() -> None:
    heard = context_turns(tuple(turn(number, "q" * 9_000, f"{number}" + "a" * 9_000) for number in range(30)))
    assert len(heard) == CONTEXT_TURNS
    assert heard[0].answer.startswith("20")
    assert {len(turn.question) for turn in heard} | {len(turn.answer) for turn in heard} == {CONTEXT_CHARACTERS}


@pytest.mark.parametrize(
    "changed",
    [
        *({"queryId": wrong} for wrong in ({"S": "short"}, {"S": "query-0001\n"}, {"N": "12345678"})),
        *({"question": {"L": []}}, {"answer": {"NULL": True}}, {"answer": {"M": {"S": {"S": "A"}}}}),
        *({"at": {"S": "yesterday"}}, {"role": {"S": "system"}}),
    ],
)
def test_an_invalid_turn_is_ignored(changed: dict[str, Any]) -> None:
    wrong = {"M": GOOD["M"] | changed}
    assert parse_turns({"conversation": {"L": [wrong, GOOD, {"S": "x"}, {"M": {}}]}}) == (turn(1),)
    assert (
        parse_turns({}) == parse_turns({"conversation": {"S": "x"}}) == parse_turns({"conversation": {"M": {}}}) == ()
    )


@pytest.fixture
def stored_turns(lectures: LectureHarness) -> Conversations:
    return Conversations(lectures.dynamodb, TABLE, kept_days=7, clock_ms=Clock())


def item(lectures: LectureHarness) -> dict[str, Any]:
    found: dict[str, Any] = lectures.dynamodb.get_item(TableName=TABLE, Key=TYPED)["Item"]
    return found


def test_an_item_has_the_form_that_guests_read(stored_turns: Conversations, lectures: LectureHarness) -> None:
    stored_turns.append(KEY, "query-0001", "Q", "A")
    stored_turns.append(KEY, "query-0001", "Q", "a turn that is there is not written again")
    now = "2025-10-09T08:53:20.000Z"
    values = {"queryId": "query-0001", "question": "Q", "answer": "A", "at": now}
    assert item(lectures) == TYPED | {
        "conversation": {"L": [{"M": {name: {"S": value} for name, value in values.items()}}]},
        "totalTurns": {"N": "1"},
        "createdAt": {"S": now},
        "expiresAt": {"N": str(START_MS // 1000 + 7 * 86_400)},
    }


def test_a_conversation_expires_a_fixed_time_after_its_first_turn(lectures: LectureHarness) -> None:
    clock = Clock()
    kept = Conversations(lectures.dynamodb, TABLE, kept_days=1, clock_ms=clock)
    for number in range(4):
        kept.append(KEY, f"query-{number:04}", "Q", "A")
        clock.now_ms += 6 * 3_600_000 - 1_000
    assert len(kept.turns(KEY)) == 4
    assert item(lectures)["createdAt"] == {"S": "2025-10-09T08:53:20.000Z"}
    assert item(lectures)["expiresAt"] == {"N": str(START_MS // 1000 + 86_400)}


def test_a_turn_after_the_expiry_begins_a_new_conversation(lectures: LectureHarness) -> None:
    clock = Clock()
    kept = Conversations(lectures.dynamodb, TABLE, kept_days=1, clock_ms=clock)
    kept.append(KEY, "query-0001", "Q", "A")
    clock.now_ms += 86_400_000
    assert kept.turns(KEY) == (), "DynamoDB may delete it days later"
    kept.append(KEY, "query-0002", "Q", "A")
    assert ids(kept.turns(KEY)) == ["query-0002"]
    assert item(lectures)["createdAt"] == {"S": "2025-10-10T08:53:20.000Z"}
    assert item(lectures)["expiresAt"] == {"N": str(START_MS // 1000 + 2 * 86_400)}


LATEST = START_MS // 1000 + 7 * 86_400


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"N": str(START_MS // 1000 + 60)}, START_MS // 1000 + 60),
        *(({"N": number}, LATEST) for number in (str(LATEST + 1), "9" * 12, "9" * 30, "-5")),
        *(({"S": "never"}, LATEST), ({"NULL": True}, LATEST)),
    ],
)
def test_the_next_turn_limits_an_expiry_that_a_guest_wrote(
    stored_turns: Conversations, lectures: LectureHarness, theirs: dict[str, Any], expected: int
) -> None:
    written = {"conversation": {"L": [GOOD]}, "totalTurns": {"N": "1"}, "expiresAt": theirs}
    lectures.dynamodb.put_item(TableName=TABLE, Item=TYPED | written)
    stored_turns.append(KEY, "query-0002", "Q", "A")
    assert item(lectures)["expiresAt"] == {"N": str(expected)}
    assert ids(stored_turns.turns(KEY)) == ["query-0001", "query-0002"]


def test_the_count_includes_dropped_turns(stored_turns: Conversations, lectures: LectureHarness) -> None:
    for number in range(5):
        stored_turns.append(KEY, f"query-{number:04}", "Q", "a" * 200_000)
    assert item(lectures)["totalTurns"] == {"N": "5"}
    assert ids(stored_turns.turns(KEY)) == ["query-0004"]


def test_an_item_of_400_kb_accepts_the_turn(
    stored_turns: Conversations, lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto adds the size of the new value to that of the replaced one.
    monkeypatch.delattr(LimitedSizeDict, "__setitem__")
    turns = [{"M": GOOD["M"] | {"queryId": {"S": f"query-{n:04}"}, "answer": {"S": "a" * 3_900}}} for n in range(95)]
    lectures.dynamodb.put_item(TableName=TABLE, Item=TYPED | {"conversation": {"L": turns}, "totalTurns": {"N": "95"}})
    stored_turns.append(KEY, "query-9999", "Q", "b" * 2 * MAX_ANSWER)
    after = stored_turns.turns(KEY)
    assert ids(after)[-1] == "query-9999"
    assert len(after[-1].answer) == MAX_ANSWER
    assert sum(map(stored_size, after)) < MAX_ITEM


@pytest.mark.parametrize(
    ("total", "expected"),
    [
        *((None, 2), ({"N": "7"}, 8), ({"S": "many"}, 2), ({"L": []}, 2)),
        *(({"N": number}, 2) for number in ("-3", "1.5", "1" + "0" * 30)),
    ],
)
def test_any_count_that_a_guest_wrote_does_no_harm(
    stored_turns: Conversations, lectures: LectureHarness, total: dict[str, Any] | None, expected: int
) -> None:
    theirs = {"conversation": {"L": [GOOD, {"S": "x"}]}, **({} if total is None else {"totalTurns": total})}
    lectures.dynamodb.put_item(TableName=TABLE, Item=TYPED | theirs | {"createdAt": {"N": "1"}})
    stored_turns.append(KEY, "query-0002", "Q", "A")
    assert item(lectures)["totalTurns"] == {"N": str(expected)}
    assert ids(stored_turns.turns(KEY)) == ["query-0001", "query-0002"]


@pytest.mark.parametrize(("there", "over"), [(True, False), (True, True), (False, False)])
def test_the_turns_of_two_concurrent_writers_are_both_stored(
    stored_turns: Conversations, lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch, *, there: bool, over: bool
) -> None:
    if there:
        stored_turns.append(KEY, "query-0000", "Q", "A")
    if over:
        lectures.dynamodb.put_item(TableName=TABLE, Item=item(lectures) | {"expiresAt": {"N": str(START_MS // 1000)}})
    cut_in = [1, 2]
    grown = conversations.append_turn

    def meanwhile(turns: tuple[StoredTurn, ...], new: StoredTurn) -> tuple[StoredTurn, ...]:
        if cut_in:
            stored_turns.append(KEY, f"query-{cut_in.pop():04}", "Q", "A")
        return grown(turns, new)

    monkeypatch.setattr(conversations, "append_turn", meanwhile)
    stored_turns.append(KEY, "query-0003", "Q", "A")
    expected = {"query-0001", "query-0002", "query-0003"} | ({"query-0000"} if there and not over else set())
    assert set(ids(stored_turns.turns(KEY))) == expected
    assert item(lectures)["totalTurns"] == {"N": str(3 + there)}, (
        "each write changes the count, which the condition compares"
    )


def test_an_item_that_changes_all_the_time_raises_an_error(
    stored_turns: Conversations, lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = conversations.append_turn
    count = iter(range(1, 100))

    def meanwhile(turns: tuple[StoredTurn, ...], new: StoredTurn) -> tuple[StoredTurn, ...]:
        lectures.dynamodb.put_item(TableName=TABLE, Item=TYPED | {"totalTurns": {"N": str(next(count))}})
        return grown(turns, new)

    monkeypatch.setattr(conversations, "append_turn", meanwhile)
    with pytest.raises(TooManyWriters):
        stored_turns.append(KEY, "query-0003", "Q", "A")


def test_no_text_is_in_a_turns_representation() -> None:
    assert "canary" not in repr(turn(1, "canary", "canary"))

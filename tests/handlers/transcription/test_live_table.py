"""Items of the live table: changes, deadlines and text reservations."""

from typing import Any

import pytest

from handlers.transcription.live_table import LiveTable, TextReservation
from handlers.transcription.session_utterance_state import SessionUtterances, SlotDecision
from tests.handlers.transcription.router_harness import LIVE_TABLE_NAME, START_MS, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(dynamodb: Any, clock: Clock) -> LiveTable:
    return LiveTable(dynamodb, LIVE_TABLE_NAME, clock)


def offer(utterance: str, overdue_ms: int) -> Any:
    def move(slots: SessionUtterances) -> tuple[SessionUtterances, SlotDecision]:
        return slots.take_slot(utterance, overdue_ms, 8, 0)

    return move


def test_a_changed_item_is_read_back_and_expires(table: LiveTable, dynamodb: Any) -> None:
    table.change(SessionUtterances, "flight#a", lambda slots: (slots.note_message("c1", 1), None))
    assert table.read(SessionUtterances, "flight#a") == SessionUtterances(connection="c1", seen_ms=1)
    assert table.read(SessionUtterances, "flight#b") == SessionUtterances(), "other items do not exist"
    table.reserve_text("caption#s#h", words("u1"), 10)
    table.change(SessionUtterances, "flight#c", lambda slots: (slots, None))
    items = {item["pk"]["S"]: int(item["ttl"]["N"]) for item in dynamodb.scan(TableName=LIVE_TABLE_NAME)["Items"]}
    assert items.keys() == {"flight#a", "caption#s#h"}, "an unchanged item is not written"
    assert all(ttl > START_MS // 1000 for ttl in items.values())


def test_only_due_items_are_found(table: LiveTable) -> None:
    table.change(SessionUtterances, "flight#a", offer("x", START_MS + 100))
    table.change(SessionUtterances, "flight#b", offer("y", START_MS + 200))
    assert table.overdue_sessions(START_MS + 100) == ["a"]
    table.change(SessionUtterances, "flight#a", lambda slots: (slots.finish("x", 1), None))
    assert table.overdue_sessions(START_MS + 100) == [], "the item left the index with its last slot"


def words(utterance: str, *, final: bool = True, line: str = "r1") -> TextReservation:
    return TextReservation(utterance, line, 1, final=final)


def test_a_text_is_reserved_by_one_utterance_for_a_while(table: LiveTable, clock: Clock) -> None:
    assert table.reserve_text("caption#s#h", words("u1"), 10) == (True, None)
    assert table.reserve_text("caption#s#h", words("u1"), 10)[0], "an utterance can reserve its own text again"
    assert table.reserve_text("caption#s#h", words("u2"), 10) == (False, None)
    clock.now_ms += 10_000
    assert table.reserve_text("caption#s#h", words("u2"), 10) == (True, None), (
        "the end stated in the item counts, not its deletion"
    )


def test_a_final_replaces_the_reservation_of_a_partial_and_returns_it(table: LiveTable) -> None:
    table.reserve_text("caption#s#h", words("u1", final=False), 10)
    assert table.reserve_text("caption#s#h", words("u2", final=False), 10) == (False, None)
    assert table.reserve_text("caption#s#h", words("u2"), 10) == (True, words("u1", final=False))
    assert table.reserve_text("caption#s#h", words("u1"), 10) == (False, None)


def test_a_released_text_can_be_reserved_by_any_utterance(table: LiveTable) -> None:
    table.reserve_text("caption#s#h", words("u1"), 10)
    table.release_text("caption#s#h", "u1", "r1")
    assert table.reserve_text("caption#s#h", words("u2"), 10) == (True, None)
    for utterance, line in (("u1", "r1"), ("u2", "r2")):
        table.release_text("caption#s#h", utterance, line)
        assert table.reserve_text("caption#s#h", words("u3"), 10) == (False, None), (
            "another utterance's line still shows the text"
        )

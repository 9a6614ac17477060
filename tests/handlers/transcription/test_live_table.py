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


def take_slot(table: LiveTable, key: str, utterance: str, overdue_ms: int) -> None:
    def take(utterances: SessionUtterances) -> tuple[SessionUtterances, SlotDecision]:
        return utterances.take_slot(utterance, overdue_ms, 8, 0)

    table.change(SessionUtterances, key, take)


def reservation(utterance: str, *, final: bool = True, line: str = "r1") -> TextReservation:
    return TextReservation(utterance, line, 1, final=final)


def test_a_changed_item_is_stored_with_an_expiry_time_and_an_unchanged_item_is_not_written(
    table: LiveTable, dynamodb: Any
) -> None:
    table.change(SessionUtterances, "flight#a", lambda utterances: (utterances.note_message("c1", 1), None))
    assert table.read(SessionUtterances, "flight#a") == SessionUtterances(connection="c1", seen_ms=1)
    assert table.read(SessionUtterances, "flight#b") == SessionUtterances()
    table.reserve_text("caption#s#h", reservation("u1"), 10)
    table.change(SessionUtterances, "flight#c", lambda utterances: (utterances, None))
    items = {item["pk"]["S"]: int(item["ttl"]["N"]) for item in dynamodb.scan(TableName=LIVE_TABLE_NAME)["Items"]}
    assert items.keys() == {"flight#a", "caption#s#h"}
    assert all(ttl > START_MS // 1000 for ttl in items.values())


def test_only_sessions_with_an_overdue_slot_are_found(table: LiveTable) -> None:
    take_slot(table, "flight#a", "x", START_MS + 100)
    take_slot(table, "flight#b", "y", START_MS + 200)
    assert table.overdue_sessions(START_MS + 100) == ["a"]
    table.change(SessionUtterances, "flight#a", lambda utterances: (utterances.finish("x", 1), None))
    assert table.overdue_sessions(START_MS + 100) == [], "a session without slots is not in the index"


def test_a_text_is_reserved_for_one_utterance_until_the_reservation_expires(table: LiveTable, clock: Clock) -> None:
    assert table.reserve_text("caption#s#h", reservation("u1"), 10) == (True, None)
    assert table.reserve_text("caption#s#h", reservation("u1"), 10)[0], "an utterance can reserve its own text again"
    assert table.reserve_text("caption#s#h", reservation("u2"), 10) == (False, None)
    clock.now_ms += 10_000
    assert table.reserve_text("caption#s#h", reservation("u2"), 10) == (True, None), (
        "DynamoDB deletes expired items late, so the expiry time in the item decides"
    )


def test_a_final_replaces_the_reservation_of_a_partial_and_returns_it(table: LiveTable) -> None:
    table.reserve_text("caption#s#h", reservation("u1", final=False), 10)
    assert table.reserve_text("caption#s#h", reservation("u2", final=False), 10) == (False, None)
    assert table.reserve_text("caption#s#h", reservation("u2"), 10) == (True, reservation("u1", final=False))
    assert table.reserve_text("caption#s#h", reservation("u1"), 10) == (False, None)


def test_only_the_line_that_reserved_a_text_can_release_it(table: LiveTable) -> None:
    table.reserve_text("caption#s#h", reservation("u1"), 10)
    table.release_text("caption#s#h", "u1", "r1")
    assert table.reserve_text("caption#s#h", reservation("u2"), 10) == (True, None)
    for utterance, line in (("u1", "r1"), ("u2", "r2")):
        table.release_text("caption#s#h", utterance, line)
        assert table.reserve_text("caption#s#h", reservation("u3"), 10) == (False, None), (
            "the line of another utterance still shows the text"
        )

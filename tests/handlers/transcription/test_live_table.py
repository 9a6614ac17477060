"""Tests of the live table: changes of its items, and text reservations.

A text reservation keeps two utterances (a few seconds of speech each) from showing the same words. `reserve_text`
returns True if it succeeded, and the running reservation that it replaced, or None.
"""

from typing import Any

import pytest

from handlers.transcription.live_table import LiveTable, TextReservation
from handlers.transcription.session_utterance_state import SessionUtterances
from tests.handlers.transcription.router_harness import LIVE_TABLE_NAME, START_MS, Clock

TEXT_KEY = "caption#session#hash"
"""Key of the reservation of one text."""


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def table(dynamodb: Any, clock: Clock) -> LiveTable:
    return LiveTable(dynamodb, LIVE_TABLE_NAME, clock)


def reservation(utterance: str, *, final: bool = True, line: str = "r1") -> TextReservation:
    return TextReservation(utterance, line, revision=1, final=final)


def test_a_changed_item_is_stored_with_an_expiry_time_and_an_unchanged_item_is_not_stored(
    table: LiveTable, dynamodb: Any
) -> None:
    table.change(SessionUtterances, "flight#a", lambda utterances: (utterances.move("c1", ()), None))
    assert table.read(SessionUtterances, "flight#a") == SessionUtterances(connection="c1")
    assert table.read(SessionUtterances, "flight#b") == SessionUtterances()
    table.reserve_text(TEXT_KEY, reservation("u1"), 10)
    table.change(SessionUtterances, "flight#c", lambda utterances: (utterances, None))
    items = {item["pk"]["S"]: int(item["ttl"]["N"]) for item in dynamodb.scan(TableName=LIVE_TABLE_NAME)["Items"]}
    assert items.keys() == {"flight#a", TEXT_KEY}
    assert all(ttl > START_MS // 1000 for ttl in items.values())


def test_a_text_is_reserved_for_one_utterance_until_the_reservation_expires(table: LiveTable, clock: Clock) -> None:
    assert table.reserve_text(TEXT_KEY, reservation("u1"), 10) == (True, None)
    assert table.reserve_text(TEXT_KEY, reservation("u1"), 10)[0], "an utterance can reserve its own text again"
    assert table.reserve_text(TEXT_KEY, reservation("u2"), 10) == (False, None)
    clock.now_ms += 10_000
    assert table.reserve_text(TEXT_KEY, reservation("u2"), 10) == (True, None), (
        "DynamoDB deletes expired items late, so the expiry time in the item decides"
    )


def test_a_final_replaces_the_reservation_of_another_utterances_partial_and_returns_it(table: LiveTable) -> None:
    """A final is a caption that does not change any more. A partial may still change."""
    table.reserve_text(TEXT_KEY, reservation("u1", final=False), 10)
    assert table.reserve_text(TEXT_KEY, reservation("u2", final=False), 10) == (False, None)
    assert table.reserve_text(TEXT_KEY, reservation("u2"), 10) == (True, reservation("u1", final=False))
    assert table.reserve_text(TEXT_KEY, reservation("u1"), 10) == (False, None)


def test_only_the_line_that_reserved_a_text_can_release_it(table: LiveTable) -> None:
    table.reserve_text(TEXT_KEY, reservation("u1"), 10)
    table.release_text(TEXT_KEY, "u1", "r1")
    assert table.reserve_text(TEXT_KEY, reservation("u2"), 10) == (True, None)
    for utterance, line in (("u1", "r1"), ("u2", "r2")):
        table.release_text(TEXT_KEY, utterance, line)
        assert table.reserve_text(TEXT_KEY, reservation("u3"), 10) == (False, None), (
            "a line that does not own the reservation cannot release it"
        )

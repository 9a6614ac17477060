"""Tests of the sweep loop, which handles batches of items until its time is spent, and counts the results."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from handlers.common.logging import EventLog
from handlers.common.sweep import SweepLoop

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class ItemHandler:
    """Item handler with a clock. Each item takes one second, and the item `canary` fails."""

    def __init__(self) -> None:
        self.now = START

    def handle(self, item: str) -> Iterable[str]:
        self.now += SECOND
        if item == "canary":
            raise RuntimeError(item)
        return [item, "seen"]


@pytest.mark.parametrize(("budget_seconds", "checked"), [(-1, 0), (0, 2), (1, 2), (2, 4), (4, 5)])
def test_no_batch_starts_after_the_budget_is_spent(budget_seconds: int, checked: int) -> None:
    item_handler = ItemHandler()
    loop = SweepLoop(EventLog("INFO"), lambda: item_handler.now, budget_seconds * SECOND)
    count = loop.run((["a", "b"], ["c", "d"], [], ["e"]), item_handler.handle, failure_event="item_failed")
    assert (count["checked"], count["seen"], count["unfinished"]) == (checked, checked, int(checked < 5))


def test_the_budget_is_checked_between_empty_batches_too() -> None:
    item_handler = ItemHandler()

    def empty_batches() -> Iterator[list[str]]:
        for _ in range(9):
            item_handler.now += SECOND
            yield []

    loop = SweepLoop(EventLog("INFO"), lambda: item_handler.now, 3 * SECOND)
    assert loop.run(empty_batches(), item_handler.handle, failure_event="item_failed")["unfinished"] == 1
    assert item_handler.now == START + 4 * SECOND


def test_a_failure_is_logged_without_its_text_and_stops_no_other_item(capsys: pytest.CaptureFixture[str]) -> None:
    item_handler = ItemHandler()
    loop = SweepLoop(EventLog("INFO"), lambda: item_handler.now, timedelta.max)
    count = loop.run(
        [["a", "canary", "b"]],
        item_handler.handle,
        failure_event="item_failed",
        describe=lambda item: {"records": len(item)},
    )
    assert count == {"checked": 3, "a": 1, "b": 1, "seen": 2, "failed": 1}
    output = capsys.readouterr().out
    assert "canary" not in output
    failure = json.loads(output)
    assert (failure["message"], failure["error_type"], failure["records"]) == ("item_failed", "RuntimeError", 6)

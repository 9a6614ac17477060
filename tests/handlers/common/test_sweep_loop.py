"""Tests of the sweep loop: budget, failures and counters."""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.sweep_loop import SweepLoop

START = datetime(2026, 1, 31, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


class Clock:
    """Clock that advances one second with each item."""

    def __init__(self) -> None:
        self.now = START

    def handle(self, item: str) -> Iterable[str]:
        self.now += SECOND
        if item == "canary":
            raise RuntimeError(item)
        return [item, "seen"]


@pytest.mark.parametrize(("seconds", "checked"), [(-1, 0), (0, 2), (1, 2), (2, 4), (4, 5)])
def test_no_batch_starts_after_the_budget_is_spent(seconds: int, checked: int) -> None:
    clock = Clock()
    loop = SweepLoop(EventLog("INFO"), lambda: clock.now, seconds * SECOND)
    count = loop.run((["a", "b"], ["c", "d"], [], ["e"]), clock.handle, failure_event="broken")
    assert (count["checked"], count["seen"], count["unfinished"]) == (checked, checked, int(checked < 5))


def test_the_budget_is_checked_between_empty_batches_too() -> None:
    clock = Clock()

    def pages() -> Iterator[list[str]]:
        for _ in range(9):
            clock.now += SECOND
            yield []

    loop = SweepLoop(EventLog("INFO"), lambda: clock.now, 3 * SECOND)
    assert loop.run(pages(), clock.handle, failure_event="broken")["unfinished"] == 1
    assert clock.now == START + 4 * SECOND


@pytest.mark.parametrize("workers", [1, 4])
def test_a_failure_is_logged_without_its_text_and_stops_no_other_item(
    capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    clock = Clock()
    loop = SweepLoop(EventLog("INFO"), lambda: clock.now, timedelta.max, parallel=ParallelCalls(workers))
    count = loop.run(
        [["a", "canary", "b"]], clock.handle, failure_event="broken", describe=lambda item: {"records": len(item)}
    )
    assert loop.log_counts("swept", count, outcomes=["seen", "absent"]) == {
        "checked": 3,
        "seen": 2,
        "absent": 0,
        "failed": 1,
        "unfinished": 0,
    }
    output = capsys.readouterr().out
    assert "canary" not in output
    failure, summary = (json.loads(line) for line in output.splitlines())
    assert (failure["message"], failure["error_type"], failure["records"]) == ("broken", "RuntimeError", 6)
    assert (summary["message"], summary["checked"], summary["failed"], summary["unfinished"]) == ("swept", 3, 1, 0)

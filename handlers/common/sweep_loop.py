"""Loop that all sweeps share, with a time budget, isolation of failures, counters, and one log line.

A sweep runs on a schedule and finds work that was left behind by a lost event or an interrupted function. Items that
one sweep does not reach, or fails to handle, are found again by the next sweep.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog

T = TypeVar("T")


class SweepLoop:
    """Loop over the items of a sweep, batch by batch."""

    def __init__(
        self,
        log: EventLog,
        clock: Callable[[], datetime],
        budget: timedelta,
        *,
        parallel: ParallelCalls | None = None,
    ) -> None:
        """No batch starts after the time `budget` is spent.

        `parallel` makes the calls for the items of a batch. By default they are made one after the other.
        """
        self._log = log
        self._clock = clock
        self._budget = budget
        self._parallel = parallel or ParallelCalls(1)

    def run(
        self,
        batches: Iterable[Sequence[T]],
        handle: Callable[[T], Iterable[str]],
        *,
        failure_event: str,
        describe: Callable[[T], Mapping[str, Any]] = lambda _: {},
    ) -> Counter[str]:
        """Handle the items of each batch and count the outcomes that `handle` returns.

        The time is checked only before each batch. So a sweep without parallel calls should pass batches of one item.
        `checked` counts all items. `failed` counts the items whose handling raised an exception. Each of them is logged
        as `failure_event`, with the log fields that `describe` returns for it. `unfinished` is 1 if the budget was
        spent before the last batch.
        """
        started = self._clock()
        counts: Counter[str] = Counter()
        for batch in batches:
            if self._clock() - started > self._budget:
                counts["unfinished"] = 1
                break
            for item, result in zip(batch, self._parallel.call_each(handle, batch), strict=True):
                counts["checked"] += 1
                if isinstance(result, Exception):
                    self._log.error(failure_event, error_type=type(result).__name__, **describe(item))
                    counts["failed"] += 1
                else:
                    counts.update(result)
        return counts

    def log_counts(self, event: str, counts: Mapping[str, int], *, outcomes: Sequence[str]) -> dict[str, int]:
        """Log and return the counts of these outcomes, with `checked` before and `failed` and `unfinished` after them.

        Counts of other outcomes are neither logged nor returned.
        """
        logged: dict[str, Any] = {name: counts.get(name, 0) for name in ("checked", *outcomes, "failed", "unfinished")}
        self._log.info(event, **logged)
        return logged

"""Loop of a sweep, with a time budget and counters. A failed item does not end the loop.

A sweep is a scheduled run of a Lambda function that finds and completes unfinished work, for example because an event
was lost or an invocation was interrupted. Items that a sweep does not reach, or fails to handle, are found again by the
next sweep.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

from handlers.common.logging import EventLog

T = TypeVar("T")


class SweepLoop:
    """Loop over the items of a sweep, batch by batch."""

    def __init__(self, log: EventLog, clock: Callable[[], datetime], budget: timedelta) -> None:
        """Create a loop that starts no batch after the time `budget`."""
        self._log = log
        self._clock = clock
        self._budget = budget

    def run(
        self,
        batches: Iterable[Sequence[T]],
        handle: Callable[[T], Iterable[str]],
        *,
        failure_event: str,
        describe: Callable[[T], Mapping[str, Any]] = lambda _: {},
    ) -> Counter[str]:
        """Handle the items of each batch, and count the outcomes that `handle` returns for them.

        The time is only checked before each batch, so a sweep should pass batches of one item.

        Three further counts are returned. `checked` is the number of handled items, including failed items. `failed` is
        the number of items whose handling raised an exception. Such an item is logged as `failure_event`, with the log
        fields that `describe` returns for it. `unfinished` is 1 if the budget was spent before the last batch.
        """
        started = self._clock()
        counts: Counter[str] = Counter()
        for batch in batches:
            if self._clock() - started > self._budget:
                counts["unfinished"] = 1
                break
            for item in batch:
                counts["checked"] += 1
                try:
                    counts.update(handle(item))
                except Exception as error:  # noqa: BLE001 - counted, and the other items are still handled
                    self._log.failure(failure_event, error, **describe(item))
                    counts["failed"] += 1
        return counts

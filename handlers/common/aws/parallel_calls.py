"""Parallel calls of one Python function for many items, in a thread pool that is reused."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class ParallelCalls:
    """A fixed number of worker threads that call a function for many items.

    With one worker, the calls run one after the other in the caller's thread.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def call_each(self, call: Callable[[T], R], items: Iterable[T]) -> list[R | Exception]:
        """Return the result or the exception of each call, in the order of `items`."""

        def call_safely(item: T) -> R | Exception:
            try:
                return call(item)
            except Exception as error:  # noqa: BLE001 - returned to the caller, who decides for each item
                return error

        return list(map(call_safely, items) if self._pool is None else self._pool.map(call_safely, items))

    def call_all(self, call: Callable[[T], R], items: Iterable[T]) -> list[R]:
        """Return the results of all calls. If calls fail, raise the first exception after all calls were made."""
        results: list[R] = []
        for outcome in self.call_each(call, items):
            if isinstance(outcome, Exception):
                raise outcome
            results.append(outcome)
        return results

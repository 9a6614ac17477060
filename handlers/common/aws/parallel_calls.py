"""The same call for many things at once, where each may fail by itself."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


class Parallel:
    """Makes calls with a fixed number of threads, kept for the life of the container.

    One worker means one after the other in the caller's own thread: what tests that decide the order use.
    """

    def __init__(self, workers: int) -> None:
        self._pool = ThreadPoolExecutor(workers) if workers > 1 else None

    def each(self, call: Callable[[T], R], things: Iterable[T]) -> list[R | Exception]:
        """What each call gave or raised, in the order of `things`."""

        def tried(thing: T) -> R | Exception:
            try:
                return call(thing)
            except Exception as error:  # noqa: BLE001 - handed to the caller, who decides for each thing
                return error

        return list(map(tried, things) if self._pool is None else self._pool.map(tried, things))

    def all(self, call: Callable[[T], R], things: Iterable[T]) -> list[R]:
        """What each call gave; every call is made, and then the first failure is raised, if there was one."""
        given: list[R] = []
        failures: list[Exception] = []
        for one in self.each(call, things):
            if isinstance(one, Exception):
                failures.append(one)
            else:
                given.append(one)
        if failures:
            raise failures[0]
        return given

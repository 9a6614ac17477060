"""Actors that stop before every AWS call until a test steps them. Only one runs at a time, so tests are repeatable."""

import threading
from collections.abc import Callable

from tests.handlers.ingestion.fake_cloud import Gate
from tests.handlers.ingestion.ingestion_harness import Killed


class Actor:
    """Invocation in a thread that runs only while a test waits for it."""

    def __init__(self, what: str, work: Callable[[Gate], None]) -> None:
        self.what = what
        self.ended = False
        self.was_killed = False
        self.error: BaseException | None = None
        self._work = work
        self._go, self._there = threading.Semaphore(0), threading.Semaphore(0)
        self._dying = False
        self._thread = threading.Thread(target=self._live, daemon=True)
        self._thread.start()

    def step(self) -> None:
        """Run up to the next call or the end."""
        self._go.release()
        self._there.acquire()
        if self.error is not None:
            raise self.error

    def run(self) -> None:
        """Run to the end."""
        while not self.ended:
            self.step()

    def kill(self) -> None:
        """Kill the invocation at its current call."""
        self._dying = True
        self.run()

    def _live(self) -> None:
        self._go.acquire()
        try:
            self._work(self._gate)
        except Killed:
            self.was_killed = True
        except BaseException as error:  # noqa: BLE001 - raised again by `step`
            self.error = error
        self.ended = True
        self._there.release()

    def _gate(self, point: str) -> None:
        if point.startswith("after"):
            return
        if not self._dying:
            self._there.release()
            self._go.acquire()
        if self._dying:
            raise Killed(point)

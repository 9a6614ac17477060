"""How the job ends when it is told to: what runs is killed, and nothing more is begun.

A machine that is reclaimed says so with SIGTERM, and kills 30 seconds later. The signal's handler does as little as
this: whoever works finds out at his next step, and leaves what he had begun as a later run can use it.
"""

import subprocess
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

Process = subprocess.Popen[bytes]


class Killable(Protocol):
    """What runs, and can be ended at once: a process, or a transfer."""

    def kill(self) -> object: ...


K = TypeVar("K", bound=Killable)


class JobTerminated(Exception):
    """The job has been told to end."""


class JobTermination:
    """Knows whether to go on, and what runs."""

    def __init__(self) -> None:
        # The handler runs in the main thread, maybe in the middle of what holds this.
        self._lock = threading.RLock()
        self._requested = False
        self._running: set[Killable] = set()

    def request(self) -> None:
        """Ends what runs; everything that asks from now on is told to stop."""
        with self._lock:
            self._requested = True
            for one in tuple(self._running):
                one.kill()

    @property
    def requested(self) -> bool:
        """Whether the job has been told to end."""
        return self._requested

    def raise_if_requested(self) -> None:
        """Raises Stopped once the job has been told to end."""
        if self._requested:
            raise JobTerminated

    def start(self, begin: Callable[[], K]) -> K:
        """Begins what ends when the job does."""
        with self._lock:
            self.raise_if_requested()
            running = begin()
            self._running.add(running)
            if self._requested:
                running.kill()
            return running

    def unregister(self, running: Killable) -> None:
        """It has been waited for."""
        with self._lock:
            self._running.discard(running)

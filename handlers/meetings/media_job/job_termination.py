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
        self._told = False
        self._running: set[Killable] = set()

    def now(self) -> None:
        """Ends what runs; everything that asks from now on is told to stop."""
        with self._lock:
            self._told = True
            for one in tuple(self._running):
                one.kill()

    @property
    def told(self) -> bool:
        """Whether the job has been told to end."""
        return self._told

    def check(self) -> None:
        """Raises Stopped once the job has been told to end."""
        if self._told:
            raise JobTerminated

    def start(self, begin: Callable[[], K]) -> K:
        """Begins what ends when the job does."""
        with self._lock:
            self.check()
            running = begin()
            self._running.add(running)
            if self._told:
                running.kill()
            return running

    def ended(self, running: Killable) -> None:
        """It has been waited for."""
        with self._lock:
            self._running.discard(running)

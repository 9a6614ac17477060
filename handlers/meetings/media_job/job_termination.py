"""Orderly end of the job after SIGTERM: running processes and transfers are ended, and the start of others is refused.

When Spot capacity is reclaimed, the container receives SIGTERM and is killed 30 seconds later. The signal handler only
calls `request`. The working threads notice it at their next step, and leave finished objects that a later job can use.
"""

import subprocess
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

Process = subprocess.Popen[bytes]
"""A process whose pipes carry bytes."""


class Killable(Protocol):
    """A process or transfer that can be ended immediately."""

    def kill(self) -> object: ...


K = TypeVar("K", bound=Killable)


class JobTerminated(Exception):
    """The job has been asked to end."""


class JobTermination:
    """Keeps the running processes and transfers, and ends them on request."""

    def __init__(self) -> None:
        # Reentrant: the signal handler runs in the main thread, which may hold the lock.
        self._lock = threading.RLock()
        self._requested = False
        self._running: set[Killable] = set()

    def request(self) -> None:
        """End everything that runs, and refuse new work from now on."""
        with self._lock:
            self._requested = True
            for running in tuple(self._running):
                running.kill()

    @property
    def requested(self) -> bool:
        """True once the job has been asked to end."""
        return self._requested

    def raise_if_requested(self) -> None:
        """Raise JobTerminated once the job has been asked to end."""
        if self._requested:
            raise JobTerminated

    def start(self, create: Callable[[], K]) -> K:
        """Call `create`, which starts a process or transfer, and keep its result, so that it ends with the job.

        Raises JobTerminated.
        """
        with self._lock:
            self.raise_if_requested()
            running = create()
            self._running.add(running)
            if self._requested:  # the signal arrived in this thread, between the check and the registration
                running.kill()
            return running

    def unregister(self, running: Killable) -> None:
        """Forget a process or transfer that has ended."""
        with self._lock:
            self._running.discard(running)

"""Orderly end of the media job after SIGTERM.

When Spot capacity is reclaimed, the container receives SIGTERM, and is killed 30 seconds later. The signal handler ends
the running ffmpeg processes and S3 transfers. The threads that use these processes and transfers, or start new ones,
get the exception JobTerminated. A later job continues with the objects that were finished before.
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
    """Registry of the running processes and transfers, which ends all of them on request."""

    def __init__(self) -> None:
        # Reentrant, because Python runs the signal handler in the main thread, which may hold the lock already.
        self._lock = threading.RLock()
        self._requested = False
        self._running: set[Killable] = set()

    def request(self) -> None:
        """End all running processes and transfers. From now on, `start` raises JobTerminated."""
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
        """Call `create`, which starts a process or transfer, and register what it returns.

        Raises JobTerminated if the job has been asked to end.
        """
        with self._lock:
            self.raise_if_requested()
            running = create()
            self._running.add(running)
            if self._requested:  # the signal arrived in this thread, between the check and the registration
                running.kill()
            return running

    def unregister(self, running: Killable) -> None:
        """Remove a process or transfer that has ended from the registry."""
        with self._lock:
            self._running.discard(running)

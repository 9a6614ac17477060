"""Actors of the claim protocol's model: invocations of functions and runs of the Spark job, each in its own thread.

Only a single thread works at a time. An actor works until it has sent as many calls as the scheduler allows. The
scheduler decides the fate of the last call. The earlier calls succeed, except calls of StartExecution, whose fate the
scheduler decides separately.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError, ReadTimeoutError

from tests.handlers.ingestion.fake_cloud import client_error
from tests.handlers.ingestion.ingestion_harness import Killed

WRITES = frozenset({"PutItem", "TransactWriteItems", "UpdateItem", "PutObject", "DeleteObjects", "StartExecution"})
Task = Callable[[], Any]
"""Work of an actor, or execution of one of its requests."""


class CallFate(StrEnum):
    """Fate of one call to AWS.

    A late or repeated read would change nothing. So the fates REPEATED, DELAYED and COPY_DELAYED of a read become LOST,
    and a read with KILLED_DELAYED is never executed.
    """

    DONE = "done"
    REFUSED = "refused by the service"
    LOST = "lost"
    RESPONSE_LOST = "done, response lost"
    REPEATED = "sent twice"
    DELAYED = "delayed, and the caller times out"
    COPY_DELAYED = "done, and a copy of the request is delayed"
    KILLED_BEFORE = "caller killed before the call"
    KILLED_AFTER = "caller killed after the call"
    KILLED_DELAYED = "delayed, and the caller is killed"


class ScheduledActor:
    """One invocation of a function, one run of the Spark job, or one command of an operator."""

    def __init__(
        self, label: str, work: Task, delay_request: Callable[[str, Task], None], add_log_line: Callable[[str], None]
    ) -> None:
        """`delay_request` keeps the label and the effect of a request that arrives later."""
        self.label = label
        self.start_fate = CallFate.DONE
        """Fate of the actor's next call of StartExecution, whatever the fate of the last call is."""
        self.has_ended = False
        self.failure: BaseException | None = None
        self.result: Any = None
        self._work, self._delay_request, self._add_log_line = work, delay_request, add_log_line
        self._allowed_calls, self._fate, self._is_killed = 0, CallFate.DONE, False
        self._thread = _IDLE_THREADS.pop() if _IDLE_THREADS else _ActorThread()
        self._thread.work = self._run

    def resume(self, calls: int = 1_000_000, fate: CallFate = CallFate.DONE) -> None:
        """Let the actor send some calls. `fate` is that of the last call."""
        self._allowed_calls, self._fate = calls, fate
        self._thread.resume()
        if self.has_ended:
            _IDLE_THREADS.append(self._thread)

    def kill(self) -> None:
        """End the actor before its next call."""
        self._is_killed = True
        self.resume()

    def send(self, name: str, execute: Task) -> Any:
        """Send a call of this actor, as soon as the scheduler allows it."""
        if not self._allowed_calls:
            self._thread.pause()
        if self._is_killed:
            raise Killed
        self._allowed_calls -= 1
        fate = CallFate.DONE if self._allowed_calls else self._fate
        if name == "StartExecution":
            fate, self.start_fate = self.start_fate, CallFate.DONE
        if name not in WRITES and fate in {CallFate.REPEATED, CallFate.DELAYED, CallFate.COPY_DELAYED}:
            fate = CallFate.LOST
        self._add_log_line(f"{self.label}: {name}{'' if fate is CallFate.DONE else f' ({fate})'}")
        return self._apply_fate(name, execute, fate)

    def _apply_fate(self, name: str, execute: Task, fate: CallFate) -> Any:
        match fate:
            case CallFate.REFUSED:
                raise client_error("StateMachineDoesNotExist" if name == "StartExecution" else "InternalError", name)
            case CallFate.KILLED_BEFORE:
                raise Killed
            case CallFate.LOST:
                raise ReadTimeoutError(endpoint_url=name)
            case CallFate.DELAYED | CallFate.KILLED_DELAYED:
                if name in WRITES:
                    self._delay_request(f"{self.label}: {name}", execute)
                raise ReadTimeoutError(endpoint_url=name) if fate is CallFate.DELAYED else Killed
        if fate is CallFate.COPY_DELAYED:
            self._delay_request(f"{self.label}: {name}", execute)
        if fate is CallFate.REPEATED:
            execute_unanswered(execute)
        if fate in {CallFate.RESPONSE_LOST, CallFate.KILLED_AFTER}:
            execute_unanswered(execute)
            raise Killed if fate is CallFate.KILLED_AFTER else ReadTimeoutError(endpoint_url=name)
        return execute()

    def _run(self) -> None:
        try:
            self.result = self._work()
        except BaseException as error:  # noqa: BLE001 - the scheduler decides whether it is a defect
            self.failure = error
        self.has_ended = True


class _ActorThread:
    """Thread that is used for one actor after the other, because starting a thread takes longer than most actors."""

    def __init__(self) -> None:
        self.work: Callable[[], None] = lambda: None
        # Each lock is released by one thread and acquired by the other, like a semaphore, but twice as fast.
        self._resumed, self._paused = threading.Lock(), threading.Lock()
        self._resumed.acquire()
        self._paused.acquire()
        threading.Thread(target=self._run, daemon=True).start()

    def resume(self) -> None:
        """Let the thread work until it pauses or its work ends. The scheduler calls this."""
        self._resumed.release()
        self._paused.acquire()

    def pause(self) -> None:
        """Wait until the scheduler resumes the thread. The actor calls this."""
        self._paused.release()
        self._resumed.acquire()

    def _run(self) -> None:
        self._resumed.acquire()
        while True:
            self.work()
            self.pause()


_IDLE_THREADS: list[_ActorThread] = []


def execute_unanswered(execute: Task) -> None:
    """Execute a request whose response or error no caller receives."""
    with suppress(ClientError):
        execute()

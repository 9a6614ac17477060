"""Limits the number of Lambda's worker processes by the machine's memory.

The emulator starts a process for each concurrent invocation, and keeps it for minutes. So 500 clients at once took 12.8
GB. Here, an invocation that finds all workers in use waits for one, and is throttled as on AWS if none becomes free in
time. If no worker of its function is idle, it takes the place of another function's idle worker. Few workers start at a
time, because a start occupies a processor for up to a second. A worker that runs already ends many invocations in a
second, so a burst needs few workers.

A function that invokes another one synchronously keeps its own worker while it waits. So a quarter of the workers is
reserved for invocations by functions, which would otherwise wait for their own callers. A chain of functions may be
longer than the reserve allows; then the wait is bounded, so it ends with a throttled call and never in a deadlock.
"""

import contextvars
import threading
import time
from collections.abc import Mapping
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from local.emulation import get_private, wrap_function

WORKER_BYTES = 40 * 1024**2
"""Assumed memory of a worker process. An idle worker with the AWS SDK takes 26 to 40 MB."""
MEMORY_SHARE = 0.25
"""Share of the machine's memory for all workers."""
FEWEST_WORKERS, MOST_WORKERS = 16, 64
"""Bounds of the number of workers, whatever the machine's memory is."""
RESERVED_SHARE = 0.25
"""Share of the workers for synchronous invocations by functions."""
SYNCHRONOUS_WAIT_SECONDS = 25.0
"""Longest time that the caller of a function waits for a worker. API Gateway gives up after 29 seconds."""
asynchronous_wait_seconds: contextvars.ContextVar[float] = contextvars.ContextVar(
    "asynchronous_wait_seconds", default=0
)
"""Longest time that an asynchronous invocation waits for a worker: the maximum age of its event. It is 0 in a
synchronous invocation."""
NO_WORKER = (None, "func_cap")
"""Result of the emulator's `acquire_worker` that throttles the invocation."""
THROTTLED = {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
"""Fields of `TooManyRequestsException` if the whole account's concurrency is used."""


def max_workers(memory_bytes: int) -> int:
    """Return the number of worker processes for a machine with this memory."""
    return max(FEWEST_WORKERS, min(MOST_WORKERS, int(memory_bytes * MEMORY_SHARE / WORKER_BYTES)))


class WorkerLimit:
    """Maximum number of worker processes of all functions together."""

    def __init__(self, limit: int, max_starting: int) -> None:
        """`max_starting` is the number of workers that may start at the same time."""
        self._limit = limit
        self._max_starting = max_starting
        self._lock = threading.Lock()
        self._free_for_client = threading.Condition(self._lock)
        self._free_for_function = threading.Condition(self._lock)

    def install(self) -> None:
        """Replace three functions of `lambda_svc`, and `Worker._spawn`."""
        wrap_function(lambda_svc, "acquire_worker", self._acquire)
        wrap_function(lambda_svc, "release_worker", self._release)
        wrap_function(lambda_svc, "_execute_function_warm", _execute_function)
        spawn = get_private(lambda_runtime.Worker, "_spawn")

        def spawn_and_wake(worker: Any) -> None:
            spawn(worker)
            self._wake_waiting()

        lambda_runtime.Worker._spawn = spawn_and_wake  # noqa: SLF001

    def _acquire(
        self, original: Any, name: str, config: Mapping[str, Any], code: bytes, qualifier: str = "$LATEST"
    ) -> tuple[Any, str]:
        """Lease a worker for an invocation, after waiting for one if necessary."""
        asynchronous = asynchronous_wait_seconds.get()
        is_by_function = not asynchronous and get_private(lambda_svc, "_invoke_depth").get() > 1
        became_free = self._free_for_function if is_by_function else self._free_for_client
        limit = self._limit if is_by_function else self._limit - int(self._limit * RESERVED_SHARE)
        key = get_private(lambda_runtime, "_worker_key")(name, config, qualifier)
        deadline = time.monotonic() + (asynchronous or SYNCHRONOUS_WAIT_SECONDS)
        with self._lock:
            while (replaced := self._make_room(key, limit)) is None:
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return NO_WORKER
                became_free.wait(remaining)
            lease: tuple[Any, str] = original(name, config, code, qualifier=qualifier)
        get_private(lambda_runtime, "kill_workers")(replaced)
        return lease

    def _release(self, original: Any, worker: Any) -> None:
        original(worker)
        self._wake_waiting()

    def _wake_waiting(self) -> None:
        with self._lock:
            self._free_for_function.notify()
            self._free_for_client.notify()

    def _make_room(self, key: str, limit: int) -> list[Any] | None:
        """Make room for a lease of one more worker of a function. Return the removed workers, or None if there is no
        room.

        `key` identifies the function's workers. `limit` is the number of workers that may be in use afterwards.
        """
        pools: dict[str, list[Any]] = get_private(lambda_runtime, "_workers")
        with get_private(lambda_runtime, "_lock"):
            workers = [worker for pool in pools.values() for worker in pool]
            in_use = [worker for worker in workers if worker.in_use]
            if len(in_use) >= limit:
                return None
            if any(not worker.in_use for worker in pools.get(key, ())):
                return []
            if sum(worker._start_time is None for worker in in_use) >= self._max_starting:  # noqa: SLF001
                return None
            if len(workers) < self._limit:
                return []
            idle = min((worker for worker in workers if not worker.in_use), key=lambda worker: worker.last_used)
            for pool in pools.values():
                if idle in pool:
                    pool.remove(idle)
            return [idle]


def _execute_function(original: Any, *arguments: Any) -> dict[str, Any]:
    """Execute a function. Correct the reason if no worker was free, because no limit of the function was reached."""
    result: dict[str, Any] = original(*arguments)
    if result.get("throttle"):
        result["body"] |= THROTTLED
    return result

"""Limits the number of Lambda's worker processes by the machine's memory.

The emulator starts a process for each concurrent invocation, and keeps it for minutes. So 500 clients at once took
12.8 GB. Here, an invocation that finds all workers in use waits for one, and is throttled as on AWS if none becomes free
in time. If no worker of its function is idle, it takes the place of another function's idle worker.

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
RESERVED_SHARE = 0.25
"""Share of the workers for synchronous invocations by functions."""
SYNCHRONOUS_WAIT_SECONDS = 10.0
"""Longest time that the caller of a function waits for a worker."""
asynchronous_wait_seconds: contextvars.ContextVar[float] = contextvars.ContextVar(
    "asynchronous_wait_seconds", default=0
)
"""Longest time that an asynchronous invocation waits for a worker: the maximum age of its event. It is 0 in a synchronous
invocation."""
NO_WORKER = (None, "func_cap")
"""Result of the emulator's `acquire_worker` that throttles the invocation."""
THROTTLED = {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
"""Fields of `TooManyRequestsException` if the whole account's concurrency is used."""


def max_workers(memory_bytes: int) -> int:
    """Return the number of worker processes for a machine with this memory."""
    return max(FEWEST_WORKERS, min(MOST_WORKERS, int(memory_bytes * MEMORY_SHARE / WORKER_BYTES)))


class WorkerLimit:
    """Maximum number of worker processes of all functions together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = threading.Lock()
        self._free_for_client = threading.Condition(self._lock)
        self._free_for_function = threading.Condition(self._lock)

    def install(self) -> None:
        """Replace three functions of `lambda_svc`."""
        wrap_function(lambda_svc, "acquire_worker", self._acquire)
        wrap_function(lambda_svc, "release_worker", self._release)
        wrap_function(lambda_svc, "_execute_function_warm", _execute_function)

    def _acquire(
        self, original: Any, name: str, config: Mapping[str, Any], code: bytes, qualifier: str = "$LATEST"
    ) -> tuple[Any, str]:
        """Lease a worker for an invocation, after waiting for one if necessary."""
        asynchronous = asynchronous_wait_seconds.get()
        is_by_function = not asynchronous and get_private(lambda_svc, "_invoke_depth").get() > 1
        became_free = self._free_for_function if is_by_function else self._free_for_client
        limit = self._limit if is_by_function else self._limit - int(self._limit * RESERVED_SHARE)
        deadline = time.monotonic() + (asynchronous or SYNCHRONOUS_WAIT_SECONDS)
        with self._lock:
            while not self._has_free_place(limit):
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    return NO_WORKER
                became_free.wait(remaining)
            replaced = self._remove_idle_worker(get_private(lambda_runtime, "_worker_key")(name, config, qualifier))
            lease: tuple[Any, str] = original(name, config, code, qualifier=qualifier)
        get_private(lambda_runtime, "kill_workers")(replaced)
        return lease

    def _release(self, original: Any, worker: Any) -> None:
        original(worker)
        with self._lock:
            self._free_for_function.notify()
            self._free_for_client.notify()

    def _has_free_place(self, limit: int) -> bool:
        workers = get_private(lambda_runtime, "_workers")
        with get_private(lambda_runtime, "_lock"):
            return bool(sum(worker.in_use for pool in workers.values() for worker in pool) < limit)

    def _remove_idle_worker(self, key: str) -> list[Any]:
        """Remove the worker that was idle for the longest time if its place is needed for a new worker. Return it."""
        pools: dict[str, list[Any]] = get_private(lambda_runtime, "_workers")
        with get_private(lambda_runtime, "_lock"):
            workers = [worker for pool in pools.values() for worker in pool]
            if len(workers) < self._limit or any(not worker.in_use for worker in pools.get(key, ())):
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

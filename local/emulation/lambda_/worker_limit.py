"""Limits the number of the emulator's Lambda worker processes by the machine's memory.

A worker process executes the invocations of one function, one after the other. The emulator starts another worker for
each concurrent invocation, and keeps it for minutes. So 500 concurrent clients took 12.8 GB. Here:

- If all allowed workers are in use, an invocation waits for a free one. If the wait takes too long, it is throttled.
- If the limit is reached and only workers of other functions are idle, one of them is ended to make room.
- Only a few workers start at the same time, because a start occupies a processor for up to a second.
- A quarter of the workers is reserved for synchronous invocations by functions. The calling function keeps its own
  worker while it waits. So without a reserve, all workers could execute functions that wait for another worker.
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
MIN_LIMIT, MAX_LIMIT = 16, 64
RESERVED_SHARE = 0.25
"""Share of the workers for synchronous invocations by functions."""
SYNCHRONOUS_WAIT_SECONDS = 25.0
"""Maximum time that a synchronous invocation waits for a worker. It is shorter than the time limit of API Gateway, 29
seconds."""
asynchronous_wait_seconds: contextvars.ContextVar[float] = contextvars.ContextVar(
    "asynchronous_wait_seconds", default=0
)
"""Maximum time that the current asynchronous invocation waits for a worker, which is the maximum age of its event. It
is 0 during a synchronous invocation."""
NO_WORKER = (None, "func_cap")
"""Result of `acquire_worker` with which the emulator throttles the invocation."""
THROTTLED = {"Reason": "ConcurrentInvocationLimitExceeded", "message": "Rate Exceeded."}
"""Fields of the error `TooManyRequestsException` if the concurrency of the account is used up."""


def compute_worker_limit(memory_bytes: int) -> int:
    return max(MIN_LIMIT, min(MAX_LIMIT, int(memory_bytes * MEMORY_SHARE / WORKER_BYTES)))


class WorkerLimit:
    def __init__(self, limit: int, max_starting: int) -> None:
        """`max_starting` is the number of workers that may start at the same time."""
        self._limit = limit
        self._max_starting = max_starting
        self._lock = threading.Lock()
        self._free_for_client = threading.Condition(self._lock)
        self._free_for_function = threading.Condition(self._lock)

    def install(self) -> None:
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
        """Return a worker for an invocation. Wait for a free one if necessary."""
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
        """Prepare the use of one more worker of a function. Return the idle workers that must be killed for it.

        Return None if no worker can be used now. `key` identifies the function's workers. `limit` is the maximum number
        of workers in use.
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
    """Execute a function. If it was throttled, report the account's concurrency as the reason.

    The emulator would report the function's reserved concurrency, but a missing worker is a limit of all functions.
    """
    result: dict[str, Any] = original(*arguments)
    if result.get("throttle"):
        result["body"] |= THROTTLED
    return result

"""Tests of the limit of the local Lambda's worker processes, with the AWS emulator's own pools of workers.

A test acquires and releases workers as invocations do, but the workers run no process. An invocation that finds no free
worker is throttled at once, unless the test sets a longer wait. Then the invocation runs in a thread, and the test
continues as soon as the thread waits.
"""

from typing import Any

import pytest

from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit
PRELUDE = """
import contextvars, json, threading, time
from ministack.core import lambda_runtime
from ministack.services import lambda_svc
from local.emulation.lambda_ import worker_limit

worker_limit.SYNCHRONOUS_WAIT_SECONDS = 0
lambda_runtime.Worker._spawn = lambda worker: setattr(worker, "_start_time", 0.0)
limit = worker_limit.WorkerLimit(8, max_starting=2)  # clients may use six workers, and functions all eight
limit.install()
killed = []
lambda_runtime.kill_workers = lambda workers: killed.extend(worker.func_name for worker in workers)

def acquire(name, depth=1, seconds=0, start=True):
    # A client invokes with depth 1, a function with depth 2. With `seconds`, the invocation is asynchronous.
    def run():
        lambda_svc._invoke_depth.set(depth)
        worker_limit.asynchronous_wait_seconds.set(seconds)
        config = {"FunctionName": name, "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:" + name}
        worker = lambda_svc.acquire_worker(name, config, b"")[0]
        if worker and start:
            worker._spawn()
        return worker
    return contextvars.copy_context().run(run)

def acquire_in_thread(results, *arguments):
    thread = threading.Thread(target=lambda: results.append(acquire(*arguments)))
    thread.start()
    while not (limit._free_for_client._waiters or limit._free_for_function._waiters):
        time.sleep(0)
    return thread

def count_workers():
    return sum(map(len, lambda_runtime._workers.values()))

json.load(sys.stdin)  # run_in_emulator_python sends an input, which these tests do not use
"""
"""Beginning of each test's script. `acquire` returns the worker of an invocation, or None if it is throttled."""


def run(script: str) -> Any:
    return run_in_emulator_python(PRELUDE + script, None)


def test_clients_are_throttled_before_functions_because_two_workers_are_reserved() -> None:
    """Without the reserve, functions that use all workers would wait for a worker of the function that they invoke."""
    script = """
by_clients = [acquire("outer") is not None for _ in range(7)]
by_functions = [acquire("inner", 2) is not None for _ in range(3)]
print(json.dumps([by_clients, by_functions]))
"""
    assert run(script) == [[True] * 6 + [False], [True] * 2 + [False]]


def test_a_waiting_invocation_gets_the_next_free_worker_of_its_function() -> None:
    script = """
workers, results = [acquire("one") for _ in range(6)], []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = acquire_in_thread(results, "one")
lambda_svc.release_worker(workers[3])
thread.join()
print(json.dumps([results[0] is workers[3], count_workers()]))
"""
    assert run(script) == [True, 6]


def test_a_waiting_invocation_by_a_function_replaces_a_free_worker_of_another_function() -> None:
    script = """
workers, results = [acquire("one") for _ in range(6)] + [acquire("two", 2) for _ in range(2)], []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = acquire_in_thread(results, "two", 2)
lambda_svc.release_worker(workers[0])
thread.join()
print(json.dumps([results[0].func_name, count_workers(), killed]))
"""
    assert run(script) == ["two", 8, ["one"]]


def test_no_more_workers_start_at_the_same_time_than_allowed() -> None:
    script = """
starting = [acquire("one", start=False) for _ in range(3)]
results = []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = acquire_in_thread(results, "two")
starting[0]._spawn()
thread.join()
print(json.dumps([[worker is not None for worker in starting], results[0].func_name]))
"""
    assert run(script) == [[True, True, False], "two"]


def test_an_asynchronous_invocation_by_a_function_waits_and_uses_no_reserved_worker() -> None:
    """The event waits up to its maximum age, although a synchronous invocation would be throttled at once."""
    script = """
workers, results = [acquire("one") for _ in range(6)], []
thread = acquire_in_thread(results, "one", 2, 21600)
lambda_svc.release_worker(workers[0])
thread.join()
print(json.dumps(results[0] is workers[0]))
"""
    assert run(script) is True


def test_a_new_worker_replaces_the_worker_that_was_idle_for_the_longest_time() -> None:
    script = """
for number in range(8):
    worker = acquire(f"function-{number}")
    worker.last_used = 100 + (number - 3) % 8  # 100 for function-3, and more for all others
    lambda_svc.release_worker(worker)
killed_before = list(killed)
acquire("new")
acquire("function-5")  # takes its own idle worker
print(json.dumps([killed_before, killed, count_workers()]))
"""
    assert run(script) == [[], ["function-3"], 8]


def test_a_throttled_invocation_is_reported_as_on_aws() -> None:
    script = """
while acquire("one"):
    pass
config = {"FunctionName": "two", "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:two"}
print(json.dumps(lambda_svc._execute_function_warm({"config": config, "code_zip": b"code"}, {}, "id")))
"""
    result = run(script)
    assert result["throttle"] is True
    assert result["body"]["__type"] == "TooManyRequestsException"
    assert result["body"]["Reason"] == "ConcurrentInvocationLimitExceeded"


@pytest.mark.parametrize(("gibibytes", "workers"), [(1, 16), (4, 25), (8, 51), (64, 64)])
def test_the_number_of_workers_follows_the_memory(gibibytes: int, workers: int) -> None:
    """A quarter of the memory is for workers, of 40 MiB each, but at least 16 and at most 64 workers may run."""
    assert run(f"print(json.dumps(worker_limit.compute_worker_limit({gibibytes} * 1024**3)))") == workers

"""Tests of the limit of Lambda's worker processes, with the emulator's own pools of workers.

Workers are leased as for invocations, but run no process. An invocation that finds no worker is throttled at once,
unless the test sets a longer wait. Then the invocation runs in a thread, and the test continues when the thread waits.
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
limit = worker_limit.WorkerLimit(8, max_starting=2)  # six for clients, two more for functions
limit.install()
killed = []
lambda_runtime.kill_workers = lambda workers: killed.extend(worker.func_name for worker in workers)

def lease(name, depth=1, seconds=0, start=True):
    # Depth 1 is an invocation by a client, depth 2 one by a function. With `seconds`, the invocation is asynchronous.
    def acquire():
        lambda_svc._invoke_depth.set(depth)
        worker_limit.asynchronous_wait_seconds.set(seconds)
        config = {"FunctionName": name, "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:" + name}
        worker = lambda_svc.acquire_worker(name, config, b"")[0]
        if worker and start:
            worker._spawn()
        return worker
    return contextvars.copy_context().run(acquire)

def lease_in_thread(results, *arguments):
    thread = threading.Thread(target=lambda: results.append(lease(*arguments)))
    thread.start()
    while not (limit._free_for_client._waiters or limit._free_for_function._waiters):
        time.sleep(0)
    return thread

def count():
    return sum(map(len, lambda_runtime._workers.values()))

json.load(sys.stdin)  # run_in_emulator_python sends an input, which these tests do not need
"""
"""Beginning of each test's script."""


def run(script: str) -> Any:
    return run_in_emulator_python(PRELUDE + script, None)


def test_a_client_is_throttled_if_no_worker_becomes_free_in_time() -> None:
    assert run("print(json.dumps([lease('one') is not None for _ in range(8)]))") == [True] * 6 + [False] * 2


def test_workers_for_functions_that_clients_have_invoked_are_reserved() -> None:
    """Without the reserve, functions that use all workers would wait for a worker of the function that they invoke."""
    script = "print(json.dumps([lease('outer') is not None for _ in range(7)] + [lease('inner', 2) is not None for _ in range(3)]))"
    assert run(script) == [True] * 6 + [False] + [True] * 2 + [False]


def test_a_waiting_invocation_gets_the_worker_that_becomes_free() -> None:
    script = """
workers, results = [lease("one") for _ in range(6)], []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = lease_in_thread(results, "one")
lambda_svc.release_worker(workers[3])
thread.join()
print(json.dumps([results[0] is workers[3], count()]))
"""
    assert run(script) == [True, 6]


def test_a_waiting_call_of_a_function_goes_on_when_any_worker_becomes_free() -> None:
    script = """
workers, results = [lease("one") for _ in range(6)] + [lease("two", 2) for _ in range(2)], []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = lease_in_thread(results, "two", 2)
lambda_svc.release_worker(workers[0])
thread.join()
print(json.dumps([results[0].func_name, count(), killed]))
"""
    assert run(script) == ["two", 8, ["one"]]


def test_few_workers_start_at_a_time() -> None:
    script = """
starting = [lease("one", start=False) for _ in range(3)]
results = []
worker_limit.SYNCHRONOUS_WAIT_SECONDS = 3600
thread = lease_in_thread(results, "two")
starting[0]._spawn()
thread.join()
print(json.dumps([[worker is not None for worker in starting], results[0].func_name]))
"""
    assert run(script) == [[True, True, False], "two"]


def test_an_asynchronous_invocation_waits_although_a_synchronous_one_is_throttled() -> None:
    """A function makes the asynchronous invocation, but the reserved workers are only for synchronous invocations."""
    script = """
workers, results = [lease("one") for _ in range(6)], []
thread = lease_in_thread(results, "one", 2, 21600)
lambda_svc.release_worker(workers[0])
thread.join()
print(json.dumps(results[0] is workers[0]))
"""
    assert run(script) is True


def test_a_new_worker_replaces_the_one_that_was_idle_for_the_longest_time() -> None:
    script = """
for number in range(8):
    worker = lease(f"function-{number}")
    worker.last_used = 100 + (number - 3) % 8  # 100 for function-3, and more for all others
    lambda_svc.release_worker(worker)
idle_killed = list(killed)
lease("new")
lease("function-5")  # its own worker is idle
print(json.dumps([idle_killed, killed, count()]))
"""
    assert run(script) == [[], ["function-3"], 8]


def test_a_throttled_invocation_is_reported_as_on_aws() -> None:
    script = """
while lease("one"):
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
    assert run(f"print(json.dumps(worker_limit.compute_worker_limit({gibibytes} * 1024**3)))") == workers

"""Test of the processes in which the emulator runs a Lambda function."""

import json
import os
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

import pytest

from tests.end_to_end.small_stack import SmallStack, echo_function, small_stack
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("targets")]

CODE = """
import os

folder = {folder!r}
try:
    os.close(os.open(folder + "/first", os.O_CREAT | os.O_EXCL))
except FileExistsError:
    open(folder + "/second starts", "w").close()  # waits until the first process reads
    open(folder + "/go").read(2)  # waits until the test writes
else:
    open(folder + "/second starts").read()
    os._exit(1)

def handler(event, context):
    return event
"""
"""Function whose first process dies as soon as the second one starts. The second process waits for the test.

The processes wait at named pipes: opening a pipe blocks until another process opens its other end.
"""


def invoke(stack: SmallStack) -> tuple[str, object]:
    """Return the kind of the function's error, which is empty if there is none, and the payload of the answer."""
    answer = stack.clients("lambda").invoke(FunctionName=stack.ids["ingestion-echo-function"], Payload=b'{"n": 1}')
    return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())


def test_a_process_that_dies_while_it_starts_ends_no_other_process(tmp_path: Path) -> None:
    for name in ("second starts", "go"):
        os.mkfifo(tmp_path / name)
    with small_stack(tmp_path, CODE.format(folder=str(tmp_path))) as stack, ThreadPoolExecutor(2) as pool:
        stack.up(lambda: echo_function("echo", scope(layers=[])))
        calls = [pool.submit(invoke, stack) for _ in range(2)]
        [first_call], [second_call] = wait(calls, return_when=FIRST_COMPLETED)
        pipe = os.open(tmp_path / "go", os.O_RDWR)  # does not wait for a reader
        os.write(pipe, b"go")
        kind, _ = first_call.result()
        assert kind == "Unhandled"
        assert second_call.result() == ("", {"n": 1})
        os.close(pipe)

"""Tests of the logs and error types of Lambda invocations, with the emulator's worker process."""

from typing import Any

from tests.local.emulation.emulator_python import run_in_emulator_python

LINES = 400
CODE = """
import os, sys

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(number, file=sys.stderr)
    if event.get("dies"):
        os._exit(1)
    if event.get("fails"):
        raise ValueError("no")
"""
CALLS = """
import io, json, zipfile
from ministack.core import lambda_runtime
from local.emulation.lambda_ import worker_process_corrections

worker_process_corrections.install()
worker_process_corrections.PATIENCE_SECONDS = 3600  # who waited, instead of seeing the mark, would not be back in time
wanted = json.load(sys.stdin)
zipped = io.BytesIO()
with zipfile.ZipFile(zipped, "w") as archive:
    archive.writestr("handled.py", wanted["code"])
config = {
    "FunctionName": "one",
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:one",
    "Runtime": "python3.13",
    "Handler": "handled.handler",
    "Timeout": 20,
}
worker = lambda_runtime.Worker("one", config, zipped.getvalue())
print(json.dumps([worker.invoke(event, "id") for event in wanted["events"]]))
worker.kill()
"""


def invoke_functions(*events: dict[str, Any]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = run_in_emulator_python(CALLS, {"code": CODE, "events": events})
    return result


def test_the_log_of_an_invocation_is_complete_and_separate() -> None:
    calls = invoke_functions(
        {}, {"lines": LINES}, {}, {"lines": 2, "fails": True}, {"lines": 1}, {"lines": 3, "dies": True}
    )
    expected = ("", "\n".join(map(str, range(LINES))), "", "0\n1", "0", "0\n1\n2")
    assert tuple(call["log"] for call in calls) == expected
    assert [call["status"] for call in calls] == ["ok", "ok", "ok", "error", "ok", "error"]

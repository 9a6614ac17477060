"""Test of the logs of local Lambda invocations, with the AWS emulator's worker process."""

from typing import Any

from tests.local.emulation.emulator_python import run_in_emulator_python

LINE_COUNT = 400
CODE = """
import os, sys

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(number, file=sys.stderr)
    if event.get("exits"):
        os._exit(1)
    if event.get("fails"):
        raise ValueError("no")
"""
INVOKE_EVENTS = """
import io, json, zipfile
from ministack.core import lambda_runtime
from local.emulation.lambda_ import worker_process_corrections

worker_process_corrections.install()
worker_process_corrections.PATIENCE_SECONDS = 3600  # if the end of a log is not detected, the test times out
request = json.load(sys.stdin)
zipped = io.BytesIO()
with zipfile.ZipFile(zipped, "w") as archive:
    archive.writestr("function.py", request["code"])
config = {
    "FunctionName": "one",
    "FunctionArn": "arn:aws:lambda:us-east-1:123456789012:function:one",
    "Runtime": "python3.13",
    "Handler": "function.handler",
    "Timeout": 20,
}
worker = lambda_runtime.Worker("one", config, zipped.getvalue())
print(json.dumps([worker.invoke(event, "id") for event in request["events"]]))
worker.kill()
"""


def invoke(*events: dict[str, Any]) -> list[dict[str, Any]]:
    result: list[dict[str, Any]] = run_in_emulator_python(INVOKE_EVENTS, {"code": CODE, "events": events})
    return result


def test_each_invocation_has_exactly_its_own_log_lines() -> None:
    results = invoke(
        {}, {"lines": LINE_COUNT}, {}, {"lines": 2, "fails": True}, {"lines": 1}, {"lines": 3, "exits": True}
    )
    expected = ["", "\n".join(map(str, range(LINE_COUNT))), "", "0\n1", "0", "0\n1\n2"]
    assert [result["log"] for result in results] == expected
    assert [result["status"] for result in results] == ["ok", "ok", "ok", "error", "ok", "error"]

"""Where a call's log ends on the local platform, by the emulator's own worker."""

import json
import subprocess
from typing import Any

import pytest

from local import ROOT
from local.emulator import PYTHON

LINES = 400
CODE = f"""
import os, sys

def handler(event, context):
    for number in range(event.get("lines", 0)):
        print(number, file=sys.stderr)
    if event.get("dies"):
        os._exit(1)
    if event.get("fails"):
        raise ValueError("no")
    return {LINES}
"""
CALLS = """
import io, json, sys, zipfile
sys.path.append(sys.argv[1])
from ministack.core import lambda_runtime
from local.patches import function_logs

function_logs.install()
wanted = json.load(sys.stdin)
function_logs.PATIENCE = wanted["patience"]
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
HOUR = 3600
"""Whoever waited, instead of seeing the mark, would not be back before the test is given up."""


def called(*events: dict[str, Any]) -> list[dict[str, Any]]:
    asked = json.dumps({"code": CODE, "events": events, "patience": HOUR})
    command = [str(PYTHON), "-P", "-c", CALLS, str(ROOT)]
    run = subprocess.run(command, input=asked, capture_output=True, text=True, check=True, timeout=60)  # noqa: S603
    found: list[dict[str, Any]] = json.loads(run.stdout)
    return found


def test_a_calls_log_is_all_that_it_wrote_and_nothing_else() -> None:
    quiet, talking, quiet_again = called({}, {"lines": LINES}, {})
    assert (quiet["log"], quiet_again["log"]) == ("", "")
    assert talking["log"].split("\n") == [str(number) for number in range(LINES)]
    assert talking["result"] == LINES


def test_a_failed_call_has_its_log_too() -> None:
    failed, after = called({"lines": 2, "fails": True}, {"lines": 1})
    assert (failed["status"], failed["error"], failed["log"]) == ("error", "no", "0\n1")
    assert (after["status"], after["log"]) == ("ok", "0")


@pytest.mark.parametrize("lines", [0, 3])
def test_a_process_that_dies_ends_its_log_as_well(lines: int) -> None:
    (died,) = called({"lines": lines, "dies": True})
    assert (died["status"], died["error"]) == ("error", "Worker process died")
    assert died["log"].split() == [str(number) for number in range(lines)]

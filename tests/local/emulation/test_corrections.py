"""Tests that the emulator needs each of our corrections, that each works, and that the documentation lists all.

`emulator_behaviour.py` has a function for each correction. Its results are compared here: without the corrections they
are those of the emulator, with the corrections those of AWS.
"""

import ast
import json
import re
import subprocess
from collections.abc import Iterator
from typing import Any

from local import ROOT
from local.emulation import SUPPORTED_VERSION, Correction
from local.platform.emulator import PYTHON

PROGRAM = ROOT / "tests" / "local" / "emulation" / "emulator_behaviour.py"
PAGE = ROOT / "docs" / "local-platform.md"
RESULTS: dict[str, tuple[Any, Any]] = {
    "policy_variables": ([False, False], [True, False]),
    "line_breaks": ([False, True, True], [True, False, True]),
    "leading_keys": ([False] * 7, [True, True, True, True, False, False, False]),
    "metric_namespace": ([False, False, False], [True, True, False]),
    "event_source": ([False, False, False, False], [True, True, False, False]),
    "kms_key_of_upload": (None, "key"),
    "message_batch": (False, True),
    "session_tags": ([True, True, True, True], [False, False, True, True]),
    "memory_resource": ([[None, False]] * 3, [["bedrock-agentcore:CreateEvent", True]] * 3),
    "terminated_job": ("*", "job/a1-b2"),
    "loopback_as_tls": (False, True),
    "guest_credentials": ([200, 200, 200, 200], [400, 400, 200, 400]),
    "guest_identity": (None, "me"),
    "function_logs": ([1, 1], [0, 1]),
    "failure_destination": ([1, 2], [0, 1]),
    "event_target": ([1, 1, 1, 1, 1], [0, 0, 0, 1, 1]),
    "end_of_log": (False, True),
    "error_type": ("Runtime.HandlerError", "LookupError"),
    "qualifier_settings": (["$LATEST"], ["live", "live"]),
    "request_id": ([3, 3], [3, 1]),
    "reserved_concurrency": (None, 0),
    "queue_permissions": ([1, 1, 1], [0, 0, 1]),
    "batch_size": (10, 12),
    "transition_delay": (0.5, 0.02),
    "rest_api_permission": ([2, 4], [0, 2]),
    "rest_api_error": ([502, True], [502, False]),
    "mock_request_id": (True, False),
    "websocket_handshake": ([None, None, None], ["a", 502, 401]),
    "websocket_identity": ("", "assumed-role/caller/session"),
    "websocket_call": (
        [["websocket.accept", "worker"], ["websocket.accept", "worker"]],
        [["websocket.http.response.start", None], ["websocket.accept", "Lambda"]],
    ),
    "websocket_answer": (
        [["answer"], ["answer"], ['{"errorMes'], ["answer"]],
        [["answer"], [], ['{"message"'], ['{"message"']],
    ),
    "event_version": (False, True),
    "range_of_version": ([200, "0123456789", None], [206, "234", "bytes 2-4/10"]),
    "encoded_keys": ([True, False], [False, True]),
    "athena_query": ([200, None], [400, "InvalidRequestException"]),
    "alarm_evaluation": ("ALARM", "INSUFFICIENT_DATA"),
    "task_permissions": (["", ""], ["States.TaskFailed", ""]),
    "batch_and_glue_tasks": (["States.Runtime", "States.Runtime"], ["Batch.ClientException", ""]),
    "sdk_tasks": ("States.Runtime", "Transcribe.SdkClientException"),
}
"""Results of the functions of `emulator_behaviour.py` without and with the corrections."""


def run_program(*, corrected: bool, private_names: list[str]) -> dict[str, Any]:
    request = {"names": list(RESULTS), "corrected": corrected, "private_names": private_names}
    process = subprocess.run(  # noqa: S603 - the emulator's own environment
        [str(PYTHON), "-P", str(PROGRAM)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    answer: dict[str, Any] = json.loads(process.stdout.splitlines()[-1])
    return answer


def emulation_modules() -> Iterator[ast.Module]:
    for path in sorted((ROOT / "local" / "emulation").rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def find_private_names() -> Iterator[str]:
    """Yield every name that a module passes to `get_private` or `wrap_function`, in full."""
    for module in emulation_modules():
        imported = {
            alias.asname or alias.name: f"{node.module}.{alias.name}"
            for node in ast.walk(module)
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        }
        for node in ast.walk(module):
            match node:
                case ast.Call(
                    func=ast.Name(id="get_private" | "wrap_function"),
                    args=[ast.Name(id=owner), ast.Constant(value=str(name)), *_],
                ):
                    yield f"{imported[owner]}.{name}"


def read_corrections() -> Iterator[Correction]:
    """Yield all corrections. Their modules cannot be imported here, because they import the emulator."""
    for module in emulation_modules():
        for node in ast.walk(module):
            match node:
                case ast.Call(func=ast.Name(id="Correction"), args=[name], keywords=keywords):
                    fields = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in keywords}
                    yield Correction(ast.literal_eval(name), **fields)


def test_the_emulator_has_the_private_names_and_the_faults_that_we_correct() -> None:
    answer = run_program(corrected=False, private_names=sorted(set(find_private_names())))
    assert (answer["version"], answer["missing_names"]) == (SUPPORTED_VERSION, [])
    lock = (ROOT / "requirements" / "emulator.txt").read_text(encoding="utf-8")
    assert f"ministack=={SUPPORTED_VERSION} " in lock
    changed = {
        name: answer["results"][name] for name, (emulator, _) in RESULTS.items() if answer["results"][name] != emulator
    }
    assert not changed, "remove the corrections of what the emulator now does as AWS does"


def test_the_corrected_emulator_behaves_as_aws_does() -> None:
    results = run_program(corrected=True, private_names=[])["results"]
    assert results == {name: aws for name, (_, aws) in RESULTS.items()}


def test_each_correction_is_shown_and_documented() -> None:
    corrections = list(read_corrections())
    assert sorted(correction.name for correction in corrections) == sorted(RESULTS)
    rows = [
        f"| {item.service} | {item.emulator} | {item.aws} | {item.needed_for} |"
        for item in sorted(corrections, key=lambda item: item.service)
    ]
    section = PAGE.read_text(encoding="utf-8").partition("## Corrections")[2].partition("\n## ")[0]
    assert re.findall(r"^\| (?!service |---).*$", section, re.MULTILINE) == rows, "\n".join(rows)

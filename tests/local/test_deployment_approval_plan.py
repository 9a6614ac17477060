"""Tests of the deployment plan, a summary of one preview that is approved: which changes of a preview give another
plan, and which do not.
"""

import copy
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.deployment_approval_plan import list_changes

Document = dict[str, Any]
Edit = Callable[[Document], object]
RunPlan = Callable[[str, int], tuple[int, str, str]]

FUNCTION_STEP = {
    "op": "update",
    "urn": "urn:pulumi:dev::polyphony::polyphony:Platform$aws:lambda/function:Function::sweeper",
    "provider": "urn:pulumi:dev::polyphony::pulumi:providers:aws::default::id",
    "oldState": {
        "id": "sweeper",
        "type": "aws:lambda/function:Function",
        "inputs": {"memorySize": 512, "code": {"hash": "1", "path": "a.zip"}, "key": "[secret]"},
        "outputs": {"lastModified": "yesterday"},
        "modified": "2026-11-01T00:00:00Z",
    },
    "newState": {
        "id": "sweeper",
        "type": "aws:lambda/function:Function",
        "inputs": {
            "memorySize": 1024,
            "code": {"hash": "2", "path": "a.zip"},
            "layers": ["one", "two"],
            "name": "sweeper-1a2b3c4",
            "vpc": {"ipv6": False, "__defaults": ["ipv6"]},
            "__defaults": ["name"],
        },
        "protect": False,
        "dependencies": ["urn:a", "urn:b"],
        "propertyDependencies": {"code": ["urn:a", "urn:b"]},
        "ignoreChanges": ["code"],
        "sourcePosition": "project:///__main__.py#1",
        "stackTrace": [{"sourcePosition": "project:///__main__.py#1"}],
    },
    "diffReasons": ["memorySize", "name"],
    "replaceReasons": ["name"],
    "detailedDiff": {"memorySize": {"kind": "update", "inputDiff": True}},
}
TOPIC_STEP = {"op": "delete", "urn": "urn:pulumi:dev::polyphony::aws:sns/topic:Topic::old", "detailedDiff": None}
STACK_STEP = {
    "op": "same",
    "urn": "urn:pulumi:dev::polyphony::pulumi:pulumi:Stack::polyphony-dev",
    "detailedDiff": None,
}


def plan(edit: Edit = lambda _: None) -> list[str]:
    """Return the lines of the plan for a preview with the steps above. A test may edit the step of the function."""
    function = copy.deepcopy(FUNCTION_STEP)
    edit(function)
    return list_changes(
        {"steps": [STACK_STEP, function, TOPIC_STEP], "changeSummary": {"same": 1, "update": 1, "delete": 1}}
    )


def test_a_line_of_the_plan_has_operation_resource_and_changed_properties() -> None:
    summary, *lines = plan()
    assert summary == "2 changes"
    # The last part of a line is a hash of the change.
    assert [line.rpartition("; ")[0] for line in lines] == [
        "delete aws:sns/topic:Topic old",
        "update aws:lambda/function:Function sweeper; changes memorySize, name; replaced because of name",
    ]


@pytest.mark.parametrize(
    "edit",
    [
        lambda step: step.update(op="replace"),
        lambda step: step.update(provider="urn:pulumi:dev::polyphony::pulumi:providers:aws::other::id"),
        lambda step: step["detailedDiff"].update(timeout={"kind": "add", "inputDiff": True}),
        lambda step: step["oldState"].update(id="another"),
        lambda step: step["oldState"]["inputs"].update(memorySize=256),
        lambda step: step["newState"]["inputs"].update(memorySize=2048),
        lambda step: step["newState"]["inputs"].update(layers=["two", "one"]),
        lambda step: step["newState"]["inputs"]["vpc"].update(subnets=["a"]),
        lambda step: step["newState"].update(protect=True),
        lambda step: step["newState"].update(dependencies=["urn:a"]),
    ],
)
def test_a_preview_with_another_change_has_another_plan(edit: Edit) -> None:
    assert plan(edit) != plan()


@pytest.mark.parametrize(
    "edit",
    [
        # Times, outputs, positions in the source and the order of names are no part of a change.
        lambda step: step["oldState"].update(outputs={}, modified="2026-11-02T00:00:00Z"),
        lambda step: step["newState"].update(sourcePosition="", stackTrace=[]),
        lambda step: step["newState"].update(dependencies=["urn:b", "urn:a"]),
        lambda step: step["newState"].update(propertyDependencies={"code": ["urn:b", "urn:a"]}),
        lambda step: step.update(diffReasons=["name", "memorySize"]),
        # The provider chooses another random name in each preview, and lists it as a default.
        lambda step: step["newState"]["inputs"].update(name="sweeper-5d6e7f8"),
        lambda step: step["newState"]["inputs"]["vpc"].update(ipv6=True),
        # The program ignores changes of this input, for example of an archive whose bytes differ between builds.
        lambda step: step["newState"]["inputs"]["code"].update(hash="3"),
    ],
)
def test_a_preview_with_the_same_changes_has_the_same_plan(edit: Edit) -> None:
    assert plan(edit) == plan()


def test_the_order_of_the_steps_does_not_change_the_plan() -> None:
    assert list_changes({"steps": [TOPIC_STEP, FUNCTION_STEP]}) == list_changes({"steps": [FUNCTION_STEP, TOPIC_STEP]})


def test_a_plan_contains_no_values_of_properties() -> None:
    text = "\n".join(plan(lambda step: step["newState"]["inputs"].update(tags={"Owner": "canary"})))
    assert "canary" not in text
    assert "1024" not in text


FAKE_CLI = """\
#!{python}
import json, pathlib, sys
folder = pathlib.Path(__file__).parent
(folder / "arguments.json").write_text(json.dumps(sys.argv[1:]))
sys.stdout.write((folder / "preview").read_text())
sys.exit({status})
"""
"""Fake Pulumi CLI that prints a file."""


@pytest.fixture
def run_plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> RunPlan:
    """Return a function that runs the command with a fake CLI, which prints a text and has an exit status.

    The function returns exit status, output and errors of the command.
    """

    def run(text: str, status: int) -> tuple[int, str, str]:
        (tmp_path / "preview").write_text(text)
        (tmp_path / "pulumi").write_text(FAKE_CLI.format(python=sys.executable, status=status))
        (tmp_path / "pulumi").chmod(0o700)
        monkeypatch.setenv("PATH", str(tmp_path))
        exit_status = main(["plan", "--stack", "dev"])
        captured = capsys.readouterr()
        return exit_status, captured.out, captured.err

    return run


def test_the_command_prints_the_plan_of_a_preview_with_the_policy_pack(run_plan: RunPlan, tmp_path: Path) -> None:
    preview = {"steps": [STACK_STEP, FUNCTION_STEP, TOPIC_STEP], "changeSummary": {"update": 1, "delete": 1}}
    assert run_plan(json.dumps(preview), 0) == (0, "\n".join([*plan(), ""]), "")
    arguments = json.loads((tmp_path / "arguments.json").read_text())
    assert arguments == ["preview", "--stack", "dev", "--policy-pack", "policies", "--non-interactive", "--json"]


def test_a_stack_without_changes_has_an_empty_plan(run_plan: RunPlan) -> None:
    assert run_plan(json.dumps({"steps": [STACK_STEP], "changeSummary": {"same": 700}}), 0) == (0, "0 changes\n", "")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"steps": [], "changeSummary": {}, "diagnostics": [{"message": "error: failed", "severity": "error"}]}', 1),
        ('{"steps": []}', 0),
        ("error: no stack", 255),
        ("", 0),
        ("[]", 0),
    ],
)
def test_the_command_fails_if_the_preview_failed_or_is_not_complete(run_plan: RunPlan, text: str, status: int) -> None:
    exit_status, output, error = run_plan(text, status)
    assert (exit_status, output) == (2, "")
    assert error.startswith("`pulumi preview --json` of the stack dev failed.\n")
    assert ("error: failed" in error) == ("error: failed" in text)


def test_the_error_without_the_cli_states_that_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["plan", "--stack", "dev"]) == 2
    assert "The Pulumi CLI is not on the PATH." in capsys.readouterr().err

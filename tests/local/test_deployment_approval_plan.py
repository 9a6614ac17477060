"""Tests of the deployment plan: which changes of a preview give another plan, and which do not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.__main__ import main
from local.deployment_approval_plan import list_changes

Document = dict[str, Any]
Edit = Callable[[Document], object]

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
    "diffReasons": ["layers", "name"],
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
    return list_changes({"steps": [STACK_STEP, function, TOPIC_STEP]})


def test_a_line_of_the_plan_has_operation_resource_and_changed_properties() -> None:
    summary, *lines = plan()
    assert summary == "2 changes"
    # The last part of a line is a hash of the change.
    assert [line.rpartition("; ")[0] for line in lines] == [
        "delete aws:sns/topic:Topic old",
        "update aws:lambda/function:Function sweeper; changes layers, memorySize, name; replaced because of name",
    ]


@pytest.mark.parametrize(
    "edit",
    [
        lambda step: step.update(op="replace"),
        lambda step: step.update(provider="urn:pulumi:dev::polyphony::pulumi:providers:aws::other::id"),
        lambda step: step["oldState"].update(id="another"),
        lambda step: step["newState"]["inputs"].update(memorySize=2048),
        lambda step: step["newState"]["inputs"].update(layers=["two", "one"]),
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
        lambda step: step.update(diffReasons=["name", "layers"]),
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


@pytest.fixture
def write_cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], None]:
    """Return a function that writes a fake Pulumi CLI, which prints a text and has an exit status."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    def write(text: str, status: int) -> None:
        (tmp_path / "preview").write_text(text)
        script = f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat {tmp_path}/preview\nexit {status}\n'
        (tmp_path / "pulumi").write_text(script)
        (tmp_path / "pulumi").chmod(0o700)

    return write


def test_the_command_prints_the_plan_of_a_preview_with_the_policy_pack(
    write_cli: Callable[[str, int], None], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_cli(json.dumps({"steps": [STACK_STEP, FUNCTION_STEP, TOPIC_STEP], "changeSummary": {"update": 1}}), 0)
    assert main(["plan", "--stack", "dev"]) == 0
    assert capsys.readouterr().out == "\n".join([*plan(), ""])
    arguments = (tmp_path / "arguments").read_text()
    assert arguments == "preview --stack dev --policy-pack policies --non-interactive --json\n"
    write_cli(json.dumps({"steps": [STACK_STEP], "changeSummary": {"same": 700}}), 0)
    assert main(["plan", "--stack", "dev"]) == 0
    assert capsys.readouterr().out == "0 changes\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ('{"steps": [], "changeSummary": {}, "diagnostics": [{"message": "error: failed", "severity": "error"}]}', 1),
        ('{"steps": []}', 0),
        ("error: no stack", 255),
        ("", 0),
    ],
)
def test_the_command_fails_if_the_preview_failed_or_is_not_complete(
    text: str, status: int, write_cli: Callable[[str, int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    write_cli(text, status)
    assert main(["plan", "--stack", "dev"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("`pulumi preview --json` of the stack dev failed.\n")
    assert ("error: failed" in output.err) == ("error: failed" in text)


def test_the_error_without_the_cli_states_that_it_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["plan", "--stack", "dev"]) == 2
    assert "The Pulumi CLI is not on the PATH." in capsys.readouterr().err

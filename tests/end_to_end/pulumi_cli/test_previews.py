"""Tests that a preview with the CLI shows the same as `make preview`: resources, inputs, findings and outputs."""

import json
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct

from components.settings.stack import SECRETS
from local.preview import stack_files
from local.preview.resource_graph import STACK_TYPE
from local.property_values import to_display_value, to_python_properties
from tests.end_to_end.pulumi_cli.cli_project import CliProject, CliRun, copy_program
from tests.end_to_end.pulumi_cli.conftest import ServedPlatform

pytestmark = [pytest.mark.e2e, pytest.mark.cli, pytest.mark.xdist_group("pulumi_cli")]

PREVIEW = [".venv/bin/python", "-m", "local", "preview", "--json", "--stack"]
Finding = tuple[str, str, str]
"""Policy, URN and message."""


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_the_cli_and_the_local_preview_agree(
    stack: str, pulumi_cli: Path, served_platform: ServedPlatform, tmp_path: Path
) -> None:
    project = copy_program(pulumi_cli, tmp_path / "program", stack, served_platform.environment)
    set_missing_secrets(project)
    run = project.execute("preview", "--policy-pack", "policies")
    local = preview_locally(project)

    assert list_inputs(run) == {resource["urn"]: resource["inputs"] for resource in local["resources"]}
    assert count_findings(run) == Counter(
        (finding["policy"], finding["urn"], finding["message"])
        for finding in local["findings"]
        if finding["level"] != "unknown"  # the document lists each undecided check, the CLI one entry for all of them
    )
    assert read_outputs(run) == local["outputs"]
    assert not [call for call in served_platform.clients.calls if not call.startswith("get_")], (
        "a preview changes nothing"
    )


def set_missing_secrets(project: CliProject) -> None:
    """Set each required secret that the stack file does not have. The local stack has all of them."""
    config = (project.folder / f"Pulumi.{project.stack}.yaml").read_text(encoding="utf-8")
    for secret in SECRETS:
        if f"{secret.rpartition('.')[2]}:" not in config:
            path = f"polyphony:{secret}"
            result = project.run("config", "set", "--stack", project.stack, "--secret", "--path", path, "s" * 40)
            assert result.status == 0, result.output


def preview_locally(project: CliProject) -> dict[str, Any]:
    """Return the document of `make preview JSON=1`, for the same copy of the program."""
    result = subprocess.run(  # noqa: S603
        [*PREVIEW, project.stack], cwd=project.folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def list_inputs(run: CliRun) -> dict[str, Any]:
    """Return the inputs of all resources by URN. The default provider is no resource of the program."""
    steps = [event["resourcePreEvent"]["metadata"] for event in run.events if "resourcePreEvent" in event]
    assert {step["op"] for step in steps} == {"create"}
    return {
        step["urn"]: to_display_values(step["new"]["inputs"])
        for step in steps
        if not step["type"].startswith("pulumi:providers:")
    }


def read_outputs(run: CliRun) -> Any:
    """Return the stack's outputs. The engine reports the stack when it is registered, and again with its outputs."""
    steps = [event["resOutputsEvent"]["metadata"] for event in run.events if "resOutputsEvent" in event]
    return to_display_values([step for step in steps if step["type"] == STACK_TYPE][-1]["new"]["outputs"])


def count_findings(run: CliRun) -> Counter[Finding]:
    """Return the findings of the policy pack. The CLI puts the policy's description before a finding's message."""
    findings = [event["policyEvent"] for event in run.events if "policyEvent" in event]
    return Counter(
        (finding["policyName"], finding["resourceUrn"], finding["message"].partition("\n")[2].strip())
        for finding in findings
    )


def to_display_values(properties: dict[str, Any]) -> Any:
    """Return properties in the form that the local preview prints. An event has no value of a secret."""
    text = json.dumps(properties).replace('"ciphertext":', '"value":')
    return to_display_value(to_python_properties(json_format.Parse(text, Struct())))

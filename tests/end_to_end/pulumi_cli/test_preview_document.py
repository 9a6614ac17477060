"""Test of the deployment plan, the list of changes that reviewers approve, on documents of `pulumi preview --json`.

The program has only components, because they need no provider plug-in.
"""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from local.deployment_approval_plan import list_changes
from tests.end_to_end.pulumi_cli.cli_project import CliProject, create_small_project

pytestmark = pytest.mark.cli

PROGRAM = """\
import os
import pulumi

class Bucket(pulumi.ComponentResource):
    def __init__(self, name, properties):
        super().__init__("test:index:Bucket", name, properties)

properties = {"size": pulumi.Output.from_input(os.environ["SIZE"]), "token": pulumi.Output.secret("hidden")}
Bucket("changed", properties)
if os.environ["SIZE"] == "1":
    Bucket("removed", {})
"""


def plan(project: CliProject, size: int) -> list[str]:
    """Preview the program and return its deployment plan. The first line is the number of changes. Each other line
    describes one change, and ends with a hash of it.
    """
    result = replace(project, environment={"SIZE": str(size)}).run("preview", "--json", "--stack", project.stack)
    assert result.status == 0, result.output
    return list_changes(json.loads(result.output))


def deploy(project: CliProject, size: int) -> None:
    replace(project, environment={"SIZE": str(size)}).up()


def test_a_plan_is_the_same_until_the_state_changes(pulumi_cli: Path, tmp_path: Path) -> None:
    project = create_small_project(pulumi_cli, tmp_path / "program", PROGRAM, {}, name="components")
    first_plan = plan(project, 1)
    assert [line.rpartition("; ")[0] for line in first_plan[1:]] == [
        "create pulumi:pulumi:Stack components-test",
        "create test:index:Bucket changed",
        "create test:index:Bucket removed",
    ]
    deploy(project, 1)
    assert plan(project, 1) == ["0 changes"]

    approved_plan = plan(project, 2)
    assert [line.rpartition("; ")[0] for line in approved_plan[1:]] == [
        "delete test:index:Bucket removed",
        "update test:index:Bucket changed",
    ]
    assert plan(project, 2) == approved_plan
    deploy(project, 4)
    assert plan(project, 2) != approved_plan, "the change starts from another state"

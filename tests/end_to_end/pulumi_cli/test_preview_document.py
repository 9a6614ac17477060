"""Tests of the deployment plan on the documents that the real `pulumi preview --json` prints.

The program has only components, because they need no provider plug-in.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.deployment_plan import list_changes

pytestmark = [pytest.mark.e2e, pytest.mark.cli]

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


class CliProject:
    """Pulumi project with one stack, whose state is in a local folder."""

    def __init__(self, cli: Path, folder: Path) -> None:
        """Write the project's files and create the stack `test`."""
        self._cli = cli
        self._folder = folder
        (folder / "state").mkdir()
        (folder / "__main__.py").write_text(PROGRAM)
        options = {"toolchain": "pip", "virtualenv": sys.prefix}
        project = {"name": "components", "runtime": {"name": "python", "options": options}}
        (folder / "Pulumi.yaml").write_text(json.dumps(project))
        self.run("stack", "init", "test", size=0)

    def run(self, *arguments: str, size: int) -> str:
        """Run one command of the CLI with the program's size, and return its output."""
        environment = {
            "PATH": f"{self._cli.parent}:{os.environ['PATH']}",
            "HOME": str(self._folder),
            "PULUMI_BACKEND_URL": f"file://{self._folder}/state",
            "PULUMI_CONFIG_PASSPHRASE": "test",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "SIZE": str(size),
        }
        command = [str(self._cli), *arguments, "--non-interactive"]
        process = subprocess.run(  # noqa: S603
            command, cwd=self._folder, env=environment, capture_output=True, text=True, check=False
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def plan(self, size: int) -> list[str]:
        """Return the deployment plan for a size."""
        return list_changes(json.loads(self.run("preview", "--json", "--stack", "test", size=size)))

    def deploy(self, size: int) -> None:
        """Deploy the program with a size."""
        self.run("up", "--yes", "--skip-preview", "--stack", "test", size=size)


def test_a_plan_is_the_same_until_program_or_state_change(pulumi_cli: Path, tmp_path: Path) -> None:
    project = CliProject(pulumi_cli, tmp_path)
    first = project.plan(1)
    assert [line.rpartition("; ")[0] for line in first[1:]] == [
        "create pulumi:pulumi:Stack components-test",
        "create test:index:Bucket changed",
        "create test:index:Bucket removed",
    ]
    project.deploy(1)
    assert project.plan(1) == ["0 changes"]

    approved = project.plan(2)
    assert [line.rpartition("; ")[0] for line in approved[1:]] == [
        "delete test:index:Bucket removed",
        "update test:index:Bucket changed",
    ]
    assert project.plan(2) == approved
    assert project.plan(3) != approved, "the program has another value"
    project.deploy(4)
    assert project.plan(2) != approved, "the change starts from another state"

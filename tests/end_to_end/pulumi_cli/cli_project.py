"""Pulumi projects on which the tests run the real CLI, each with its own backend, home folder and configuration."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local import ROOT

PASSPHRASE = "local"
Event = dict[str, Any]
"""Event of Pulumi's engine, for example `{"resourcePreEvent": {…}}`."""
REPLACED = "create-replacement, delete-replaced, replace"
"""Action on a resource that was replaced (`CliRun.actions`)."""


@dataclass(frozen=True)
class CliRun:
    status: int
    output: str
    events: list[Event] = field(default_factory=list)
    """Events of the engine, in their order. Empty for a command without an event log."""

    @property
    def actions(self) -> dict[str, str]:
        """Action on each resource that changed, by the resource's name in Pulumi, without the stack and its provider.

        A replacement has several steps. They are sorted and joined, as in `REPLACED`, because their order varies.
        """
        steps: dict[str, list[str]] = {}
        for event in self.events:
            step = event.get("resOutputsEvent", {}).get("metadata")
            if step is None or step["op"] == "same" or step["type"].startswith("pulumi:"):
                continue
            steps.setdefault(step["urn"].rpartition("::")[2], []).append(step["op"])
        return {name: ", ".join(sorted(operations)) for name, operations in steps.items()}


@dataclass(frozen=True)
class CliProject:
    """Folder with a Pulumi program, and the environment of the commands that run in it."""

    cli: Path
    folder: Path
    stack: str
    environment: Mapping[str, str]
    """Variables of each command, in addition to those that every project needs."""

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a command and return its process, in its own process group."""
        home = self.folder.parent / f"{self.folder.name}-home"
        backend = home / "backend"
        backend.mkdir(parents=True, exist_ok=True)
        return subprocess.Popen(  # noqa: S603 - the CLI under test
            [str(self.cli), *arguments, "--non-interactive", "--color", "never"],
            cwd=self.folder,
            env={
                "PATH": f"{self.cli.parent}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(home),
                "PULUMI_BACKEND_URL": backend.as_uri(),
                "PULUMI_CONFIG_PASSPHRASE": PASSPHRASE,
                "PULUMI_SKIP_UPDATE_CHECK": "1",
                "PULUMI_EXPERIMENTAL": "1",
                "PULUMI_SKIP_CHECKPOINTS": "1",
                "PULUMI_DEBUG_COMMANDS": "1",  # makes the flag --event-log available
                **self.environment,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )

    def run(self, *arguments: str) -> CliRun:
        """Run a command and return its result, whatever its status."""
        process = self.start(*arguments)
        output, _ = process.communicate()
        return CliRun(process.returncode, output)

    def execute(self, command: str, *options: str, fails: bool = False) -> CliRun:
        """Run a command on the stack that has an event log: `preview`, `up`, `refresh` or `destroy`.

        The command must succeed, or fail if `fails` is True.
        """
        log = self.folder.parent / f"{self.folder.name}-events.json"
        log.unlink(missing_ok=True)
        if command != "preview":
            options = ("--yes", *options)
        result = self.run(command, "--stack", self.stack, "--event-log", str(log), *options)
        assert (result.status != 0) is fails, result.output
        events = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()] if log.exists() else []
        return CliRun(result.status, result.output, events)

    def up(self, *options: str, fails: bool = False) -> CliRun:
        """Deploy the stack without a preview first."""
        return self.execute("up", "--skip-preview", *options, fails=fails)

    def outputs(self) -> Any:
        result = self.run("stack", "output", "--json", "--stack", self.stack)
        assert result.status == 0, result.output
        return json.loads(result.output)

    def resources(self) -> list[dict[str, Any]]:
        """Return the resources in the CLI's state, without components, the stack and the provider."""
        result = self.run("stack", "export", "--stack", self.stack)
        assert result.status == 0, result.output
        resources = json.loads(result.output)["deployment"].get("resources", [])
        return [resource for resource in resources if resource["custom"] and not resource["type"].startswith("pulumi:")]


def create_small_project(
    cli: Path, folder: Path, program: str, environment: Mapping[str, str], *, name: str = "small"
) -> CliProject:
    """Return a project with its own program and the stack `test`."""
    folder.mkdir()
    options = {"toolchain": "pip", "virtualenv": sys.prefix}
    document = {"name": name, "runtime": {"name": "python", "options": options}}
    (folder / "Pulumi.yaml").write_text(json.dumps(document), encoding="utf-8")
    (folder / "__main__.py").write_text(program, encoding="utf-8")
    project = CliProject(cli, folder, "test", environment)
    _create_stack(project)
    run = project.run("config", "set", "aws:region", "us-east-1", "--stack", "test")
    assert run.status == 0, run.output
    return project


def copy_program(cli: Path, folder: Path, stack: str, environment: Mapping[str, str]) -> CliProject:
    """Return a project with a copy of this project's program, so that tests can change it, and one of its stacks."""
    git_output = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)  # noqa: S607
    for name in git_output.stdout.decode().split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    for name in (".venv", "policies/.venv"):
        (folder / name).symlink_to(ROOT / name)
    project = CliProject(cli, folder, stack, environment)
    _create_stack(project)
    return project


def _create_stack(project: CliProject) -> None:
    result = project.run("stack", "init", project.stack)
    assert result.status == 0, result.output

"""Pulumi's own files, against the CLI's rules: it validates them before anything runs, and cannot be tried here."""

import json
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from local import ROOT
from local.preview import stack_files

PRIMITIVES = {"string", "integer", "boolean", "array"}


def loaded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return found


def test_the_project_installs_what_it_needs_with_pip() -> None:
    project = loaded("Pulumi.yaml")
    assert project["name"] == "polyphony"
    assert project["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
    assert (ROOT / "requirements.txt").read_text() == "-r requirements/program.txt\n"


def test_declared_keys_are_of_kinds_that_every_cli_knows() -> None:
    for key, declared in loaded("Pulumi.yaml")["config"].items():
        if ":" in key:  # another namespace's key: a value, never a declaration
            assert set(declared) == {"value"}, key
        else:
            assert declared["type"] in PRIMITIVES, key
            assert set(declared) <= {"type", "items", "description", "default", "secret"}, key


@pytest.mark.parametrize("stack", stack_files.stacks())
def test_a_declared_key_without_default_is_set_in_every_stack(stack: str) -> None:
    given = loaded(f"Pulumi.{stack}.yaml")["config"]
    for key, declared in loaded("Pulumi.yaml")["config"].items():
        if ":" not in key and "default" not in declared:
            assert f"polyphony:{key}" in given


def test_the_pack_runs_in_an_environment_of_its_own() -> None:
    pack = loaded("policies/PulumiPolicy.yaml")
    assert pack["runtime"] == {"name": "python", "options": {"toolchain": "pip", "virtualenv": ".venv"}}
    assert pack["version"]
    assert (ROOT / "policies" / "requirements.txt").exists()


@pytest.mark.parametrize("lock", sorted([*ROOT.glob("requirements/*.txt"), ROOT / "policies/requirements.txt"]))
def test_locks_are_hashed_and_name_no_index(lock: Any) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if line.lstrip().startswith(("--index", "--extra", "--find", "--trusted"))]
    assert not [line for line in lines if "://" in line or "file:" in line]
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert all(line.endswith("\\") for line in pinned), "a package without a hash"


@pytest.mark.parametrize("environment", [".venv", ".venv-emulator", ".venv-spark", "policies/.venv"])
@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
def test_what_is_locked_installs_on_every_python_that_is_promised(environment: str, python: str) -> None:
    """A lock is made with one of them; distributions' own, as Debian's 3.11.2, are often behind its newest."""
    (packages,) = ROOT.glob(f"{environment}/lib/python*/site-packages")
    found = {
        distribution.name: distribution.metadata.json.get("requires_python")
        for distribution in distributions(path=[str(packages)])
    }
    assert len(found) > 3
    assert not {name: given for name, given in found.items() if given and python not in SpecifierSet(str(given))}


@pytest.mark.parametrize(("version", "taken"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)])
def test_make_says_at_once_which_python_it_needs(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], taken: bool
) -> None:
    [check] = re.findall(r"\$\(PYTHON\) -c '(.*)'$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    monkeypatch.setattr(sys, "version_info", (*version, 1))
    monkeypatch.setattr(sys, "version", f"{version[0]}.{version[1]}.1 (main)")
    if taken:
        exec(check)  # noqa: S102 - it is what make runs
    else:
        with pytest.raises(SystemExit, match=rf"Python 3\.11 to 3\.13, this is {version[0]}\.{version[1]}\.1"):
            exec(check)  # noqa: S102


PYTHON = """#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m local "*) echo "{}" ;;
esac
"""
"""As much of a Python as the Makefile asks for."""


@pytest.mark.parametrize("target", ["cost", "preview"])
def test_a_command_that_has_to_install_first_still_prints_nothing_but_its_document(target: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for lock in ("requirements/tools.txt", "policies/requirements.txt"):
        (tmp_path / lock).parent.mkdir()
        (tmp_path / lock).touch()
    python = tmp_path / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    done = subprocess.run(  # noqa: S603 - this project's own Makefile
        ["make", target, "JSON=1", f"PYTHON={python}"],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},  # alone: the tests themselves may have been begun by make
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == {}
    assert "installing requirements/tools.txt into .venv" in done.stderr

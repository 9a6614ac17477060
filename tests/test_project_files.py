"""Tests of Pulumi's project and stack files against the rules of its CLI, which these tests cannot run."""

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


def load_yaml(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / name).read_text())
    return content


def test_declared_keys_have_types_that_every_cli_supports() -> None:
    for key, declared in load_yaml("Pulumi.yaml")["config"].items():
        if ":" in key:  # a key of another namespace sets a value and declares nothing
            assert set(declared) == {"value"}, key
        else:
            assert declared["type"] in PRIMITIVES, key
            assert set(declared) <= {"type", "items", "description", "default", "secret"}, key


@pytest.mark.parametrize("stack", stack_files.list_stacks())
def test_a_declared_key_without_default_is_set_in_every_stack(stack: str) -> None:
    stack_config = load_yaml(f"Pulumi.{stack}.yaml")["config"]
    for key, declared in load_yaml("Pulumi.yaml")["config"].items():
        if ":" not in key and "default" not in declared:
            assert f"polyphony:{key}" in stack_config


@pytest.mark.parametrize("lock", sorted([*ROOT.glob("requirements/*.txt"), ROOT / "policies/requirements.txt"]))
def test_locks_have_hashes_and_no_index(lock: Any) -> None:
    lines = [line for line in lock.read_text().splitlines() if not line.lstrip().startswith("#")]
    assert not [line for line in lines if line.lstrip().startswith(("--index", "--extra", "--find", "--trusted"))]
    assert not [line for line in lines if "://" in line or "file:" in line]
    pinned = [line for line in lines if "==" in line]
    assert pinned
    assert all(line.endswith("\\") for line in pinned), "every package needs a hash"


@pytest.mark.parametrize("environment", [".venv", ".venv-emulator", ".venv-spark", "policies/.venv"])
@pytest.mark.parametrize("python", ["3.11.0", "3.12.0", "3.13.0"])
def test_every_locked_package_supports_every_supported_python(environment: str, python: str) -> None:
    """A lock is generated with one Python, but distributions such as Debian 12 have older patch releases."""
    (packages,) = ROOT.glob(f"{environment}/lib/python*/site-packages")
    requirements_by_package = {
        distribution.name: distribution.metadata.json.get("requires_python")
        for distribution in distributions(path=[str(packages)])
    }
    assert len(requirements_by_package) > 3
    assert not {
        name: requirement
        for name, requirement in requirements_by_package.items()
        if requirement and python not in SpecifierSet(str(requirement))
    }


@pytest.mark.parametrize(
    ("version", "accepted"), [((3, 10), False), ((3, 11), True), ((3, 13), True), ((3, 14), False)]
)
def test_make_reports_an_unsupported_python_immediately(
    monkeypatch: pytest.MonkeyPatch, version: tuple[int, int], accepted: bool
) -> None:
    [check] = re.findall(r"\$\(PYTHON\) -c '(.*)'$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    monkeypatch.setattr(sys, "version_info", (*version, 1))
    monkeypatch.setattr(sys, "version", f"{version[0]}.{version[1]}.1 (main)")
    if accepted:
        exec(check)  # noqa: S102 - it is what make runs
    else:
        with pytest.raises(SystemExit, match=rf"Python 3\.11 to 3\.13, this is {version[0]}\.{version[1]}\.1"):
            exec(check)  # noqa: S102


FAKE_PYTHON = """#!/bin/sh
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
  "-m local "*) echo "{}" ;;
esac
"""
"""Fake Python that supports only what the Makefile calls."""


@pytest.mark.parametrize("target", ["cost", "preview"])
def test_a_command_that_installs_first_still_prints_only_json(target: str, tmp_path: Path) -> None:
    shutil.copy(ROOT / "Makefile", tmp_path)
    for lock in ("requirements/tools.txt", "policies/requirements.txt"):
        (tmp_path / lock).parent.mkdir()
        (tmp_path / lock).touch()
    python = tmp_path / "python"
    python.write_text(FAKE_PYTHON)
    python.chmod(0o755)
    process = subprocess.run(  # noqa: S603 - this project's own Makefile
        ["make", target, "JSON=1", f"PYTHON={python}"],  # noqa: S607
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"]},  # minimal, because make may have started these tests itself
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(process.stdout) == {}
    assert "installing requirements/tools.txt into .venv" in process.stderr

"""Tests of Pulumi's project and stack files against the rules of its CLI, which these tests cannot run."""

from importlib.metadata import distributions
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from local import ROOT
from local.preview import stack_files

PRIMITIVES = {"string", "integer", "boolean", "array"}


def load_yaml(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text())


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

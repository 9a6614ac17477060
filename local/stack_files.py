"""Stack files, read as the Pulumi CLI reads them: the project's defaults, then the stack's own values.

Structured values become JSON, because that is how a program is given them. What only the CLI could decrypt, and
secrets that are not set yet, become a placeholder with one line of warning: so any stack can be previewed on a clean
clone. The program itself knows nothing of placeholders and refuses a missing secret.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from components.settings.problems import dotted, secret_paths
from components.settings.stack import StackSettings
from local import ROOT, CannotRun

PLACEHOLDER = "placeholder-for-a-secret-that-only-a-deployment-has"


class StackFileError(CannotRun):
    """There is no such stack, or its file cannot be read."""


@dataclass(frozen=True)
class StackConfig:
    """A stack's configuration as a program is given it."""

    project: str
    stack: str
    values: Mapping[str, str]
    secret_keys: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = field(default=())


class _UniqueKeys(yaml.SafeLoader):
    """Refuses a key that is given twice, as the CLI does; by itself PyYAML would keep the second without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if twice := next((key for key, _ in node.value if keys.count(str(key.value)) > 1), None):
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice.value!r} is given more than once", twice.start_mark
            )
        return super().construct_mapping(node, deep=deep)


def stacks(root: Path = ROOT) -> list[str]:
    """The stacks that have a file."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))


def read(stack: str, root: Path = ROOT) -> StackConfig:
    """The configuration of one stack."""
    project = _yaml(root / "Pulumi.yaml")
    name = str(project["name"])
    path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        raise StackFileError(
            f"there is no stack {stack!r}: {path.name} does not exist; known are {', '.join(stacks(root))}"
        )
    given = _yaml(path).get("config") or {}
    config: dict[str, Any] = {**_defaults(project.get("config") or {}, name)}
    for key, value in given.items():
        config[key if ":" in key else f"{name}:{key}"] = value
    return _resolved(name, stack, config)


def _yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), _UniqueKeys)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        raise StackFileError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise StackFileError(f"{path.name} must hold a mapping, it holds {type(loaded).__name__}")
    return loaded


def _defaults(declared: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Values that the project file gives: `value` for other namespaces' keys, `default` for its own."""
    found: dict[str, Any] = {}
    for key, one in declared.items():
        value = one.get("value", one.get("default")) if isinstance(one, dict) else one
        if value is not None:
            found[key if ":" in key else f"{project}:{key}"] = value
    return found


def _resolved(project: str, stack: str, config: Mapping[str, Any]) -> StackConfig:
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    warnings: list[str] = []
    for key, value in config.items():
        encrypted: list[str] = []
        values[key] = _without_ciphertext(value, key.partition(":")[2], encrypted)
        if encrypted:
            secret_keys.add(key)
            warnings += [f"{path} is encrypted: this preview uses a placeholder" for path in encrypted]
    for location in secret_paths(StackSettings):
        section = f"{project}:{location[0]}"
        if _fill(values, section, [str(part) for part in location[1:]]):
            secret_keys.add(section)
            warnings.append(f"{dotted(location)} is not set: this preview uses a placeholder")
    return StackConfig(
        project=project,
        stack=stack,
        values={
            key: value if isinstance(value, str) else json.dumps(value, default=str) for key, value in values.items()
        },
        secret_keys=frozenset(secret_keys),
        warnings=tuple(warnings),
    )


def _without_ciphertext(value: Any, path: str, found: list[str]) -> Any:
    """A copy in which every `secure:` value is the placeholder."""
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            found.append(path)
            return PLACEHOLDER
        return {key: _without_ciphertext(inner, f"{path}.{key}", found) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_ciphertext(inner, f"{path}[{index}]", found) for index, inner in enumerate(value)]
    return value


def _fill(values: dict[str, Any], section: str, path: list[str]) -> bool:
    """Puts the placeholder where a section that is there lacks a secret."""
    holder: Any = values.get(section)
    for part in path[:-1]:
        if not isinstance(holder, dict):
            return False
        holder = holder.get(part)
    if not isinstance(holder, dict) or path[-1] in holder:
        return False
    holder[path[-1]] = PLACEHOLDER
    return True

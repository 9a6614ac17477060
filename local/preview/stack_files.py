"""Stack files, read as the Pulumi CLI reads them: the project's defaults, then the stack's own values.

Structured values become JSON, because that is how a program is given them. What only the CLI could decrypt, and
secrets that are not set yet, become a placeholder with one line of warning: so any stack can be previewed on a clean
clone. The program itself knows nothing of placeholders and refuses a missing secret.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from components.settings.problems import find_secret_paths, format_location
from components.settings.stack import StackSettings
from local import ROOT, CannotRun

PLACEHOLDER = "placeholder-for-a-secret-that-only-a-deployment-has"


BOOLEAN, INTEGER, FLOAT, DAY = READ_BY_1_1 = tuple(
    f"tag:yaml.org,2002:{kind}" for kind in ("bool", "int", "float", "timestamp")
)
INTEGERS = r"[-+]?(?:0|[1-9][0-9]*)"
FLOATS = r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"
"""Decimal numbers. The CLI also knows octal, hexadecimal and grouped ones, which no setting is written as."""


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


class _AsTheCli(yaml.SafeLoader):
    """Takes words for what the CLI's YAML (1.2, mostly) takes them for; PyYAML's is 1.1, where `off` and 1:15 are no words.

    And it refuses a key that is given twice, as the CLI does; by itself PyYAML would keep the second without a word.
    """

    def construct_day(self, node: yaml.ScalarNode) -> str:
        """To the CLI a day is its first moment, which is how programs are told it."""
        try:
            return f"{date(*map(int, node.value.split('-'))).isoformat()}T00:00:00Z"
        except ValueError:
            return str(node.value)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if twice := next((key for key, _ in node.value if keys.count(str(key.value)) > 1), None):
            raise yaml.constructor.ConstructorError(
                None, None, f"{twice.value!r} is given more than once", twice.start_mark
            )
        return super().construct_mapping(node, deep=deep)


_AsTheCli.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in known if tag not in READ_BY_1_1]
    for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _tag, _words, _first, _construct in (
    (BOOLEAN, "true|True|TRUE|false|False|FALSE", "tTfF", yaml.SafeLoader.construct_yaml_bool),
    (INTEGER, INTEGERS, "-+0123456789", yaml.SafeLoader.construct_yaml_int),
    (FLOAT, FLOATS, "-+.0123456789", yaml.SafeLoader.construct_yaml_float),
    (DAY, r"\d{4}-\d{1,2}-\d{1,2}", "0123456789", _AsTheCli.construct_day),
):
    _AsTheCli.add_implicit_resolver(_tag, re.compile(f"^(?:{_words})$"), list(_first))
    _AsTheCli.add_constructor(_tag, _construct)


class _AsWritten(yaml.SafeLoader):
    """Takes every word for a word."""


_AsWritten.yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}  # merging is no word's matter


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
    if not isinstance(given, dict):
        raise StackFileError(f"{path.name} must hold a mapping below `config`, it holds {type(given).__name__}")
    written = _yaml(path, _AsWritten)["config"] if given else {}
    config: dict[str, Any] = {**_defaults(project.get("config") or {}, name)}
    for (key, word), value in zip(written.items(), given.values(), strict=True):
        # What has no structure is a word to the CLI, whatever it looks like.
        as_given = value if isinstance(value, dict | list) else "" if value is None else word
        config[key if ":" in key else f"{name}:{key}"] = as_given
    return _resolved(name, stack, config)


def _yaml(path: Path, loader: type[yaml.SafeLoader] = _AsTheCli) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError) as error:  # the latter of what is no text, or is not what its tag says
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
    for location in find_secret_paths(StackSettings):
        section = f"{project}:{location[0]}"
        if _fill(values, section, [str(part) for part in location[1:]]):
            secret_keys.add(section)
            warnings.append(f"{format_location(location)} is not set: this preview uses a placeholder")
    try:
        told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    except TypeError as error:
        raise StackFileError(f"Pulumi.{stack}.yaml has a value that JSON has no word for: {error}") from error
    return StackConfig(
        project=project,
        stack=stack,
        values=told,
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

"""Reader of stack files (`Pulumi.<stack>.yaml`), which returns the configuration that the Pulumi CLI gives a program.

Values in `Pulumi.yaml` apply to all stacks, unless the stack file has a value for the same key. Lists and mappings
become JSON.

PyYAML recognises the types of scalars by YAML 1.1, in which `off` is a boolean and `1:15` a number. The CLI mostly
follows YAML 1.2, in which both are text. `CliYamlLoader` recognises types as the CLI does.

The CLI decrypts secrets. This reader instead sets a placeholder for each encrypted value. It also sets a placeholder
for each secret that is missing in the section of an enabled backend. For each placeholder, it adds a warning. So a
stack can be previewed without its secrets.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import yaml

from components.settings.stack import SECRETS
from local import ROOT, CannotRun

PLACEHOLDER = "placeholder-for-a-secret-that-only-a-deployment-has"
"""Text in place of a secret that is encrypted or missing. It is long enough for every secret setting."""


class CliYamlLoader(yaml.SafeLoader):
    """YAML loader that recognises the types of scalars as the CLI does.

    Like the CLI, it also rejects a key that occurs twice. PyYAML would silently keep the second value.
    """

    # PyYAML recognises types by patterns (resolvers). Of its own, only the one for the key `<<`, which merges mappings, remains.
    yaml_implicit_resolvers = {"<": yaml.SafeLoader.yaml_implicit_resolvers["<"]}

    def construct_date(self, node: yaml.ScalarNode) -> str:
        """Return a date as the CLI passes it to a program: `2026-12-31` as `2026-12-31T00:00:00Z`."""
        try:
            return f"{date(*map(int, node.value.split('-'))).isoformat()}T00:00:00Z"
        except ValueError:  # not a date, for example `2026-13-01`
            return str(node.value)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [str(key.value) for key, _ in node.value]
        if duplicate := next((key for key, _ in node.value if keys.count(str(key.value)) > 1), None):
            raise yaml.constructor.ConstructorError(
                None, None, f"{duplicate.value!r} is given more than once", duplicate.start_mark
            )
        return super().construct_mapping(node, deep=deep)


# Octal, hexadecimal and grouped numbers, which the CLI also accepts, are omitted, because no setting uses them.
for _tag, _pattern in (
    ("null", r"~|null|Null|NULL|"),
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?"),
    ("timestamp", r"\d{4}-\d{1,2}-\d{1,2}"),
):
    CliYamlLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), None)
CliYamlLoader.add_constructor("tag:yaml.org,2002:timestamp", CliYamlLoader.construct_date)


class StackFileError(CannotRun):
    """The stack does not exist, or its file or `Pulumi.yaml` is invalid."""


@dataclass(frozen=True)
class StackConfig:
    """Configuration of a stack in the form in which Pulumi passes it to a program."""

    project: str
    stack: str
    values: Mapping[str, str]
    """Text, or JSON for a structured value, by key, for example `polyphony:ingestion`."""
    secret_keys: frozenset[str] = frozenset()
    """Keys of values that contain a placeholder. A key is not included if the file has the secret in plain text."""
    warnings: tuple[str, ...] = ()
    """A text for each placeholder in the values."""


def list_stacks(root: Path = ROOT) -> list[str]:
    """Return the names of the stacks that have a file."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))


def read_stack(stack: str, root: Path = ROOT) -> StackConfig:
    """Return the configuration of one stack. Raise StackFileError if its file is missing, or a file is invalid."""
    project = _load_yaml(root / "Pulumi.yaml")
    project_name = str(project["name"])
    path = root / f"Pulumi.{stack}.yaml"
    if not path.exists():
        raise StackFileError(
            f"There is no stack {stack!r}, because {path.name} does not exist. Known stacks: {', '.join(list_stacks(root))}."
        )
    config_section = _load_yaml(path).get("config") or {}
    if not isinstance(config_section, dict):
        raise StackFileError(f"{path.name}: `config` must be a mapping, but it is a {type(config_section).__name__}.")
    config = _read_project_values(project.get("config") or {}, project_name)
    for key, value in config_section.items():
        config[key if ":" in str(key) else f"{project_name}:{key}"] = "" if value is None else value
    return _add_placeholders(project_name, stack, config)


def _load_yaml(path: Path) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), CliYamlLoader)  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError) as error:  # ValueError: invalid UTF-8, or a value that its tag does not allow
        raise StackFileError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise StackFileError(f"{path.name} must contain a mapping, but it contains a {type(loaded).__name__}.")
    return loaded


def _read_project_values(declared: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return the values in the section `config` of the project file, `Pulumi.yaml`, by key with namespace.

    An entry is the value itself, or a mapping that contains it as `value` or `default`. The CLI permits `value` only for
    keys of other namespaces, for example `aws:region`.
    """
    values: dict[str, Any] = {}
    for key, declaration in declared.items():
        is_schema = isinstance(declaration, dict)
        value = declaration.get("value", declaration.get("default")) if is_schema else declaration
        if value is not None:
            values[key if ":" in key else f"{project}:{key}"] = value
    return values


def _add_placeholders(project: str, stack: str, config: Mapping[str, Any]) -> StackConfig:
    """Return the configuration with the placeholder in place of each encrypted value and each missing secret."""
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    warnings: list[str] = []
    for key, value in config.items():
        encrypted: list[str] = []
        values[key] = _replace_encrypted(value, key.partition(":")[2], encrypted)
        if encrypted:
            secret_keys.add(key)
            warnings += [f"{path} is encrypted. This preview uses a placeholder." for path in encrypted]
    for secret in SECRETS:  # for example `voiceQa.guestIdKey`
        section, _, name = secret.partition(".")
        mapping = values.get(f"{project}:{section}")
        if isinstance(mapping, dict) and name not in mapping and mapping.get("enabled") is not False:
            mapping[name] = PLACEHOLDER
            secret_keys.add(f"{project}:{section}")
            warnings.append(f"{secret} is not set. This preview uses a placeholder.")
    try:
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    except TypeError as error:
        raise StackFileError(
            f"Pulumi.yaml or Pulumi.{stack}.yaml contains a value that JSON cannot represent: {error}"
        ) from error
    return StackConfig(
        project=project, stack=stack, values=texts, secret_keys=frozenset(secret_keys), warnings=tuple(warnings)
    )


def _replace_encrypted(value: Any, path: str, encrypted_paths: list[str]) -> Any:
    """Return a copy with the placeholder for each encrypted value (`{secure: …}`). Add their paths to the list."""
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            encrypted_paths.append(path)
            return PLACEHOLDER
        return {key: _replace_encrypted(inner, f"{path}.{key}", encrypted_paths) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replace_encrypted(inner, f"{path}[{index}]", encrypted_paths) for index, inner in enumerate(value)]
    return value

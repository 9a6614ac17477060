"""Reader of stack files, which follows the rules of the Pulumi CLI: project defaults first, then the stack's values.

Structured values become JSON, as the CLI passes them to a program. Encrypted values and missing secrets become a
placeholder, with a warning, so every stack can be previewed on a clean clone. The program itself has no placeholders
and rejects a missing secret.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from components.settings.error_messages import find_secret_paths, format_location
from components.settings.stack import StackSettings
from local import ROOT, CannotRun
from local.preview.pulumi_yaml_loaders import CliYamlLoader, TextYamlLoader

PLACEHOLDER = "placeholder-for-a-secret-that-only-a-deployment-has"
"""Replaces a secret that is encrypted or missing. It is long enough for every secret setting."""


class StackFileError(CannotRun):
    """The stack does not exist, or its file cannot be read."""


@dataclass(frozen=True)
class StackConfig:
    """Configuration of a stack in the form that Pulumi passes to a program."""

    project: str
    """Name of the project."""
    stack: str
    """Name of the stack."""
    values: Mapping[str, str]
    """Text or JSON by key, for example `polyphony:ingestion`."""
    secret_keys: frozenset[str] = frozenset()
    """Keys of values that contain a secret."""
    warnings: tuple[str, ...] = ()
    """One sentence for each placeholder."""


def list_stacks(root: Path = ROOT) -> list[str]:
    """Return the names of the stacks that have a file."""
    return sorted(path.name.removeprefix("Pulumi.").removesuffix(".yaml") for path in root.glob("Pulumi.*.yaml"))


def read_stack(stack: str, root: Path = ROOT) -> StackConfig:
    """Return the configuration of one stack. Raise StackFileError if its file is missing or invalid."""
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
    # The CLI keeps every unstructured value as text, also one that looks like a number. So the file is read twice.
    texts = _load_yaml(path, TextYamlLoader)["config"] if config_section else {}
    config = _list_project_values(project.get("config") or {}, project_name)
    for (key, text), value in zip(texts.items(), config_section.values(), strict=True):
        config_value = value if isinstance(value, dict | list) else "" if value is None else text
        config[key if ":" in key else f"{project_name}:{key}"] = config_value
    return _with_placeholders(project_name, stack, config)


def _load_yaml(path: Path, loader: type[yaml.SafeLoader] = CliYamlLoader) -> dict[str, Any]:
    try:
        loaded = yaml.load(path.read_text(encoding="utf-8"), loader)  # noqa: S506 - both are safe loaders
    except (yaml.YAMLError, ValueError) as error:  # ValueError: invalid UTF-8, or a value that its tag does not allow
        raise StackFileError(f"{path.name} is not valid YAML: {error}") from error
    if not isinstance(loaded, dict):
        raise StackFileError(f"{path.name} must contain a mapping, but it contains a {type(loaded).__name__}.")
    return loaded


def _list_project_values(declared: Mapping[str, Any], project: str) -> dict[str, Any]:
    """Return the project file's values. A declaration that is a mapping gives its `value`, or else its `default`.

    The CLI permits `value` only for keys of other namespaces, for example `aws:region`.
    """
    values: dict[str, Any] = {}
    for key, declaration in declared.items():
        is_schema = isinstance(declaration, dict)
        value = declaration.get("value", declaration.get("default")) if is_schema else declaration
        if value is not None:
            values[key if ":" in key else f"{project}:{key}"] = value
    return values


def _with_placeholders(project: str, stack: str, config: Mapping[str, Any]) -> StackConfig:
    """Return the configuration with the placeholder for encrypted values and missing secrets."""
    values: dict[str, Any] = {}
    secret_keys: set[str] = set()
    warnings: list[str] = []
    for key, value in config.items():
        encrypted: list[str] = []
        values[key] = _without_ciphertext(value, key.partition(":")[2], encrypted)
        if encrypted:
            secret_keys.add(key)
            warnings += [f"{path} is encrypted. This preview uses a placeholder." for path in encrypted]
    for location in find_secret_paths(StackSettings):
        section = f"{project}:{location[0]}"
        if _set_missing_secret(values, section, [str(part) for part in location[1:]]):
            secret_keys.add(section)
            warnings.append(f"{format_location(location)} is not set. This preview uses a placeholder.")
    try:
        texts = {key: value if isinstance(value, str) else json.dumps(value) for key, value in values.items()}
    except TypeError as error:
        raise StackFileError(f"Pulumi.{stack}.yaml contains a value that JSON cannot represent: {error}") from error
    return StackConfig(
        project=project,
        stack=stack,
        values=texts,
        secret_keys=frozenset(secret_keys),
        warnings=tuple(warnings),
    )


def _without_ciphertext(value: Any, path: str, encrypted_paths: list[str]) -> Any:
    """Return a copy with the placeholder for every `secure:` value.

    Add the paths of these values to `encrypted_paths`.
    """
    if isinstance(value, dict):
        if set(value) == {"secure"}:
            encrypted_paths.append(path)
            return PLACEHOLDER
        return {key: _without_ciphertext(inner, f"{path}.{key}", encrypted_paths) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_ciphertext(inner, f"{path}[{index}]", encrypted_paths) for index, inner in enumerate(value)]
    return value


def _set_missing_secret(values: dict[str, Any], section: str, path: list[str]) -> bool:
    """Set the placeholder for a secret that is missing in an existing section. Return True if it was set."""
    mapping: Any = values.get(section)
    for part in path[:-1]:
        if not isinstance(mapping, dict):
            return False
        mapping = mapping.get(part)
    if not isinstance(mapping, dict) or path[-1] in mapping:
        return False
    mapping[path[-1]] = PLACEHOLDER
    return True

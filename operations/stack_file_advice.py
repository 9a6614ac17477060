"""What to write into the stack file, so that the next deployment agrees with what was done by hand.

The settings' own models say where a setting stands.
"""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from components.settings.problems import list_problems
from components.settings.settings_base import FunctionSettings
from components.settings.stack import StackSettings
from operations.function_target import PROJECT, Target

Path = tuple[str, ...]


class Setting(NamedTuple):
    """Where a setting stands, and whether it has many values: a variable has them with commas between."""

    path: Path
    many: bool = False


NO_VARIABLES = frozenset({"alarms", "load"})
"""Sections of which no function is told: what rings, and what the cost is reckoned with."""


def live_version(target: Target, version: str) -> list[str]:
    """The lines that pin the alias to a version."""
    return [
        f"Commit this to Pulumi.{target.stack}.yaml, or the next deployment that publishes moves `live`:",
        *_lines(target, (*_section(target), "liveVersion"), _quoted(version)),
    ]


def variable(target: Target, name: str, value: str, version: str) -> list[str]:
    """The lines that make a deployment give the variable this value; a pinned version would keep callers from it."""
    key = to_camel(name.lower())
    setting = _setting(target, key)
    if setting is None:
        says = (
            f"No setting of {target.subsystem} is called {key}: find the one that {name} is made from and commit it to "
            f"Pulumi.{target.stack}.yaml, or the next deployment of this function undoes the change."
        )
        return [says]
    pinned = ".".join((*_section(target), "liveVersion"))
    return [
        f"Commit this to Pulumi.{target.stack}.yaml, or the next deployment of this function undoes the change:",
        *_lines(target, setting.path, _written(setting, value)),
        f"If `{pinned}` is set there, set it to {_quoted(version)} or remove it.",
    ]


def refusal(target: Target, name: str, value: str) -> str | None:
    """What the setting of the variable's name says against this value; none where it takes it, or there is no such."""
    setting = _setting(target, to_camel(name.lower()))
    if setting is None:
        return None
    location = (_key(target.subsystem), *setting.path)
    given = yaml.safe_load(_written(setting, value))
    for step in reversed(location):
        given = {step: given}
    try:
        StackSettings.model_validate(given)
    except ValidationError as error:
        # What else a stack file must have is not there.
        wrong = [one for one in error.errors(include_url=False) if one["loc"][: len(location)] == location]
        return next((problem.allowed for problem in list_problems(wrong, StackSettings, target.stack)), None)
    return None


def _lines(target: Target, path: Path, value: str) -> Iterator[str]:
    yield "config:"
    steps = [f"{PROJECT}:{_key(target.subsystem)}", *path]
    for depth, step in enumerate(steps, 1):
        yield f"{'  ' * depth}{step}:{f' {value}' if depth == len(steps) else ''}"


def _written(setting: Setting, value: str) -> str:
    """The value as a stack file has it."""
    return f"[{', '.join(_scalar(one) for one in value.split(','))}]" if setting.many else _scalar(value)


def _scalar(value: str) -> str:
    """The value as YAML reads it back: booleans and numbers bare, all else quoted."""
    return value if re.fullmatch(r"true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?", value) else _quoted(value)


def _quoted(text: str) -> str:
    return yaml.safe_dump(text, default_style='"', width=10**9).strip()


def _key(name: str) -> str:
    return to_camel(name.replace("-", "_"))


def _section(target: Target) -> Path:
    """Where the function's settings stand: below its name, or the end of it (`manifest-builder`: `builder`)."""
    words = target.what.split("-")
    names = [_key("-".join(words[start:])) for start in range(len(words))]
    functions = {
        field.alias
        for field in _subsystem(target).model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, FunctionSettings)
    }
    return (next((name for name in names if name in functions), names[0]),)


def _setting(target: Target, key: str) -> Setting | None:
    """The setting of that name: the function's own before the subsystem's; none if there is no such one."""
    section, settings = _section(target), _settings(_subsystem(target))
    found = [one for one in settings if one.path[-1] == key and one.path[0] not in NO_VARIABLES]
    own = [one for one in found if one.path[:1] == section] or found
    return own[0] if len(own) == 1 else None  # of several with one name, who knows which becomes the variable


def _subsystem(target: Target) -> type[BaseModel]:
    """Return the subsystem's settings; a model without fields if the settings do not have the subsystem."""
    models = {field.alias: field.annotation for field in StackSettings.model_fields.values()}
    found = models.get(_key(target.subsystem))
    return found if isinstance(found, type) and issubclass(found, BaseModel) else BaseModel


def _settings(model: type[BaseModel], prefix: Path = ()) -> Iterator[Setting]:
    """Every setting below a model."""
    for name, field in model.model_fields.items():
        path = (*prefix, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _settings(field.annotation, path)
        else:
            yield Setting(path, _many(field.annotation))


def _many(annotation: Any) -> bool:
    """Whether a setting is a list, or may be one."""
    origin = get_origin(annotation)
    return origin is tuple or (origin in {Union, UnionType} and any(_many(one) for one in get_args(annotation)))

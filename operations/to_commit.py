"""What to write into the stack file, so that the next deployment agrees with what was done by hand.

The settings' own models say where a setting stands. A subsystem that they do not have yet is answered by the rule that
subsystems follow: names in camelCase, a function's settings below its own name.
"""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from components.settings.base import FunctionSettings
from components.settings.problems import problems_of
from components.settings.stack import StackSettings
from operations.target import PROJECT, Target

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


def variable(target: Target, name: str, value: str, version: str, root: type[BaseModel] = StackSettings) -> list[str]:
    """The lines that make a deployment give the variable this value; a pinned version would keep callers from it."""
    key = to_camel(name.lower())
    setting = _setting(target, key, root)
    if setting is None:
        says = (
            f"No setting of {target.subsystem} is called {key}: find the one that {name} is made from and commit it to "
            f"Pulumi.{target.stack}.yaml, or the next deployment of this function undoes the change."
        )
        return [says]
    pinned = ".".join((*_section(target, root), "liveVersion"))
    return [
        f"Commit this to Pulumi.{target.stack}.yaml, or the next deployment of this function undoes the change:",
        *_lines(target, setting.path, _written(setting, value)),
        f"If `{pinned}` is set there, set it to {_quoted(version)} or remove it.",
    ]


def refusal(target: Target, name: str, value: str, root: type[BaseModel] = StackSettings) -> str | None:
    """What the setting of the variable's name says against this value; none where it takes it, or there is no such."""
    setting = _setting(target, to_camel(name.lower()), root)
    if setting is None:
        return None
    location = (_key(target.subsystem), *setting.path)
    given = yaml.safe_load(_written(setting, value))
    for step in reversed(location):
        given = {step: given}
    try:
        root.model_validate(given)
    except ValidationError as error:
        # What else a stack file must have is not there.
        wrong = [one for one in error.errors(include_url=False) if one["loc"][: len(location)] == location]
        return next((problem.allowed for problem in problems_of(wrong, root, target.stack)), None)
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


def _section(target: Target, root: type[BaseModel] = StackSettings) -> Path:
    """Where the function's settings stand: below its name, or the end of it (`manifest-builder`: `builder`)."""
    model = _subsystem(target, root)
    words = target.what.split("-")
    names = [_key("-".join(words[start:])) for start in range(len(words))]
    if model is not None:
        functions = {
            field.alias
            for field in model.model_fields.values()
            if isinstance(field.annotation, type) and issubclass(field.annotation, FunctionSettings)
        }
        return (next((name for name in names if name in functions), names[0]),)
    return (names[0],)


def _setting(target: Target, key: str, root: type[BaseModel]) -> Setting | None:
    """The setting of that name: the function's own before the subsystem's; none if there is no such one."""
    model = _subsystem(target, root)
    if model is None:
        return Setting((key,))
    section = _section(target, root)
    found = [one for one in _settings(model) if one.path[-1] == key and one.path[0] not in NO_VARIABLES]
    own = [one for one in found if one.path[:1] == section] or found
    return own[0] if len(own) == 1 else None  # of several with one name, who knows which becomes the variable


def _subsystem(target: Target, root: type[BaseModel]) -> type[BaseModel] | None:
    for field in root.model_fields.values():
        if field.alias == _key(target.subsystem) and isinstance(field.annotation, type):
            return field.annotation if issubclass(field.annotation, BaseModel) else None
    return None


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

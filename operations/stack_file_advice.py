"""Advice for the operator on what to write into the stack file (`Pulumi.<stack>.yaml`) after a manual change.

If nothing is written there, the next deployment undoes the change. The commands that change a function print the
advice.

Most environment variables are made from a setting of the same name (`MAX_FILES` from `maxFiles`). So this module
searches the settings models for the setting with a variable's name. Before a change of a variable,
`find_setting_problem` checks whether this setting accepts the new value.
"""

import re
from collections.abc import Iterator
from types import UnionType
from typing import Any, NamedTuple, Union, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel

from components.settings.error_messages import list_problems
from components.settings.settings_base import FunctionSettings
from components.settings.stack import StackSettings
from operations.function_target import PROJECT, FunctionTarget

SettingPath = tuple[str, ...]
"""Keys that lead to a setting. The first key is directly below the subsystem's key."""


class Setting(NamedTuple):
    """Path of a setting, and the kind of its value."""

    path: SettingPath
    is_list: bool = False
    """True if the setting is a list. In the environment variable, its values are separated by commas."""


NO_VARIABLES = frozenset({"alarms", "load"})
"""Sections whose settings never become environment variables: alarm thresholds, and the load for the cost model."""


def advise_live_version(target: FunctionTarget, version: str) -> list[str]:
    """Return advice on how to keep the alias `live`, which all callers use, at a version in later deployments."""
    return [
        f"Commit this to Pulumi.{target.stack}.yaml. Otherwise the next deployment that publishes a version moves `live`:",
        *_lines(target, (*_function_section(target), "liveVersion"), _quoted(version)),
    ]


def advise_variable(target: FunctionTarget, name: str, value: str, version: str) -> list[str]:
    """Return advice on how to make deployments set this variable.

    The advice mentions `liveVersion` too: if this setting pins an older version, the next deployment would give callers
    that version, which has the old value.
    """
    key = to_camel(name.lower())
    setting = _find_setting(target, key)
    if setting is None:
        advice = (
            f"{target.subsystem} has no setting {key}. Find the setting that {name} is made from and commit it to "
            f"Pulumi.{target.stack}.yaml. Otherwise the next deployment of this function undoes the change."
        )
        return [advice]
    pinned = ".".join((*_function_section(target), "liveVersion"))
    return [
        f"Commit this to Pulumi.{target.stack}.yaml. Otherwise the next deployment of this function undoes the change:",
        *_lines(target, setting.path, _to_yaml(setting, value)),
        f"If `{pinned}` is set there, set it to {_quoted(version)} or remove it.",
    ]


def find_setting_problem(target: FunctionTarget, name: str, value: str) -> str | None:
    """Return a description of the values that the variable's setting allows, if the setting rejects this value.

    Return None if it accepts the value, or if no setting has the variable's name.
    """
    setting = _find_setting(target, to_camel(name.lower()))
    if setting is None:
        return None
    location = (_to_key(target.subsystem), *setting.path)
    content = yaml.safe_load(_to_yaml(setting, value))
    for step in reversed(location):
        content = {step: content}
    try:
        StackSettings.model_validate(content)
    except ValidationError as error:
        # Errors about missing required settings are ignored.
        errors = [detail for detail in error.errors(include_url=False) if detail["loc"][: len(location)] == location]
        return next((problem.allowed for problem in list_problems(errors, StackSettings)), None)
    return None


def _lines(target: FunctionTarget, path: SettingPath, value: str) -> Iterator[str]:
    """Yield the lines of a stack file that contains only this setting."""
    yield "config:"
    steps = [f"{PROJECT}:{_to_key(target.subsystem)}", *path]
    for depth, step in enumerate(steps, 1):
        yield f"{'  ' * depth}{step}:{f' {value}' if depth == len(steps) else ''}"


def _to_yaml(setting: Setting, value: str) -> str:
    return f"[{', '.join(_scalar(part) for part in value.split(','))}]" if setting.is_list else _scalar(value)


def _scalar(value: str) -> str:
    """Return a value as a YAML scalar: booleans and numbers plain, everything else quoted."""
    return value if re.fullmatch(r"true|false|-?(0|[1-9][0-9]*)(\.[0-9]+)?", value) else _quoted(value)


def _quoted(text: str) -> str:
    """Return a text as a YAML string in double quotes."""
    return yaml.safe_dump(text, default_style='"', width=10**9).strip()


def _to_key(name: str) -> str:
    """Return the settings key of a subsystem or a function."""
    return to_camel(name.replace("-", "_"))


def _function_section(target: FunctionTarget) -> SettingPath:
    """Return the path of the section with the function's settings.

    The section has the function's name, or the last words of it: the settings of `manifest-builder` are in `builder`.
    """
    words = target.short_name.split("-")
    names = [_to_key("-".join(words[start:])) for start in range(len(words))]
    functions = {
        field.alias
        for field in _settings_model(target).model_fields.values()
        if isinstance(field.annotation, type) and issubclass(field.annotation, FunctionSettings)
    }
    return (next((name for name in names if name in functions), names[0]),)


def _find_setting(target: FunctionTarget, key: str) -> Setting | None:
    """Return the subsystem's setting with this name. If there are several, return that of the function's own section.

    Return None if there is no such setting, or if several remain, because the variable may be made from any of them.
    """
    section, settings = _function_section(target), _list_settings(_settings_model(target))
    matches = [setting for setting in settings if setting.path[-1] == key and setting.path[0] not in NO_VARIABLES]
    matches = [setting for setting in matches if setting.path[:1] == section] or matches
    return matches[0] if len(matches) == 1 else None


def _settings_model(target: FunctionTarget) -> type[BaseModel]:
    """Return the model of the subsystem's settings, or a model without fields for an unknown subsystem."""
    models = {field.alias: field.annotation for field in StackSettings.model_fields.values()}
    model = models.get(_to_key(target.subsystem))
    return model if isinstance(model, type) and issubclass(model, BaseModel) else BaseModel


def _list_settings(model: type[BaseModel], prefix: SettingPath = ()) -> Iterator[Setting]:
    """Yield all settings of a model, including nested ones."""
    for name, field in model.model_fields.items():
        path = (*prefix, field.alias or name)
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _list_settings(field.annotation, path)
        else:
            yield Setting(path, _is_list(field.annotation))


def _is_list(annotation: Any) -> bool:
    origin = get_origin(annotation)
    return origin is tuple or (
        origin in {Union, UnionType} and any(_is_list(argument) for argument in get_args(annotation))
    )

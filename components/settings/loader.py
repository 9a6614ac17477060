"""From a stack's raw configuration to its settings, or to one error that lists every problem.

The Pulumi CLI hands a program its configuration as strings, structured values as JSON. Where one value inside a
structure is a secret, the CLI treats the whole structure as secret; here only the field that the model types as a
secret stays one, so it makes no difference how the CLI marked the key.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping
from itertools import chain
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.settings.cross_section_checks import find_conflicts
from components.settings.problems import (
    Location,
    SettingsError,
    SettingsProblem,
    format_location,
    list_problems,
    validator_message,
)
from components.settings.stack import StackSettings

PROJECT = "polyphony"


def load_settings(config: Mapping[str, str], stack: str) -> StackSettings:
    """The settings that `config` (as in `PULUMI_CONFIG`) says, or a SettingsError with all that is wrong."""
    values, problems = _structured(config)
    settings: StackSettings | None = None
    try:
        settings = StackSettings.model_validate(values)
    except ValidationError as error:
        unreadable = {problem.key for problem in problems}
        details = [one for one in error.errors(include_url=False) if str(one["loc"][0]) not in unreadable]
        problems += list_problems(details, StackSettings, stack)
        problems += _hidden_by_what_is_wrong(values, stack)
    else:
        problems += find_conflicts(settings, stack)
    if problems or settings is None:
        raise SettingsError(stack, problems)
    return settings


def _structured(config: Mapping[str, str]) -> tuple[dict[str, Any], list[SettingsProblem]]:
    """The project's own keys, without their prefix, structured values parsed."""
    values: dict[str, Any] = {}
    problems: list[SettingsProblem] = []
    for name, raw in config.items():
        project, _, key = name.partition(":")
        if project != PROJECT:
            continue
        field = next((f for n, f in StackSettings.model_fields.items() if key == (f.alias or n)), None)
        if field is None or not raw.lstrip().startswith(("{", "[")):
            values[key] = raw
            continue
        try:
            values[key] = json.loads(raw)
        except json.JSONDecodeError as error:
            problems.append(
                SettingsProblem(key, None, f"is not valid JSON (line {error.lineno}, column {error.colno})")
            )
    return values, problems


def _hidden_by_what_is_wrong(values: Mapping[str, Any], stack: str) -> Iterator[SettingsProblem]:
    """What fields and sections say against each other, found even when some field is wrong.

    Pydantic runs no rule across fields when one field fails, and none after one that failed. So that a reader sees
    all problems at once, wrong fields are dropped (their defaults stand in) and the rules run on what remains, if
    anything usable does. What a rule says of a default that stands in is nothing that the reader wrote.
    """
    pruned: Any = values
    dropped: set[str] = set()
    for _ in range(20):  # each round drops what failed; a group has few rules, and a file few levels
        try:
            found = find_conflicts(StackSettings.model_validate(pruned), stack)
            yield from (one for one in found if not _within(one.key, dropped))
        except ValidationError as error:
            details = [one for one in error.errors(include_url=False) if one["type"] != "missing"]
            if not details:
                return
            if dropped:
                rules = [
                    one
                    for one in details
                    if one["type"] == "value_error" and not _named(dropped, validator_message(one))
                ]
                yield from list_problems(rules, StackSettings, stack)
            for location in chain.from_iterable(map(_wrong, details)):
                dropped.add(format_location(location))
                pruned = _without(pruned, location)
        else:
            return


def _within(key: str, groups: Collection[str]) -> bool:
    """Whether a key is one of these, or below one."""
    return any(key == group or key.startswith((f"{group}.", f"{group}[")) for group in groups)


def _wrong(error: ErrorDetails) -> list[Location]:
    """What is wrong by an error: of a group, where a rule of ours names fields of it, those."""
    location, given = error["loc"], error["input"]
    if error["type"] == "value_error" and isinstance(given, Mapping):
        return [(*location, field) for field in _named(given, validator_message(error))] or [location]
    return [location]


def _named(keys: Collection[str], message: str) -> list[str]:
    """Those of which a message speaks by their last name."""
    return [key for key in keys if re.search(rf"\b{re.escape(key.rpartition('.')[2])}\b", message)]


def _without(value: Any, location: tuple[int | str, ...]) -> Any:
    """A copy of a structure without what a location names."""
    if not location:
        return value
    head, *rest = location
    if isinstance(value, Mapping):
        if not rest:
            return {key: inner for key, inner in value.items() if key != head}
        return {key: _without(inner, tuple(rest)) if key == head else inner for key, inner in value.items()}
    if isinstance(value, list) and isinstance(head, int):
        if not rest:
            return [inner for index, inner in enumerate(value) if index != head]
        return [_without(inner, tuple(rest)) if index == head else inner for index, inner in enumerate(value)]
    return value

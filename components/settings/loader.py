"""Loader of a stack's settings. If the configuration is invalid, one error lists every problem.

The Pulumi CLI passes the configuration as strings, and structured values as JSON. If one value inside a structure is a
secret, the CLI marks the whole structure as secret. This marking is ignored: only the fields that the models declare as
secrets are treated as secrets.

A rule is a validator of a whole section, which compares its settings. The error message of a rule must contain the key
of each setting that the rule compares. From the message, the loader finds out which settings are wrong.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from difflib import get_close_matches
from functools import reduce
from itertools import chain
from operator import getitem
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.settings.cross_section_checks import find_conflicts
from components.settings.error_messages import (
    Location,
    SettingsError,
    SettingsProblem,
    format_location,
    get_validator_message,
    list_problems,
)
from components.settings.stack import StackSettings

PROJECT = "polyphony"
REGION_KEY = "aws:region"
MAX_PRUNING_ROUNDS = 20
"""Maximum number of validations in `_find_hidden_problems`. Each of them finds one violated rule in each section. A
section has few rules, so this is enough."""


def load_settings(config: Mapping[str, str], stack: str) -> StackSettings:
    """Return the settings of a stack. Raise SettingsError with all problems if the configuration is invalid.

    `config` has the form of the environment variable `PULUMI_CONFIG`: full keys with their values as strings.
    """
    values, problems = _parse_structures(config)
    problems += _check_region(config.get(REGION_KEY))
    settings: StackSettings | None = None
    try:
        settings = StackSettings.model_validate(values)
    except ValidationError as error:
        unparsed_keys = {problem.key for problem in problems}
        details = [detail for detail in error.errors(include_url=False) if str(detail["loc"][0]) not in unparsed_keys]
        problems += list_problems(details, StackSettings)
        problems += _find_hidden_problems(values, stack)
    else:
        problems += find_conflicts(settings, stack)
    if problems or settings is None:
        raise SettingsError(stack, problems)
    return settings


def _check_region(region: str | None) -> Iterator[SettingsProblem]:
    """Yield a problem if the AWS provider does not know the region.

    A stack file may lack the region. The provider then takes it from the environment of its process.
    """
    if region is None:
        return
    from pulumi_aws import Region  # noqa: PLC0415 - the import takes long, and few callers have a region

    regions = [known.value for known in Region]
    if region not in regions:
        closest = get_close_matches(region, regions, n=1)
        hint = f"did you mean {closest[0]}?" if closest else f"the AWS provider knows {', '.join(regions)}"
        yield SettingsProblem(REGION_KEY, region, f"is not a region of AWS; {hint}")


def _parse_structures(config: Mapping[str, str]) -> tuple[dict[str, Any], list[SettingsProblem]]:
    """Return the values of the keys below `polyphony:`, with structures parsed, and the problems of invalid JSON."""
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


def _find_hidden_problems(values: Mapping[str, Any], stack: str) -> Iterator[SettingsProblem]:
    """Yield the problems that the first validation could not find, because other values were invalid.

    Pydantic checks no rule of a section that has an invalid field, and stops at the first violated rule of a section.
    Conflicts between sections (`cross_section_checks.py`) are found only among valid settings. So this function
    validates in rounds, and drops the invalid values after each round. Round 0 repeats the validation whose errors the
    caller has listed. The rounds end when the values are valid, or when only required fields are missing.

    A dropped field has its default in the following rounds. A problem with such a field is not reported, because the
    user has not written the default.
    """
    pruned: Any = values
    dropped: set[str] = set()
    for round_number in range(MAX_PRUNING_ROUNDS):
        try:
            conflicts = find_conflicts(StackSettings.model_validate(pruned), stack)
            yield from (problem for problem in conflicts if not _is_within(problem.key, dropped))
        except ValidationError as error:
            details = [detail for detail in error.errors(include_url=False) if detail["type"] != "missing"]
            if not details:
                return
            if round_number > 0:  # the caller has listed the errors of round 0
                yield from list_problems(_select_rule_errors(details, dropped), StackSettings)
            for location in chain.from_iterable(map(_list_invalid_locations, details)):
                dropped.add(format_location(location))
                pruned = _copy_without(pruned, location)
        else:
            return


def _select_rule_errors(errors: Iterable[ErrorDetails], dropped: Collection[str]) -> list[ErrorDetails]:
    """Return the violations of rules that concern no dropped field.

    A rule whose message mentions a dropped field has compared the field's default, which the user has not written.
    """
    return [
        error
        for error in errors
        if error["type"] == "value_error" and not _find_mentioned_keys(dropped, get_validator_message(error))
    ]


def _is_within(key: str, parents: Collection[str]) -> bool:
    """Return True if a key is one of the parents, or below one of them."""
    return any(key == parent or key.startswith((f"{parent}.", f"{parent}[")) for parent in parents)


def _list_invalid_locations(error: ErrorDetails) -> list[Location]:
    """Return the locations of the values that an error concerns.

    For the violation of a rule, these are the fields that its message mentions. For any other error, or if the message
    mentions no field, it is the error's own location.
    """
    location, invalid_value = error["loc"], error["input"]
    if error["type"] == "value_error" and isinstance(invalid_value, Mapping):
        mentioned = _find_mentioned_keys(invalid_value, get_validator_message(error))
        return [(*location, field) for field in mentioned] or [location]
    return [location]


def _find_mentioned_keys(keys: Collection[str], message: str) -> list[str]:
    """Return the keys whose last part (after the last dot) occurs in a message as a word."""
    return [key for key in keys if re.search(rf"\b{re.escape(key.rpartition('.')[2])}\b", message)]


def _copy_without(values: Any, location: Location) -> Any:
    """Return a copy of a structure without the value at a location.

    If the invalid value is a default, the structure does not contain it. The copy is then unchanged.
    """
    copied = deepcopy(values)
    with suppress(LookupError, TypeError):
        parent: Any = reduce(getitem, location[:-1], copied)
        del parent[location[-1]]
    return copied

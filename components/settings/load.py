"""Loader of a stack's settings. If the configuration is invalid, one error lists all invalid keys.

The Pulumi CLI passes the configuration as strings, and structured values as JSON. If one value inside a structure is a
secret, the CLI marks the whole structure as secret. So a secret setting is in plain text if its section is not marked.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

from pulumi import RunError
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from components.settings.base import SettingsModel, find_section, show_value
from components.settings.cross_checks import find_conflicts, secret_command
from components.settings.stack import SECRETS, StackSettings
from handlers.common.json_models import to_rule

PROJECT = "polyphony"
NAMESPACES = (PROJECT, "aws", "pulumi")
"""Prefixes of keys in a stack file: the settings, those of the AWS provider, and those of Pulumi itself."""
REGION_KEY = "aws:region"


class SettingsError(RunError):
    """The configuration of a stack is invalid. The message has a line for each problem: key, value, and what is allowed.

    It is a `RunError`, so that the Pulumi CLI prints only the message, without a traceback.
    """

    def __init__(self, stack: str, problems: Sequence[str]) -> None:
        self.problems = sorted(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in self.problems)
        super().__init__(f"stack {stack} has {count} in its configuration:\n{lines}")


def load_settings(
    config: Mapping[str, str], stack: str, is_secret: Callable[[str], bool] = lambda _: True
) -> StackSettings:
    """Return the settings of a stack. Raise SettingsError with all problems if the configuration is invalid.

    `config` has the form of the environment variable `PULUMI_CONFIG`: full keys with their values as strings.
    `is_secret` returns True for a key that the CLI marks as secret. By default, secrets may be in plain text. Settings
    are compared with each other only if each of them is valid by itself.
    """
    values = {
        key.removeprefix(f"{PROJECT}:"): _parse(text) for key, text in config.items() if key.startswith(f"{PROJECT}:")
    }
    problems = [*_check_namespaces(config), *_check_region(config.get(REGION_KEY))]
    problems += _check_secrets(values, stack, is_secret)
    try:
        settings = StackSettings.model_validate(values)
    except ValidationError as error:
        problems += [_describe(detail) for detail in error.errors()]
    else:
        problems += find_conflicts(settings, stack)
        if not problems:
            return settings
    raise SettingsError(stack, problems)


def _parse(text: str) -> Any:
    """Return a structure from its JSON, and any other value unchanged. The settings model refuses invalid JSON."""
    with suppress(json.JSONDecodeError):
        if text.lstrip().startswith(("{", "[")):
            return json.loads(text)
    return text


def _check_namespaces(keys: Iterable[str]) -> Iterator[str]:
    """Yield a problem for each key that nothing reads, because its namespace is unknown."""
    for key in keys:
        namespace = key.partition(":")[0]
        if namespace not in NAMESPACES:
            yield f"{key}: the namespace {namespace} is unknown{_suggest(namespace, NAMESPACES)}"


def _check_region(region: str | None) -> Iterator[str]:
    """Yield a problem if the AWS provider does not know the region.

    A stack file may lack the region. The provider then takes it from the environment of its process.
    """
    if region is None:
        return
    from pulumi_aws import Region  # noqa: PLC0415 - the import takes long, and few callers have a region

    regions = [known.value for known in Region]
    if region not in regions:
        yield f"{REGION_KEY}: given {show_value(region)}; is not a region of AWS{_suggest(region, regions)}"


def _check_secrets(values: Mapping[str, Any], stack: str, is_secret: Callable[[str], bool]) -> Iterator[str]:
    """Yield a problem for each secret that the stack file has in plain text."""
    for key in SECRETS:
        section, _, name = key.partition(".")
        given = values.get(section)
        if isinstance(given, dict) and given.get(name) is not None and not is_secret(f"{PROJECT}:{section}"):
            yield f"{key}: is a secret, but in plain text; set a new value with: {secret_command(key, stack)}"


def _describe(detail: ErrorDetails) -> str:
    """Return the line for one of pydantic's errors, with the value given.

    A secret, a whole section, and the value of an unknown key, which may be a misspelt secret, are not repeated.
    """
    location, kind, message = detail["loc"], detail["type"], to_rule(detail["msg"].removeprefix("Value error, "))
    key = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location).removeprefix(".")
    if kind == "extra_forbidden":
        section = _find_model(location[:-1])
        names = [field.alias or name for name, field in section.model_fields.items()]
        return f"{key}: is not a setting{_suggest(str(location[-1]), names)}"
    if key in SECRETS:
        # Pydantic calls the characters of a secret items.
        return f"{key}: invalid secret: {message.replace(' items', ' characters')}"
    if kind in {"missing", "model_type"} or isinstance(detail["input"], dict):
        return f"{key}: {message}"
    return f"{key}: given {show_value(detail['input'])}; {message}"


def _suggest(given: str, known: Sequence[str]) -> str:
    """Return a clause with the known name that is most similar to the one given, or with all known names."""
    closest = get_close_matches(given, known)
    return f"; did you mean {closest[0]}?" if closest else f"; possible are {', '.join(sorted(known))}"


def _find_model(location: tuple[int | str, ...]) -> type[SettingsModel]:
    """Return the model of the section at a location."""
    model: type[SettingsModel] = StackSettings
    for part in location:
        fields = [field for field in model.model_fields.values() if field.alias == part]
        model = (find_section(fields[0]) if fields else None) or model
    return model

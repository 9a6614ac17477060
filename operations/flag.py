"""Command `flag`: change an environment variable of a function for all its callers without a deployment.

Callers use the alias `live`, which points to a published version. The environment of a published version cannot change,
so the command publishes a new version and moves the alias to it. Lambda can only publish `$LATEST`, so the command is
refused if `$LATEST` differs from the live version in its code, role, size or another variable.
"""

import argparse
import re
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pydantic import ValidationError

from handlers.common.environment import HandlerEnvironment
from operations.command import CommandContext, CommandFailed
from operations.lambda_versions import LiveFunction, Routing

SUMMARY = "change an environment variable of a function for the callers of `live`"
COMPARED = ("CodeSha256", "Layers", "Role", "MemorySize", "Timeout")
"""Fields that must be the same in `$LATEST` and in the live version, besides the environment."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("function", help="<subsystem>/<function>, for example transcription/audio-processor")
    parser.add_argument("assignment", metavar="KEY=VALUE", help="for example PARTIAL_RESULTS_ENABLED=false")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Set a variable for all callers of `live`."""
    function = LiveFunction(context, options.stack, options.function)
    name, value = _parse(options.assignment)
    alias = function.read_alias()
    function.refuse_during_rollout(alias)
    old_version = alias.version
    live, latest = function.read_configuration(old_version), function.read_configuration("$LATEST")
    environment = build_environment(function, live, latest, name, value)
    version = old_version
    if environment == read_variables(function, live):
        context.print_line(f"{function.name}: callers of version {version} already have {name}={value}")
    else:
        if environment != read_variables(function, latest):  # equal if an earlier run ended before it published
            latest = function.set_environment(environment, latest["RevisionId"])
        version = function.publish(latest, f"{name} changed by flag, otherwise {old_version}")
        function.move_alias(Routing(version), alias)
        context.print_line(f"{function.name}: {name}={value}; {Routing(version)}; before: version {old_version}")
        context.print_line(f"To undo: {function.alias_command(old_version)}")
    context.print_line(
        f"Commit the setting that {name} is made from to Pulumi.{function.stack}.yaml, too: the next deployment that changes "
        "this function can write the value of the settings. If `liveVersion` is set there for this function, set it to "
        f'"{version}" or remove it.'
    )
    return 0


def _parse(text: str) -> tuple[str, str]:
    """Parse `KEY=VALUE`. Errors do not repeat the text, because it may contain a secret."""
    name, _, value = text.partition("=")
    if not (value and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
        raise CommandFailed("The flag must be given as KEY=VALUE, for example PARTIAL_RESULTS_ENABLED=false.")
    return name, value


def read_variables(function: LiveFunction, configuration: Mapping[str, Any]) -> dict[str, str]:
    """Return the environment variables of a configuration. Raise CommandFailed if the operator may not decrypt them."""
    environment = configuration.get("Environment") or {}
    if environment.get("Error"):
        raise CommandFailed(
            f"These credentials cannot decrypt the environment of {function.name}. Use a role that allows kms:Decrypt."
        )
    return dict(environment.get("Variables") or {})


def build_environment(
    function: LiveFunction, live: Mapping[str, Any], latest: Mapping[str, Any], name: str, value: str
) -> dict[str, str]:
    """Return the live version's environment with the variable `name` changed to `value`.

    `live` and `latest` are the configurations of the live version and of `$LATEST`. Raise CommandFailed if the handler
    rejects the value, or if publishing `$LATEST` would change anything else.
    """
    old, newest = read_variables(function, live), read_variables(function, latest)
    if name not in old:
        names = ", ".join(sorted(old))
        raise CommandFailed(f"version {live['Version']} of {function.name} has no variable {name}, only: {names}.")
    if problem := find_model_problem(function, old, name, value):
        raise CommandFailed(f"{name} cannot have this value, because every call of the function would fail: {problem}")
    different = [key for key in COMPARED if live.get(key) != latest.get(key)]
    different += [key for key in sorted({*old, *newest} - {name}) if old.get(key) != newest.get(key)]
    if different:
        raise CommandFailed(
            f"$LATEST of {function.name} differs from the live version {live['Version']} in: {', '.join(different)}. "
            "Publishing it would change these for callers as well. Move the alias to another version, or deploy the change."
        )
    return {**old, name: value}


def find_model_problem(function: LiveFunction, current: Mapping[str, str], name: str, value: str) -> str | None:
    """Return why the handler's environment model rejects a new value. Return None if it accepts the value.

    The model is that of this version of the code. If it rejects even the current variables, the deployed handler is of
    another version. The model then proves nothing, so the result is None. The text does not contain the values.
    """
    model = find_environment_model(f"{function.subsystem}.{function.short_name}".replace("-", "_"))
    try:
        model.model_validate(dict(current))
    except ValidationError:
        return None
    try:
        model.model_validate({**current, name: value})
    except ValidationError as error:
        return str(error.errors()[0]["msg"])
    return None


def find_environment_model(folder: str) -> type[HandlerEnvironment]:
    """Return the model of a function's variables, which its handler imports. `folder` is its package below `handlers`."""
    try:
        module = import_module(f"handlers.{folder}.handler")
    except ModuleNotFoundError:
        raise CommandFailed(
            f"There is no function {folder} in this version of the code. Use the deployed one."
        ) from None
    classes = [found for found in vars(module).values() if isinstance(found, type)]
    [model] = [found for found in classes if issubclass(found, HandlerEnvironment)]
    return model

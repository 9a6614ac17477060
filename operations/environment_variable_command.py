"""Command `flag`: change one environment variable of a Lambda function for all its callers, without a deployment.

Callers use the alias `live`, which points to a published version. The environment of a published version cannot change,
so the command publishes a new version and moves the alias to it. Lambda can only publish `$LATEST`. The command is
refused if `$LATEST` differs from the live version in anything but this variable. Otherwise all callers would also get
the other changes, untested and perhaps during an incident.
"""

import argparse
import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from inspect import getmembers, isclass
from pathlib import Path

from pydantic import ValidationError

from handlers.common.environment import HandlerEnvironment
from operations import stack_file_advice
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed, ConcurrentChange, InvalidInput, UnknownOutcome
from operations.function_management_gateway import AliasRouting, FunctionConfiguration, LiveAlias
from operations.function_target import FunctionTarget
from operations.live_alias import (
    describe_routing,
    get_latest_configuration,
    get_live_alias,
    move_alias,
    refuse_during_rollout,
    wait_until_callable,
)

SUMMARY = "change one environment variable of a function for the callers of `live`"
HANDLERS = Path(__file__).resolve().parents[1] / "handlers"
UPDATE_SECONDS = 180.0
"""Maximum time of one update of `$LATEST`."""
NUMBER = r"-?[0-9]+(\.[0-9]+)?"
"""Pattern of a variable's value that is treated as a number."""


@dataclass(frozen=True)
class Assignment:
    name: str
    value: str

    @staticmethod
    def parse(text: str) -> "Assignment":
        """Parse `KEY=VALUE`. Errors do not repeat the text, because it may contain a secret."""
        name, equals, value = text.partition("=")
        if not (equals and value and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
            raise CommandFailed(
                "The flag must be given as KEY=VALUE, both not empty, for example PARTIAL_RESULTS_ENABLED=false."
            )
        return Assignment(name, value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    FunctionTarget.add_argument(parser)
    parser.add_argument("assignment", metavar="KEY=VALUE", help="for example PARTIAL_RESULTS_ENABLED=false")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Set the variable for all callers of `live`."""
    target, assignment = FunctionTarget.parse(options.stack, options.function), Assignment.parse(options.assignment)
    alias = get_live_alias(context, target)
    refuse_during_rollout(target, alias)
    live = context.gateway.get_configuration(target.function_name, alias.routing.version)
    latest = get_latest_configuration(context, target)
    new_environment = build_environment(live, latest, assignment, target)
    if latest.environment != new_environment or latest.update_status == "Failed":
        latest = _update_environment(context, target, latest, new_environment)
    version = live.version
    if live.environment == new_environment:
        context.print_line(
            f"{target.function_name}: callers of version {version} already have {assignment.name}={assignment.value}"
        )
    else:
        version = _publish(context, target, latest, assignment, alias)
        context.print_line(
            f"{target.function_name}: {assignment.name}={assignment.value}; {describe_routing(AliasRouting(version))}; before: version {live.version}"
        )
        context.print_line(f"To undo: {target.alias_command(live.version)}")
    for line in stack_file_advice.advise_variable(target, assignment.name, assignment.value, version):
        context.print_line(line)
    return 0


def build_environment(
    live: FunctionConfiguration, latest: FunctionConfiguration, assignment: Assignment, target: FunctionTarget
) -> Mapping[str, str]:
    """Return the live version's environment with one variable changed.

    Raises CommandFailed if the value is not acceptable, or if publishing would change anything else.
    """
    if live.environment is None or latest.environment is None:
        raise CommandFailed(
            f"These credentials cannot decrypt the environment of {target.function_name}, and changing one variable "
            "requires all of them. Use a role that allows kms:Decrypt with the function's key."
        )
    if latest.update_status == "InProgress":
        raise CommandFailed(
            f"{target.function_name}: an update is in progress, perhaps a deployment. Run the command again when it is done."
        )
    if assignment.name not in live.environment:
        close = difflib.get_close_matches(assignment.name.upper(), live.environment, n=1, cutoff=0.6)
        hint = f"Did you mean {close[0]}?" if close else f"Its variables are: {', '.join(sorted(live.environment))}."
        raise CommandFailed(
            f"version {live.version} of {target.function_name} has no variable {assignment.name}. {hint}"
        )
    _check_kind(assignment, live.environment[assignment.name])
    _check_accepted(assignment, live.environment, target)
    new_environment = {**live.environment, assignment.name: assignment.value}
    settings = {name for name, value in live.frozen_settings.items() if latest.frozen_settings[name] != value}
    old, new = live.environment, latest.environment
    variables = {name for name in {*old, *new} - {assignment.name} if old.get(name) != new.get(name)}
    if different := sorted(settings | variables):
        raise CommandFailed(
            f"$LATEST of {target.function_name} differs from the live version {live.version} in: {', '.join(different)}. "
            "Publishing it would change these for callers as well. Move the alias to another version, or deploy the change."
        )
    return new_environment


def _check_kind(assignment: Assignment, current: str) -> None:
    """Raise CommandFailed if a boolean or a number would become another type, because every call would then fail."""
    if current in {"true", "false"} and assignment.value not in {"true", "false"}:
        raise CommandFailed(f"{assignment.name} is a boolean: give true or false")
    if re.fullmatch(NUMBER, current) and not re.fullmatch(NUMBER, assignment.value):
        raise CommandFailed(f"{assignment.name} is a number: give a number, for example 0.85")


def _check_accepted(assignment: Assignment, current: Mapping[str, str], target: FunctionTarget) -> None:
    """Raise CommandFailed if the function does not accept the value, or the setting of the same name in the stack file.

    The operator commits the value to the stack file, so a value that the setting rejects would make the next deployment
    fail. If the setting also rejects the variable's current value, the two have different formats, and the setting is
    ignored.
    """
    problem = stack_file_advice.find_setting_problem(target, assignment.name, assignment.value)
    if problem and stack_file_advice.find_setting_problem(target, assignment.name, current[assignment.name]) is None:
        raise CommandFailed(f"{assignment.name} cannot have this value, {problem}")
    if problem := find_model_problem(target.subsystem, current, assignment.name, assignment.value):
        raise CommandFailed(
            f"{assignment.name} cannot have this value, because every call of the function would fail: {problem}"
        )


def find_model_problem(subsystem: str, current: Mapping[str, str], name: str, value: str) -> str | None:
    """Return why a function with these variables would fail with a new value, or None if it would not.

    The function's environment model (a `HandlerEnvironment`) is not known, so each model of the subsystem that accepts
    the current variables is tried.
    """
    for model in _list_models(subsystem.replace("-", "_")):
        if name in {field.alias for field in model.model_fields.values()} and _find_problem(model, current) is None:
            problem = _find_problem(model, {**current, name: value})
            if problem is not None:
                return problem
    return None


def _list_models(subsystem: str) -> Iterator[type[HandlerEnvironment]]:
    """Yield the environment models of all functions of a subsystem, given its folder in `handlers`."""
    for path in sorted((HANDLERS / subsystem).rglob("environment.py")):
        module = import_module(".".join(path.relative_to(HANDLERS.parent).with_suffix("").parts))
        for _, model in getmembers(module, isclass):
            if issubclass(model, HandlerEnvironment) and model.__module__ == module.__name__:
                yield model


def _find_problem(model: type[HandlerEnvironment], variables: Mapping[str, str]) -> str | None:
    """Return the first problem of the variables, or None. The text does not contain their values."""
    try:
        model.model_validate(dict(variables))
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return None


def _update_environment(
    context: CommandContext, target: FunctionTarget, latest: FunctionConfiguration, new_environment: Mapping[str, str]
) -> FunctionConfiguration:
    """Write the environment, wait for the end of the update, and return the configuration of `$LATEST`.

    The configuration is read after the end of the update, because Lambda gives it a new revision at that moment. With
    the revision of the update's response, `$LATEST` could not be published.
    """
    try:
        context.gateway.set_environment(target.function_name, new_environment, latest.revision)
    except InvalidInput:
        raise CommandFailed(
            f"Lambda does not accept the environment of {target.function_name} with this value. All variables together must "
            "not exceed 4096 bytes. Nothing was changed."
        ) from None
    except ConcurrentChange:
        raise ConcurrentChange(
            f"$LATEST of {target.function_name} was changed by another user meanwhile. Check it, then run the command again."
        ) from None
    updated = context.poll(lambda: _get_updated(context, target), UPDATE_SECONDS)
    if updated is None or updated.update_status == "Failed":
        problem = "is not finished" if updated is None else f"failed ({updated.reason})"
        raise CommandFailed(
            f"The update of $LATEST of {target.function_name} {problem}. Callers still have the old value. Run the command again."
        )
    if updated.environment != new_environment or updated.frozen_settings != latest.frozen_settings:
        raise ConcurrentChange(
            f"$LATEST of {target.function_name} was changed by another user meanwhile. Callers still have the old value."
        )
    return updated


def _get_updated(context: CommandContext, target: FunctionTarget) -> FunctionConfiguration | None:
    latest = get_latest_configuration(context, target)
    return None if latest.update_status == "InProgress" else latest


def _publish(
    context: CommandContext,
    target: FunctionTarget,
    latest: FunctionConfiguration,
    assignment: Assignment,
    alias: LiveAlias,
) -> str:
    """Publish `$LATEST`, move the alias to the new version, and return its number."""
    before = alias.routing.version
    try:
        version = context.gateway.publish(
            target.function_name, latest, f"{assignment.name} changed by flag, otherwise {before}"
        )
    except (ConcurrentChange, InvalidInput):
        raise ConcurrentChange(
            f"$LATEST of {target.function_name} was changed by another user meanwhile. Callers still use version {before}."
        ) from None
    except UnknownOutcome as error:
        raise UnknownOutcome(f"{error} Callers still use version {before}.") from None
    wait_until_callable(context, target, version)
    move_alias(context, target, AliasRouting(version), alias)
    return version

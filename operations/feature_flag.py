"""Changes one variable of a function for the callers of `live`, without a deployment.

A published version's environment is frozen, so the change is a new version. It must be the version that callers have
now with one variable changed and nothing else, therefore `$LATEST`, which is what gets published, has to be that
version in everything but this variable. Where it is not, this refuses: there is no way to publish the live version's
code again, and forcing it would hand untested code to all callers at the worst moment.
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
from operations.aws_gateway import Alias, Configuration, Routing
from operations.command_context import Desk, described, unshared
from operations.command_errors import Changed, Invalid, Refused, Unclear
from operations.function_target import Target

SUMMARY = "change one variable of a function for the callers of `live`"
HANDLERS = Path(__file__).resolve().parents[1] / "handlers"
UPDATE_SECONDS = 180.0
NUMBER = r"-?[0-9]+(\.[0-9]+)?"


@dataclass(frozen=True)
class Assignment:
    """One variable and the value it is to have."""

    name: str
    value: str

    @staticmethod
    def parse(text: str) -> "Assignment":
        """From `KEY=VALUE`. What was typed is not repeated: part of it may be a secret."""
        name, equals, value = text.partition("=")
        if not (equals and value and re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name)):
            raise Refused("a flag is given as KEY=VALUE, neither empty, as in PARTIAL_RESULTS_ENABLED=false")
        return Assignment(name, value)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    Target.add_argument(parser)
    parser.add_argument("assignment", metavar="KEY=VALUE", help="as in PARTIAL_RESULTS_ENABLED=false")


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Gives the variable its value for all callers."""
    target, flag = Target.of(options), Assignment.parse(options.assignment)
    alias = desk.live(target)
    unshared(target, alias)
    live = desk.gateway.configuration(target.function, alias.routing.version)
    latest = desk.latest(target)
    wanted = merged(live, latest, flag, target)
    if latest.environment != wanted or latest.update == "Failed":
        latest = _updated(desk, target, latest, wanted)
    version = live.version
    if live.environment == wanted:
        desk.say(f"{target.function}: callers of version {version} have {flag.name}={flag.value} already")
    else:
        version = _published(desk, target, latest, flag, alias)
        desk.say(f"{target.function}: {flag.name}={flag.value}; {described(Routing(version))}, before {live.version}")
        desk.say(f"Back: {target.command('alias', '--to', live.version)}")
    for line in stack_file_advice.variable(target, flag.name, flag.value, version):
        desk.say(line)
    return 0


def merged(live: Configuration, latest: Configuration, flag: Assignment, target: Target) -> Mapping[str, str]:
    """The live version's whole environment with one variable changed, if publishing it changes nothing else."""
    if live.environment is None or latest.environment is None:
        raise Refused(
            f"the environment of {target.function} cannot be decrypted by these credentials, and changing one variable "
            "needs them all: use a role that may kms:Decrypt with the function's key"
        )
    if latest.update == "InProgress":
        raise Refused(f"{target.function}: an update is under way, perhaps a deployment; run it again when it is done")
    if flag.name not in live.environment:
        close = difflib.get_close_matches(flag.name.upper(), live.environment, n=1, cutoff=0.6)
        hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(sorted(live.environment))}"
        raise Refused(f"version {live.version} of {target.function} has no variable {flag.name}; {hint}")
    _same_kind(flag, live.environment[flag.name])
    _taken(flag, live.environment, target)
    wanted = {**live.environment, flag.name: flag.value}
    if different := sorted([*_changed_shape(live, latest), *_changed_variables(live, latest, flag)]):
        raise Refused(
            f"$LATEST of {target.function} is not version {live.version}, which callers have: {', '.join(different)} "
            "differ, and publishing would give callers that as well; go back by alias instead, or deploy the change"
        )
    return wanted


def _same_kind(flag: Assignment, now: str) -> None:
    """A boolean stays one and a number stays one, or the handler would refuse its environment in every call."""
    if now in {"true", "false"} and flag.value not in {"true", "false"}:
        raise Refused(f"{flag.name} is a switch: give true or false")
    if re.fullmatch(NUMBER, now) and not re.fullmatch(NUMBER, flag.value):
        raise Refused(f"{flag.name} is a number: give one, such as 0.85")


def _taken(flag: Assignment, now: Mapping[str, str], target: Target) -> None:
    """The function must take the value, and so must the setting of its name, or the next deployment would not begin.

    A setting that refuses the present value too has another form than its variable, and says nothing of it.
    """
    refusal = stack_file_advice.refusal(target, flag.name, flag.value)
    if refusal and stack_file_advice.refusal(target, flag.name, now[flag.name]) is None:
        raise Refused(f"{flag.name} cannot have this value, {refusal}")
    if refusal := model_refusal(target.subsystem, now, flag.name, flag.value):
        raise Refused(f"{flag.name} cannot have this value, the function would refuse all of its calls: {refusal}")


def model_refusal(subsystem: str, now: Mapping[str, str], name: str, value: str) -> str | None:
    """Why a function of these variables would refuse them all with this value of one; none where it would not.

    Which of a subsystem's models is the function's own, the variables that it has now say.
    """
    for model in _models(subsystem.replace("-", "_")):
        if name in {field.alias for field in model.model_fields.values()} and _problem(model, now) is None:
            says = _problem(model, {**now, name: value})
            if says is not None:
                return says
    return None


def _models(subsystem: str) -> Iterator[type[HandlerEnvironment]]:
    for path in sorted((HANDLERS / subsystem).rglob("*environment.py")):
        module = import_module(".".join(("handlers", *path.relative_to(HANDLERS).with_suffix("").parts)))
        for _, found in getmembers(module, isclass):
            if issubclass(found, HandlerEnvironment) and found.__module__ == module.__name__:
                yield found


def _problem(model: type[HandlerEnvironment], variables: Mapping[str, str]) -> str | None:
    """What is wrong first, in words that repeat no value."""
    try:
        model.model_validate(dict(variables))
    except ValidationError as error:
        return str(error.errors(include_url=False, include_input=False)[0]["msg"])
    return None


def _changed_shape(live: Configuration, latest: Configuration) -> list[str]:
    return [name for name, value in live.shape.items() if latest.shape[name] != value]


def _changed_variables(live: Configuration, latest: Configuration, flag: Assignment) -> set[str]:
    mine, theirs = live.environment or {}, latest.environment or {}
    return {name for name in {*mine, *theirs} - {flag.name} if mine.get(name) != theirs.get(name)}


def _updated(desk: Desk, target: Target, latest: Configuration, wanted: Mapping[str, str]) -> Configuration:
    """Writes the environment and gives `$LATEST` as it is once that is done.

    Its revision is read then: the one that the update answers with is replaced when the update is done.
    """
    try:
        desk.gateway.set_environment(target.function, wanted, latest.revision)
    except Invalid:
        raise Refused(
            f"Lambda does not accept the environment of {target.function} with this value; all variables together may "
            "have 4096 bytes. Nothing was changed"
        ) from None
    except Changed:
        raise Changed(
            f"somebody else changed $LATEST of {target.function} meanwhile; look, then run it again"
        ) from None
    settled = desk.until(lambda: _settled(desk, target), UPDATE_SECONDS)
    if settled is None or settled.update == "Failed":
        how = "is not done" if settled is None else f"failed ({settled.reason})"
        raise Refused(
            f"the update of $LATEST of {target.function} {how}; callers still have what they had: run it again"
        )
    if settled.environment != wanted or settled.shape != latest.shape:
        raise Changed(f"somebody else changed $LATEST of {target.function} meanwhile; callers still have what they had")
    return settled


def _settled(desk: Desk, target: Target) -> Configuration | None:
    found = desk.latest(target)
    return None if found.update == "InProgress" else found


def _published(desk: Desk, target: Target, latest: Configuration, flag: Assignment, alias: Alias) -> str:
    """Publishes `$LATEST` and moves the alias to it."""
    before = alias.routing.version
    try:
        version = desk.gateway.publish(target.function, latest, f"{flag.name} changed by flag, otherwise {before}")
    except (Changed, Invalid):
        raise Changed(
            f"somebody else changed $LATEST of {target.function} meanwhile; callers still have version {before}"
        ) from None
    except Unclear as error:
        raise Unclear(f"{error}; callers still have version {before}") from None
    desk.callable_version(target, version)
    desk.point(target, Routing(version), alias)
    return version

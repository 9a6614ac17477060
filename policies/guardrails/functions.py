"""Which settings belong to a function: permissions, sources, aliases and asynchronous settings name it."""

from pulumi_policy.proxy import UnknownValueError

from guardrails.record import Judged, Stack
from guardrails.types import FUNCTION_ALIAS, FUNCTION_PERMISSION, SCHEDULE

SCHEDULER = "scheduler.amazonaws.com"


def concerns(one: Judged, function: Judged) -> bool:
    """Whether a setting names a function: by reference, by name, by ARN or by an alias."""
    key = "functionName" if one.has("functionName") else "function"
    if one.references.get(key):
        return function in one.references[key]
    return function.props.get("name") in str(one.props.get(key)).split(":")


def callers(function: Judged, stack: Stack) -> set[str]:
    """The services that may call a function: the Scheduler does so by a role of its own."""
    found = {str(one.props.get("principal")) for one in stack.of(FUNCTION_PERMISSION) if concerns(one, function)}
    if any(_calls(one, function) for one in stack.of(SCHEDULE)):
        found.add(SCHEDULER)
    return found


def _calls(schedule: Judged, function: Judged) -> bool:
    """By reference, the alias' too, or by ARN; one that is not known yet is of something that is referred to."""
    for one in schedule.references.get("target", ()):
        if one == function or (one.type == FUNCTION_ALIAS and concerns(one, function)):
            return True
    try:
        return function.props.get("name") in str(schedule.at("target", "arn")).split(":")
    except UnknownValueError:
        return False

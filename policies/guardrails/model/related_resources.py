"""Which resources belong to a bucket or to a function: AWS keeps their settings apart, and policies need them together."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import FUNCTION_ALIAS, FUNCTION_PERMISSION, SCHEDULE
from guardrails.pack.policy_kinds import Judged, Props, Stack

SCHEDULER = "scheduler.amazonaws.com"


def of_bucket(bucket: Judged, stack: Stack, kind: str) -> Iterator[Judged]:
    """The resources of one type that set something on a bucket."""
    for one in stack.of(kind):
        references = one.references.get("bucket", ())
        if bucket in references or (not references and one.props.get("bucket") == bucket.props.get("bucket")):
            yield one


def lifecycle_rules(configuration: Judged) -> list[Props]:
    """The rules that are in force."""
    return [rule for rule in configuration.props.get("rules") or () if rule.get("status") == "Enabled"]


def covers_all(rule: Props) -> bool:
    """Whether a lifecycle rule is for the whole bucket."""
    chosen = rule.get("filter") or {}
    return not any(chosen.get(key) for key in chosen) and not rule.get("prefix")


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

"""Which resources belong to a bucket or to a function: AWS keeps their settings apart, and policies need them together."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import FUNCTION_ALIAS, FUNCTION_PERMISSION, SCHEDULE
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack, Props

SCHEDULER = "scheduler.amazonaws.com"


def list_bucket_settings(bucket: CheckedResource, stack: CheckedStack, kind: str) -> Iterator[CheckedResource]:
    """The resources of one type that set something on a bucket."""
    for attachment in stack.list_resources(kind):
        references = attachment.references.get("bucket", ())
        if bucket in references or (not references and attachment.props.get("bucket") == bucket.props.get("bucket")):
            yield attachment


def list_enabled_rules(configuration: CheckedResource) -> list[Props]:
    """The rules that are in force."""
    return [rule for rule in configuration.props.get("rules") or () if rule.get("status") == "Enabled"]


def covers_whole_bucket(rule: Props) -> bool:
    """Whether a lifecycle rule is for the whole bucket."""
    chosen = rule.get("filter") or {}
    return not any(chosen.get(key) for key in chosen) and not rule.get("prefix")


def refers_to_function(resource: CheckedResource, function: CheckedResource) -> bool:
    """Whether a setting names a function: by reference, by name, by ARN or by an alias."""
    key = "functionName" if resource.has_property("functionName") else "function"
    if resource.references.get(key):
        return function in resource.references[key]
    return function.props.get("name") in str(resource.props.get(key)).split(":")


def find_calling_services(function: CheckedResource, stack: CheckedStack) -> set[str]:
    """The services that may call a function: the Scheduler does so by a role of its own."""
    found = {
        str(permission.props.get("principal"))
        for permission in stack.list_resources(FUNCTION_PERMISSION)
        if refers_to_function(permission, function)
    }
    if any(_calls(schedule, function) for schedule in stack.list_resources(SCHEDULE)):
        found.add(SCHEDULER)
    return found


def _calls(schedule: CheckedResource, function: CheckedResource) -> bool:
    """By reference, the alias' too, or by ARN; one that is not known yet is of something that is referred to."""
    for target in schedule.references.get("target", ()):
        if target == function or (target.type == FUNCTION_ALIAS and refers_to_function(target, function)):
            return True
    try:
        return function.props.get("name") in str(schedule.get_nested("target", "arn")).split(":")
    except UnknownValueError:
        return False

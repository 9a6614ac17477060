"""Lookup of the resources that configure a bucket, and of those that refer to a function or call it. The guardrails
check them together with the bucket or function.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import FUNCTION_ALIAS, FUNCTION_PERMISSION, SCHEDULE
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack

SCHEDULER = "scheduler.amazonaws.com"

Setting = TypeVar("Setting")


def is_configured(settings: Iterable[Setting], is_right: Callable[[Setting], object]) -> bool:
    """Return True if there is a setting, and all settings are right. If two resources configure the same thing, AWS may
    keep either setting, so one right setting is not enough.
    """
    values = list(settings)
    return bool(values) and all(map(is_right, values))


def list_bucket_settings(bucket: CheckedResource, stack: CheckedStack, resource_type: str) -> Iterator[CheckedResource]:
    """Yield the resources of one type that configure a bucket."""
    for attachment in stack.list_resources(resource_type):
        references = attachment.references.get("bucket", ())
        if bucket in references or (not references and attachment.props.get("bucket") == bucket.props.get("bucket")):
            yield attachment


def refers_to_function(resource: CheckedResource, function: CheckedResource) -> bool:
    """Return True if a resource refers to a function: by Pulumi reference, or by name, ARN or alias ARN."""
    key = "functionName" if resource.has_property("functionName") else "function"
    if resource.references.get(key):
        return function in resource.references[key]
    return function.props.get("name") in str(resource.props.get(key)).split(":")


def find_calling_services(function: CheckedResource, stack: CheckedStack) -> set[str]:
    """Return the service principals that may call a function. Schedules are searched for the function too, because
    EventBridge Scheduler calls with the schedule's role and needs no permission on the function.
    """
    services = {
        str(permission.props.get("principal"))
        for permission in stack.list_resources(FUNCTION_PERMISSION)
        if refers_to_function(permission, function)
    }
    if any(_schedule_targets_function(schedule, function) for schedule in stack.list_resources(SCHEDULE)):
        services.add(SCHEDULER)
    return services


def _schedule_targets_function(schedule: CheckedResource, function: CheckedResource) -> bool:
    """Return True if a schedule targets the function or its alias, by reference or by ARN. An unknown ARN comes from a
    referenced resource, so then only the references decide.
    """
    for target in schedule.references.get("target", ()):
        if target == function or (target.type == FUNCTION_ALIAS and refers_to_function(target, function)):
            return True
    try:
        return function.props.get("name") in str(schedule.get_nested("target", "arn")).split(":")
    except UnknownValueError:
        return False

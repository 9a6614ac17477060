"""Policies about roles: the permissions boundary, one role for each function, and callers."""

from collections.abc import Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails import resource_types as t
from guardrails.records import MANDATORY_EVERYWHERE, CheckedResource, CheckedStack, Group, PolicySet, Severity
from guardrails.rules.related import get_name, read_names
from guardrails.rules.requirement import describe

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)


@POLICIES.resource_policy(
    "iam-role-has-boundary",
    severity=Severity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every role has the stack's own permissions boundary, `boundary-<stack>`. A local stack needs none.",
    remedy="Set foundation.permissionsBoundary. The role block (components/blocks/iam.py) gives it to every role.",
    types={t.ROLE, t.PLATFORM},
    exceptions_allowed=False,
)
def _check_iam_role_has_boundary(resource: CheckedResource) -> Iterator[str]:
    """Check a role. A wrong setting is reported once, for the component of the whole stack."""
    expected = resource.context.permissions_boundary
    if resource.type == t.PLATFORM:
        name = f"boundary-{resource.context.stack}"
        if resource.context.environment != "local" and expected.rpartition("/")[2] != name:
            yield f"foundation.permissionsBoundary is {describe(expected or None)}, but must be this stack's own {name}."
    elif expected:
        boundary = str(resource.get("permissionsBoundary") or "")
        if not boundary.endswith(f":policy/{expected}"):
            yield f"permissionsBoundary is {describe(boundary or None)}, but must be {expected}."


@POLICIES.related_policy(
    "iam-one-role-per-function",
    types={t.FUNCTION},
    severity=Severity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every function has its own role.",
    remedy="Use the function block (components/blocks/function.py), which creates a role.",
    exceptions_allowed=False,
)
def _check_iam_one_role_per_function(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    roles = read_names(function, "role") & set(map(get_name, stack.list_resources(t.ROLE)))
    for other in stack.list_resources(t.FUNCTION):
        if other is not function and roles & read_names(other, "role"):
            yield f"The function shares its role with {other.name}, and so its permissions."


@POLICIES.resource_policy(
    "function-permission-source",
    types={t.FUNCTION_PERMISSION},
    severity=Severity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A service may call a function only for resources of this account.",
    remedy="Set sourceArn to an ARN of this account. If the ARN contains no account, also set sourceAccount.",
    exceptions_allowed=False,
)
def _check_function_permission_source(permission: CheckedResource) -> Iterator[str]:
    # The policy `value-allowed` refuses any other account than this one.
    if permission.get("sourceAccount"):
        return
    # An ARN that is not known yet is that of an API of this stack. The policy `names-of-stack` refuses any other.
    with suppress(UnknownValueError):
        if not permission.get("sourceArn"):
            yield f"{permission.get('principal')} may call the function for resources of other accounts."

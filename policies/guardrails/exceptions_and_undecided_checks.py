"""Guardrail policies about exceptions and about undecided checks.

An exception is an entry of `polyphony:exceptions` that excuses one resource from one policy until a date. The policies
report exceptions that are in force, and invalid exceptions.

The Platform component, which contains the whole stack, publishes the environment and the exceptions. The policies
compare both with the stack's configuration, from which the pack takes them.

An undecided check reads a value that AWS assigns only during the deployment. The last policy of the pack lists all of
these checks.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from guardrails import allowed_types_and_providers, cost, data_protection, least_privilege, reliability
from guardrails.model.resource_types import PLATFORM
from guardrails.pack.policy_kinds import (
    ADVISORY_EVERYWHERE,
    MANDATORY_EVERYWHERE,
    CheckedStack,
    Finding,
    Policy,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

CHECKING_POLICIES: tuple[Policy, ...] = (
    *least_privilege.POLICIES,
    *allowed_types_and_providers.POLICIES,
    *cost.POLICIES,
    *data_protection.POLICIES,
    *reliability.POLICIES,
)
"""All policies except those of this module. An exception may name any of these policies that is excusable."""
MAX_EXCEPTION_DAYS = 90
POLICIES = PolicySet(PolicyGroup.EXCEPTIONS)


@POLICIES.stack(
    "exceptions-in-force",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every run reports the exceptions that are in force.",
    remedy="Remove the exception from polyphony:exceptions as soon as the resource satisfies the policy.",
)
def _check_exceptions_in_force(stack: CheckedStack) -> Iterator[Finding]:
    by_name = {resource.name: resource.urn for resource in stack.resources}
    for entry in stack.context.exceptions:
        if entry.is_in_force(stack.context.today):
            yield Finding(
                f"Exception in force: {entry.resource} is not checked by {entry.policy} until "
                f"{entry.expires}. Reason: {entry.reason}",
                by_name.get(entry.resource, ""),
            )


@POLICIES.stack(
    "exceptions-in-order",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "Every exception names a policy of the pack that can be excused and a resource of the stack, has not expired, and "
        f"expires within {MAX_EXCEPTION_DAYS} days."
    ),
    remedy="Fix the resource and remove the exception, or correct or renew its entry in polyphony:exceptions.",
)
def _check_exceptions_in_order(stack: CheckedStack) -> Iterator[Finding]:
    policies = {policy.name: policy for policy in CHECKING_POLICIES}
    last_day = stack.context.today + timedelta(days=MAX_EXCEPTION_DAYS)
    resource_names = {resource.name for resource in stack.resources}
    for entry in stack.context.exceptions:
        subject = f"The exception for {entry.resource} from {entry.policy}"
        if not entry.is_in_force(stack.context.today):
            yield Finding(f"{subject} expired on {entry.expires}.")
        if entry.expires > last_day:
            yield Finding(f"{subject} expires on {entry.expires}, but the last day allowed today is {last_day}.")
        if entry.policy not in policies:
            yield Finding(f"{subject} names a policy that this pack does not have.")
        elif not policies[entry.policy].excusable:
            yield Finding(
                f"{subject} has no effect: no exception can excuse public data, foreign accounts or privilege escalation."
            )
        if entry.resource not in resource_names:
            yield Finding(f"{subject} names a resource that this stack does not have.")


@POLICIES.stack(
    "published-settings-agree",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The Platform component publishes the environment and the exceptions of the stack's configuration.",
    remedy="Pass the loaded settings to the Platform component unchanged (components/platform.py).",
)
def _check_published_settings_agree(stack: CheckedStack) -> Iterator[Finding]:
    context = stack.context
    for platform in stack.list_resources(PLATFORM):
        if platform.props["environment"] != context.environment:
            yield Finding(
                f"The Platform resource publishes environment {platform.props['environment']}, but the "
                f"stack's configuration has {context.environment}.",
                platform.urn,
            )
        published = {(entry["policy"], entry["resource"], entry["expires"]) for entry in platform.props["exceptions"]}
        if published != {(entry.policy, entry.resource, entry.expires.isoformat()) for entry in context.exceptions}:
            yield Finding(
                "The exceptions that the Platform resource publishes differ from polyphony:exceptions in "
                "the stack's configuration.",
                platform.urn,
            )


@POLICIES.stack(
    "checks-at-deployment",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every preview reports the resources that some policies can check only during the deployment.",
    remedy="",
)
def _check_checks_at_deployment(stack: CheckedStack) -> Iterator[Finding]:
    policies_by_resource: dict[str, set[str]] = defaultdict(set)
    for check in stack.undecided_checks:
        policies_by_resource[check.urn.rpartition("::")[2] or "the stack as a whole"].add(check.policy)
    resources_by_policies: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for resource, policies in sorted(policies_by_resource.items()):
        resources_by_policies[tuple(sorted(policies))].append(resource)
    if resources_by_policies:
        groups = "".join(
            f"\n- {', '.join(resources)}: {', '.join(policies)}"
            for policies, resources in sorted(resources_by_policies.items())
        )
        yield Finding(
            f"{len(stack.undecided_checks)} checks have no result yet, because they read values that AWS assigns during "
            "the deployment. The deployment runs each check when its value is known: a check of one resource before that "
            "resource is created, and a check of related resources at the end. A mandatory finding makes the deployment "
            f"fail. Resources, and the policies that check them during the deployment:{groups}"
        )

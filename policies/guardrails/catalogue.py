"""Every policy of the pack. Those about exceptions are here, because they know the names of all others.

Exceptions are reported in every run; one that has expired, or excuses nothing that exists, is a violation.
"""

from collections.abc import Iterator

from guardrails import cost, data_protection, least_privilege, reliability
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

EXCUSABLE_POLICIES: tuple[Policy, ...] = (
    *least_privilege.POLICIES,
    *cost.POLICIES,
    *data_protection.POLICIES,
    *reliability.POLICIES,
)
"""The policies that an exception may name."""
EXCEPTIONS = PolicySet(PolicyGroup.EXCEPTIONS)


@EXCEPTIONS.stack(
    "exceptions-in-force",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every exception in force is shown in every run.",
    remedy="Remove it from polyphony:exceptions as soon as it is no longer needed.",
)
def _check_exceptions_in_force(stack: CheckedStack) -> Iterator[Finding]:
    by_name = {resource.name: resource.urn for resource in stack.resources}
    for entry in stack.context.exceptions:
        if entry.is_in_force(stack.context.today):
            yield Finding(
                f"{entry.resource} may break {entry.policy} until {entry.expires}: {entry.reason}",
                by_name.get(entry.resource, ""),
            )


@EXCEPTIONS.stack(
    "exceptions-in-order",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An exception names a policy, a resource of this stack, and a day that has not passed.",
    remedy="Mend what it excused, or renew it with a reason in polyphony:exceptions.",
)
def _check_exceptions_in_order(stack: CheckedStack) -> Iterator[Finding]:
    known = {policy.name for policy in EXCUSABLE_POLICIES}
    names = {resource.name for resource in stack.resources}
    for entry in stack.context.exceptions:
        label = f"The exception of {entry.resource} from {entry.policy}"
        if not entry.is_in_force(stack.context.today):
            yield Finding(f"{label} expired on {entry.expires}.")
        if entry.policy not in known:
            yield Finding(f"{label} names no policy of this pack.")
        if entry.resource not in names:
            yield Finding(f"{label} names no resource of this stack.")


@EXCEPTIONS.stack(
    "published-settings-agree",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The program publishes the environment and exceptions that its configuration says.",
    remedy="Publish the loaded settings unchanged (components/platform.py).",
)
def _check_published_settings_agree(stack: CheckedStack) -> Iterator[Finding]:
    context = stack.context
    for platform in stack.list_resources(PLATFORM):
        if platform.props["environment"] != context.environment:
            yield Finding(
                f"The program says environment {platform.props['environment']}, its configuration "
                f"{context.environment}.",
                platform.urn,
            )
        published = {(w["policy"], w["resource"], w["expires"]) for w in platform.props["exceptions"]}
        if published != {(w.policy, w.resource, w.expires.isoformat()) for w in context.exceptions}:
            yield Finding("The exceptions that the program publishes are not those of its configuration.", platform.urn)


POLICIES: tuple[Policy, ...] = (*EXCUSABLE_POLICIES, *EXCEPTIONS)

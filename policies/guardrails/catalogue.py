"""Every policy of the pack. Those about exceptions are here, because they know the names of all others.

Exceptions are reported in every run; one that has expired, or excuses nothing that exists, is a violation.
"""

from collections.abc import Iterator

from guardrails import cost, data_protection, least_privilege, reliability
from guardrails.model.resource_types import PLATFORM
from guardrails.pack.policy_kinds import ALWAYS, NEVER_BLOCKS, Finding, Group, Policy, PolicySet, Severity, Stack

EXCUSABLE: tuple[Policy, ...] = (
    *least_privilege.POLICIES,
    *cost.POLICIES,
    *data_protection.POLICIES,
    *reliability.POLICIES,
)
"""The policies that an exception may name."""
EXCEPTIONS = PolicySet(Group.EXCEPTIONS)


@EXCEPTIONS.stack(
    "exceptions-in-force",
    severity=Severity.LOW,
    levels=NEVER_BLOCKS,
    description="Every exception in force is shown in every run.",
    remedy="Remove it from polyphony:exceptions as soon as it is no longer needed.",
)
def _in_force(stack: Stack) -> Iterator[Finding]:
    by_name = {one.name: one.urn for one in stack.resources}
    for one in stack.surroundings.waivers:
        if one.holds(stack.surroundings.today):
            yield Finding(
                f"{one.resource} may break {one.policy} until {one.expires}: {one.reason}",
                by_name.get(one.resource, ""),
            )


@EXCEPTIONS.stack(
    "exceptions-in-order",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="An exception names a policy, a resource of this stack, and a day that has not passed.",
    remedy="Mend what it excused, or renew it with a reason in polyphony:exceptions.",
)
def _in_order(stack: Stack) -> Iterator[Finding]:
    known = {policy.name for policy in EXCUSABLE}
    names = {one.name for one in stack.resources}
    for one in stack.surroundings.waivers:
        label = f"The exception of {one.resource} from {one.policy}"
        if not one.holds(stack.surroundings.today):
            yield Finding(f"{label} expired on {one.expires}.")
        if one.policy not in known:
            yield Finding(f"{label} names no policy of this pack.")
        if one.resource not in names:
            yield Finding(f"{label} names no resource of this stack.")


@EXCEPTIONS.stack(
    "published-settings-agree",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="The program publishes the environment and exceptions that its configuration says.",
    remedy="Publish the loaded settings unchanged (components/platform.py).",
)
def _agree(stack: Stack) -> Iterator[Finding]:
    surroundings = stack.surroundings
    for one in stack.of(PLATFORM):
        if one.props["environment"] != surroundings.environment:
            yield Finding(
                f"The program says environment {one.props['environment']}, its configuration "
                f"{surroundings.environment}.",
                one.urn,
            )
        published = {(w["policy"], w["resource"], w["expires"]) for w in one.props["exceptions"]}
        if published != {(w.policy, w.resource, w.expires.isoformat()) for w in surroundings.waivers}:
            yield Finding("The exceptions that the program publishes are not those of its configuration.", one.urn)


POLICIES: tuple[Policy, ...] = (*EXCUSABLE, *EXCEPTIONS)

"""Exceptions are reported in every run; one that has expired, or excuses nothing that exists, is a violation."""

from collections.abc import Iterator

from guardrails.record import ALWAYS, NEVER_BLOCKS, Finding, Group, Policy, Severity, Stack, StackPolicy
from guardrails.surroundings import Surroundings
from guardrails.types import PLATFORM


def policies(surroundings: Surroundings, known: frozenset[str]) -> tuple[Policy, ...]:
    """The policies about this stack's exceptions; `known` are the names that an exception may speak of."""

    def in_force(stack: Stack) -> Iterator[Finding]:
        by_name = {one.name: one.urn for one in stack.resources}
        for one in surroundings.waivers:
            if one.holds(surroundings.today):
                yield Finding(
                    f"{one.resource} may break {one.policy} until {one.expires}: {one.reason}",
                    by_name.get(one.resource, ""),
                )

    def in_order(stack: Stack) -> Iterator[Finding]:
        names = {one.name for one in stack.resources}
        for one in surroundings.waivers:
            label = f"The exception of {one.resource} from {one.policy}"
            if not one.holds(surroundings.today):
                yield Finding(f"{label} expired on {one.expires}.")
            if one.policy not in known:
                yield Finding(f"{label} names no policy of this pack.")
            if one.resource not in names:
                yield Finding(f"{label} names no resource of this stack.")

    def agree(stack: Stack) -> Iterator[Finding]:
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

    return (
        StackPolicy(
            name="exceptions-in-force",
            group=Group.EXCEPTIONS,
            severity=Severity.LOW,
            levels=NEVER_BLOCKS,
            description="Every exception in force is shown in every run.",
            remedy="Remove it from polyphony:exceptions as soon as it is no longer needed.",
            check=in_force,
        ),
        StackPolicy(
            name="exceptions-in-order",
            group=Group.EXCEPTIONS,
            severity=Severity.HIGH,
            levels=ALWAYS,
            description="An exception names a policy, a resource of this stack, and a day that has not passed.",
            remedy="Mend what it excused, or renew it with a reason in polyphony:exceptions.",
            check=in_order,
        ),
        StackPolicy(
            name="published-settings-agree",
            group=Group.EXCEPTIONS,
            severity=Severity.HIGH,
            levels=ALWAYS,
            description="The program publishes the environment and exceptions that its configuration says.",
            remedy="Publish the loaded settings unchanged (components/platform.py).",
            check=agree,
        ),
    )

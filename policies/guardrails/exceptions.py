"""Policies about exceptions, about checks that must wait for the deployment, and about the published settings: those
that the program runs with, and that its Platform component has as properties.

An exception is an entry of `polyphony:exceptions` in a stack file: until a date, one policy does not apply to one
resource.
"""

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta

from guardrails.records import (
    ADVISORY_EVERYWHERE,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Finding,
    Group,
    PolicySet,
    Severity,
)
from guardrails.resource_types import PLATFORM

POLICIES = PolicySet(Group.EXCEPTIONS)
MAX_DAYS = 90
"""Maximum number of days until an exception expires."""


@POLICIES.stack_policy(
    "exceptions-in-force",
    severity=Severity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every run reports the exceptions that are in force.",
    remedy="Remove the exception from polyphony:exceptions as soon as the resource satisfies the policy.",
)
def _check_exceptions_in_force(stack: CheckedStack) -> Iterator[Finding]:
    urns = {resource.name: resource.urn for resource in stack.resources}
    for entry in stack.context.exceptions:
        if stack.context.is_excepted(entry.policy, entry.resource):
            yield Finding(
                f"Exception in force: {entry.resource} is not checked by {entry.policy} until {entry.expires}. "
                f"Reason: {entry.reason}",
                urns.get(entry.resource, ""),
            )


@POLICIES.stack_policy(
    "exceptions-in-order",
    severity=Severity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "Every exception names a policy that can be excused and a resource of the stack, and ends within "
        f"{MAX_DAYS} days."
    ),
    remedy="Fix the resource and remove the exception, or correct its entry in polyphony:exceptions.",
)
def _check_exceptions_in_order(stack: CheckedStack) -> Iterator[Finding]:
    from guardrails.catalogue import CHECKING_POLICIES  # noqa: PLC0415 - the catalogue imports this module

    is_excusable = {policy.name: policy.exceptions_allowed for policy in CHECKING_POLICIES}
    today = stack.context.today
    last_day = today + timedelta(days=MAX_DAYS)
    names = {resource.name for resource in stack.resources}
    for entry in stack.context.exceptions:
        subject = f"The exception for {entry.resource} from {entry.policy}"
        if not today <= entry.expires <= last_day:
            yield Finding(
                f"{subject} expires on {entry.expires}. Today is {today}, and the last allowed day {last_day}."
            )
        if entry.policy not in is_excusable:
            yield Finding(f"{subject} names a policy that this pack does not have.")
        elif not is_excusable[entry.policy]:
            yield Finding(f"{subject} has no effect, because this policy allows no exceptions.")
        if entry.resource not in names:
            yield Finding(f"{subject} names a resource that this stack does not have.")


@POLICIES.resource_policy(
    "published-settings-agree",
    severity=Severity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="The program runs with the account, environment and exceptions of the stack's configuration.",
    remedy="Pass the loaded settings to the Platform component unchanged (components/platform.py).",
    types={PLATFORM},
    exceptions_allowed=False,
)
def _check_published_settings_agree(platform: CheckedResource) -> Iterator[str]:
    context = platform.context
    account, environment = platform.props["account"], platform.props["environment"]
    if context.accounts and account not in context.accounts:
        yield f"The program deploys to the account {account}, but aws:allowedAccountIds is {', '.join(sorted(context.accounts))}."
    if environment != context.environment:
        yield f"The program runs as {environment}, but the stack's configuration has {context.environment}."
    published = {(entry["policy"], entry["resource"], entry["expires"]) for entry in platform.props["exceptions"]}
    if published != {(entry.policy, entry.resource, entry.expires.isoformat()) for entry in context.exceptions}:
        yield "The exceptions of the program differ from polyphony:exceptions in the stack's configuration."


@POLICIES.stack_policy(
    "checks-at-deployment",
    severity=Severity.LOW,
    levels=ADVISORY_EVERYWHERE,
    description="Every preview reports the resources that some policies can check only during the deployment.",
    remedy="",
)
def _check_checks_at_deployment(stack: CheckedStack) -> Iterator[Finding]:
    policies: dict[str, set[str]] = defaultdict(set)
    for policy, names in stack.undecided.items():
        for name in names:
            policies[name].add(policy)
    if policies:
        lines = "".join(f"\n- {name}: {', '.join(sorted(policies[name]))}" for name in sorted(policies))
        yield Finding(
            "These checks have no result yet, because they read values that AWS assigns during the deployment. The "
            "deployment checks each resource before it is created, and related resources at the end. A mandatory "
            f"finding makes it fail. Resources and policies:{lines}"
        )

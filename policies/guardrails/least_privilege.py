"""Least privilege: roles may do what they need, on what they need it for."""

from collections.abc import Iterator

from guardrails.iam import resource_level, statements
from guardrails.record import ALWAYS, Group, Judged, ResourcePolicy, Severity

IDENTITY_POLICIES = frozenset({"aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"})


def _wildcard_actions(one: Judged) -> Iterator[str]:
    for statement in statements(one.props["policy"]):
        for action in statement.actions:
            if "*" in action and statement.effect == "Allow":
                yield f"It allows {action}."


def _star_resources(one: Judged) -> Iterator[str]:
    for statement in statements(one.props["policy"]):
        if statement.effect != "Allow" or "*" not in statement.resources:
            continue
        for action in statement.actions:
            if resource_level(action):
                yield f"It allows {action} on *."


POLICIES = (
    ResourcePolicy(
        name="iam-no-wildcard-action",
        group=Group.LEAST_PRIVILEGE,
        severity=Severity.HIGH,
        levels=ALWAYS,
        description="A role is allowed single actions, never a pattern of them.",
        remedy="Name each action that the code calls.",
        frameworks=("AWS FSBP IAM.21",),
        types=IDENTITY_POLICIES,
        check=_wildcard_actions,
    ),
    ResourcePolicy(
        name="iam-no-star-resource",
        group=Group.LEAST_PRIVILEGE,
        severity=Severity.HIGH,
        levels=ALWAYS,
        description="An action that can be limited to resources is limited to them.",
        remedy="Name the ARN: a block's grant() gives it.",
        types=IDENTITY_POLICIES,
        check=_star_resources,
    ),
)

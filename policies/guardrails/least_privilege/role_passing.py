"""Roles that are handed on: PassRole and AssumeRole name one role, and say for whom."""

from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import allowed
from guardrails.model.iam_documents import Statement
from guardrails.model.resource_types import IDENTITY_POLICIES
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, PolicySet, Severity

POLICIES = PolicySet(Group.LEAST_PRIVILEGE)

MEDIA_CONVERT = "mediaconvert.amazonaws.com"


def _passing(one: Judged) -> list[Statement]:
    return [statement for statement in allowed(one) if statement.does("iam:PassRole")]


@POLICIES.resource(
    "iam-pass-role-exact",
    severity=Severity.CRITICAL,
    levels=ALWAYS,
    description="PassRole names one role, without wildcard.",
    remedy="Name the ARN of the role that is passed.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _loose_passing(one: Judged) -> Iterator[str]:
    for statement in _passing(one):
        for resource in statement.resources:
            if "*" in resource or "?" in resource:
                yield f"It may pass {resource}."


@POLICIES.resource(
    "iam-pass-role-to-service",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="PassRole says which service the role is for.",
    remedy="Add a condition StringEquals on iam:PassedToService.",
    types=IDENTITY_POLICIES,
)
def _passing_to_anybody(one: Judged) -> Iterator[str]:
    for statement in _passing(one):
        services = statement.values("iam:PassedToService")
        if not services or not statement.narrowed_by("iam:PassedToService"):
            yield f"It may pass {', '.join(statement.resources)} to every service."
        for service in services:
            if "*" in service or not service.endswith(".amazonaws.com"):
                yield f"It may pass {', '.join(statement.resources)} to {service}, which is no single service."


@POLICIES.resource(
    "iam-assume-role-exact",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="AssumeRole names one role, without wildcard.",
    remedy="Name the ARN of the role that is assumed.",
    types=IDENTITY_POLICIES,
)
def _loose_assuming(one: Judged) -> Iterator[str]:
    for statement in allowed(one):
        for resource in statement.resources if statement.does("sts:AssumeRole") else ():
            if "*" in resource or ":role/" not in resource:
                yield f"It may assume {resource}."


@POLICIES.resource(
    "mediaconvert-job-has-role",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Who creates MediaConvert jobs may pass them their role, to MediaConvert only.",
    remedy="Grant iam:PassRole on the media role with iam:PassedToService mediaconvert.amazonaws.com beside it.",
    types=IDENTITY_POLICIES,
)
def _media_convert_without_role(one: Judged) -> Iterator[str]:
    creates = any(statement.does("mediaconvert:CreateJob") for statement in allowed(one))
    if creates and not any(MEDIA_CONVERT in statement.values("iam:PassedToService") for statement in _passing(one)):
        yield f"It creates MediaConvert jobs, but may not pass a role to {MEDIA_CONVERT}: every job would be refused."

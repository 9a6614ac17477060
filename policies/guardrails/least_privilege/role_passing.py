"""Roles that are handed on: PassRole and AssumeRole name one role, and say for whom."""

from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import list_allow_statements
from guardrails.model.iam_documents import Statement
from guardrails.model.resource_types import IDENTITY_POLICIES
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

MEDIA_CONVERT = "mediaconvert.amazonaws.com"


def _passing(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in list_allow_statements(resource) if statement.covers_action("iam:PassRole")]


@POLICIES.resource(
    "iam-pass-role-exact",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="PassRole names one role, without wildcard.",
    remedy="Name the ARN of the role that is passed.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_pass_role_exact(resource: CheckedResource) -> Iterator[str]:
    for statement in _passing(resource):
        for arn in statement.resources:
            if "*" in arn or "?" in arn:
                yield f"It may pass {arn}."


@POLICIES.resource(
    "iam-pass-role-to-service",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="PassRole says which service the role is for.",
    remedy="Add a condition StringEquals on iam:PassedToService.",
    types=IDENTITY_POLICIES,
)
def _check_iam_pass_role_to_service(resource: CheckedResource) -> Iterator[str]:
    for statement in _passing(resource):
        services = statement.condition_values("iam:PassedToService")
        if not services or not statement.is_narrowed_by("iam:PassedToService"):
            yield f"It may pass {', '.join(statement.resources)} to every service."
        for service in services:
            if "*" in service or not service.endswith(".amazonaws.com"):
                yield f"It may pass {', '.join(statement.resources)} to {service}, which is no single service."


@POLICIES.resource(
    "iam-assume-role-exact",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="AssumeRole names one role, without wildcard.",
    remedy="Name the ARN of the role that is assumed.",
    types=IDENTITY_POLICIES,
)
def _check_iam_assume_role_exact(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for arn in statement.resources if statement.covers_action("sts:AssumeRole") else ():
            if "*" in arn or ":role/" not in arn:
                yield f"It may assume {arn}."


@POLICIES.resource(
    "mediaconvert-job-has-role",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Who creates MediaConvert jobs may pass them their role, to MediaConvert only.",
    remedy="Grant iam:PassRole on the media role with iam:PassedToService mediaconvert.amazonaws.com beside it.",
    types=IDENTITY_POLICIES,
)
def _check_mediaconvert_job_has_role(resource: CheckedResource) -> Iterator[str]:
    creates = any(statement.covers_action("mediaconvert:CreateJob") for statement in list_allow_statements(resource))
    if creates and not any(
        MEDIA_CONVERT in statement.condition_values("iam:PassedToService") for statement in _passing(resource)
    ):
        yield f"It creates MediaConvert jobs, but may not pass a role to {MEDIA_CONVERT}: every job would be refused."

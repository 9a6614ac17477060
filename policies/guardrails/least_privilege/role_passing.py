"""Guardrail policies about iam:PassRole and sts:AssumeRole: statements must name exact roles, and PassRole also the
service. An IAM policy that allows mediaconvert:CreateJob must also allow passing a role to MediaConvert.
"""

from collections.abc import Iterator

from guardrails.model.iam_documents import Statement, is_exact_role_arn
from guardrails.model.resource_types import IDENTITY_POLICIES
from guardrails.model.role_statements import list_allow_statements
from guardrails.pack.policy_kinds import MANDATORY_EVERYWHERE, CheckedResource, PolicyGroup, PolicySet, PolicySeverity

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

MEDIA_CONVERT = "mediaconvert.amazonaws.com"
ASSUME_ACTIONS = ("sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity", "sts:AssumeRoot")
"""Actions that return the credentials of another identity."""


def _list_pass_role_statements(resource: CheckedResource) -> list[Statement]:
    return [statement for statement in list_allow_statements(resource) if statement.covers_action("iam:PassRole")]


@POLICIES.resource(
    "iam-pass-role-exact",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Statements with iam:PassRole name exact role ARNs, without wildcards.",
    remedy="Use the ARN of the role that is passed.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
    excusable=False,
)
def _check_iam_pass_role_exact(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_pass_role_statements(resource):
        for arn in statement.resources:
            if "*" in arn or "?" in arn:
                yield f"The IAM policy allows iam:PassRole on {arn}, which contains a wildcard."


@POLICIES.resource(
    "iam-pass-role-to-service",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Statements with iam:PassRole name the service that the role is passed to.",
    remedy="Add a StringEquals condition on iam:PassedToService.",
    types=IDENTITY_POLICIES,
)
def _check_iam_pass_role_to_service(resource: CheckedResource) -> Iterator[str]:
    for statement in _list_pass_role_statements(resource):
        grant = f"The IAM policy allows iam:PassRole on {', '.join(statement.resources)}"
        services = statement.condition_values("iam:PassedToService")
        if not services or not statement.is_narrowed_by("iam:PassedToService"):
            yield f"{grant} to every service."
        for service in services:
            if "*" in service or not service.endswith(".amazonaws.com"):
                yield f"{grant} to {service}, which is not one exact service."


@POLICIES.resource(
    "iam-assume-role-exact",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Statements with sts:AssumeRole or a similar action name exact role ARNs, without wildcards.",
    remedy="Use the ARN of the role that is assumed.",
    types=IDENTITY_POLICIES,
    excusable=False,
)
def _check_iam_assume_role_exact(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        for arn in statement.resources if statement.covers_action(*ASSUME_ACTIONS) else ():
            if not is_exact_role_arn(arn):
                yield f"The IAM policy allows {', '.join(statement.actions)} on {arn}, which is not the ARN of one role."


@POLICIES.resource(
    "mediaconvert-job-has-role",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="An IAM policy that allows mediaconvert:CreateJob also allows passing a role to MediaConvert.",
    remedy=(
        "Grant iam:PassRole on the role that the job uses, with the condition iam:PassedToService "
        "mediaconvert.amazonaws.com."
    ),
    types=IDENTITY_POLICIES,
)
def _check_mediaconvert_job_has_role(resource: CheckedResource) -> Iterator[str]:
    creates = any(statement.covers_action("mediaconvert:CreateJob") for statement in list_allow_statements(resource))
    if creates and not any(
        MEDIA_CONVERT in statement.condition_values("iam:PassedToService")
        for statement in _list_pass_role_statements(resource)
    ):
        yield (
            f"The IAM policy allows mediaconvert:CreateJob, but no iam:PassRole to {MEDIA_CONVERT}, so MediaConvert would "
            "refuse every job."
        )

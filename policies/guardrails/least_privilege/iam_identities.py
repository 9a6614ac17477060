"""Who may exist at all: roles with documents of their own; no managed policies, no users, no keys, none shared."""

from collections.abc import Iterator

from guardrails.least_privilege.effective_permissions import ATTACHMENTS, list_allow_statements, list_policy_arns
from guardrails.model.resource_types import ACCESS_KEY, FUNCTION, IDENTITY_POLICIES, ROLE, USER, USER_LOGIN_PROFILE
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

OF_AWS = ":iam::aws:policy/"
BROAD = ("AdministratorAccess", "PowerUserAccess", "FullAccess", "ReadOnlyAccess", "SystemAdministrator")


@POLICIES.resource(
    "iam-no-full-access-policy",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Nobody has an AWS-managed administrator, full-access or read-everything policy.",
    remedy="Give grants for what the code calls.",
    frameworks=("AWS FSBP IAM.1", "CIS AWS 3.0 1.16"),
    types=ATTACHMENTS | {ROLE},
)
def _check_iam_no_full_access_policy(resource: CheckedResource) -> Iterator[str]:
    for arn in list_policy_arns(resource):
        if OF_AWS in arn and any(word in arn for word in BROAD):
            yield f"It has {arn.rpartition('/')[2]}, which reaches far beyond this program."


@POLICIES.resource(
    "iam-no-managed-policy",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="No role has a policy that AWS manages, not even a small one.",
    remedy="Grant the few actions of it that are needed.",
    types=ATTACHMENTS | {ROLE},
)
def _check_iam_no_managed_policy(resource: CheckedResource) -> Iterator[str]:
    for arn in list_policy_arns(resource):
        if OF_AWS in arn and not any(word in arn for word in BROAD):
            yield f"It has {arn.rpartition('/')[2]}, which AWS widens without asking."


@POLICIES.resource(
    "iam-no-long-lived-credentials",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="There are no IAM users, access keys or passwords.",
    remedy="Let a role be assumed, by a service or by a federated identity.",
    frameworks=("AWS Well-Architected SEC02-BP02",),
    types={ACCESS_KEY, USER_LOGIN_PROFILE, USER},
)
def _check_iam_no_long_lived_credentials(resource: CheckedResource) -> Iterator[str]:
    what = {ACCESS_KEY: "an access key", USER_LOGIN_PROFILE: "a password", USER: "an IAM user"}[resource.type]
    yield f"It is {what}, which stays valid until somebody remembers it."


@POLICIES.relation(
    "iam-one-role-a-function",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every function has a role of its own.",
    remedy="Use the function block, which makes one.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types={FUNCTION},
)
def _check_iam_one_role_a_function(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    mine = _role_of(resource)
    others = [
        function.name
        for function in stack.list_resources(FUNCTION)
        if function.urn != resource.urn and mine and _role_of(function) == mine
    ]
    if others:
        yield f"It shares its role with {', '.join(others)}: each may do what the other needs."


def _role_of(function: CheckedResource) -> str:
    """Which role a function has; while its ARN is not known, the resource that it comes from tells."""
    references = function.references.get("role", ())
    return references[0].urn if references else str(function.props.get("role"))


@POLICIES.resource(
    "iam-metrics-in-namespace",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="PutMetricData, which has no resource level, is limited to a namespace.",
    remedy="Add a condition on cloudwatch:namespace.",
    types=IDENTITY_POLICIES,
)
def _check_iam_metrics_in_namespace(resource: CheckedResource) -> Iterator[str]:
    for statement in list_allow_statements(resource):
        if statement.covers_action("cloudwatch:PutMetricData") and not statement.is_narrowed_by("cloudwatch:namespace"):
            yield "It may write cloudwatch metrics into every namespace, AWS' own included."

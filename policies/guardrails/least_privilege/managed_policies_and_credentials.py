"""Guardrail policies against permissions and credentials that the program does not control: no AWS-managed policies, no
users, access keys or passwords, and no role that two functions share.
"""

from collections.abc import Iterator

from guardrails.model.resource_types import (
    ACCESS_KEY,
    FUNCTION,
    GROUP_POLICY_ATTACHMENT,
    GROUP_POLICY_ATTACHMENTS,
    POLICY_ATTACHMENT,
    ROLE,
    ROLE_POLICY_ATTACHMENT,
    ROLE_POLICY_ATTACHMENTS,
    USER,
    USER_LOGIN_PROFILE,
    USER_POLICY_ATTACHMENT,
    USER_POLICY_ATTACHMENTS,
)
from guardrails.model.role_statements import list_policy_arns
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

ATTACHMENTS = frozenset(
    {
        GROUP_POLICY_ATTACHMENT,
        GROUP_POLICY_ATTACHMENTS,
        POLICY_ATTACHMENT,
        ROLE_POLICY_ATTACHMENT,
        ROLE_POLICY_ATTACHMENTS,
        USER_POLICY_ATTACHMENT,
        USER_POLICY_ATTACHMENTS,
    }
)
"""Types of resources that attach managed policies to a role, user or group."""

AWS_MANAGED_POLICY = ":iam::aws:policy/"
"""Part of the ARN of every policy that AWS manages."""
BROAD_POLICY_WORDS = ("AdministratorAccess", "PowerUserAccess", "FullAccess", "ReadOnlyAccess", "SystemAdministrator")
"""Parts of the names of AWS-managed policies that allow far more than one program needs."""


@POLICIES.resource(
    "iam-no-full-access-policy",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="No identity has an AWS-managed policy with administrator, full or read-everything access.",
    remedy="Detach the policy and grant the actions that the code calls.",
    frameworks=("AWS FSBP IAM.1", "CIS AWS 3.0 1.16"),
    types=ATTACHMENTS | {ROLE},
    excusable=False,
)
def _check_iam_no_full_access_policy(resource: CheckedResource) -> Iterator[str]:
    for arn in list_policy_arns(resource):
        if AWS_MANAGED_POLICY in arn and any(word in arn for word in BROAD_POLICY_WORDS):
            yield f"The AWS-managed policy {arn.rpartition('/')[2]} allows far more than this program needs."


@POLICIES.resource(
    "iam-no-managed-policy",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="No identity has an AWS-managed policy, not even a narrow one.",
    remedy="Detach the policy and grant only the actions that are needed.",
    types=ATTACHMENTS | {ROLE},
)
def _check_iam_no_managed_policy(resource: CheckedResource) -> Iterator[str]:
    for arn in list_policy_arns(resource):
        # Broad policies are findings of iam-no-full-access-policy.
        if AWS_MANAGED_POLICY in arn and not any(word in arn for word in BROAD_POLICY_WORDS):
            yield f"AWS manages the attached policy {arn.rpartition('/')[2]} and can extend it at any time."


@POLICIES.resource(
    "iam-no-long-lived-credentials",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="The stack has no IAM users, access keys or passwords.",
    remedy="Use a role that a service or a federated identity assumes.",
    frameworks=("AWS Well-Architected SEC02-BP02",),
    types={ACCESS_KEY, USER_LOGIN_PROFILE, USER},
    excusable=False,
)
def _check_iam_no_long_lived_credentials(resource: CheckedResource) -> Iterator[str]:
    kind = {ACCESS_KEY: "an access key", USER_LOGIN_PROFILE: "a password", USER: "an IAM user"}[resource.type]
    yield f"This resource is {kind}, which stays valid until it is deleted. Long-lived credentials are not allowed."


@POLICIES.resource_in_stack(
    "iam-one-role-per-function",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every function has its own role.",
    remedy="Use the function block (components/blocks/compute/function.py), which creates a role.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types={FUNCTION},
)
def _check_iam_one_role_per_function(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    role = _get_role_identity(function)
    others = [
        other_function.name
        for other_function in stack.list_resources(FUNCTION)
        if other_function.urn != function.urn and role and _get_role_identity(other_function) == role
    ]
    if others:
        yield f"The function shares its role with {', '.join(others)}, and so its permissions."


def _get_role_identity(function: CheckedResource) -> str:
    """Return a text that is equal for functions with the same role: the role's URN if the function refers to the role
    resource, or else its ARN.
    """
    references = function.references.get("role", ())
    return references[0].urn if references else str(function.props.get("role"))

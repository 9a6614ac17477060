"""Guardrail policies that limit roles and IAM policy documents.

Roles must have the permissions boundary and short sessions. Managed policies that are attached to an identity must be
AWS's own or resources of this stack. A ForAllValues condition needs a Null condition that refuses requests without its
key. A wildcard in a resource's name must match only names of the stack.
"""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.least_privilege.managed_policies_and_credentials import ATTACHMENTS, AWS_MANAGED_POLICY
from guardrails.least_privilege.statement_policies import ACTIONS_ON_GENERATED_IDS
from guardrails.model.arn_parser import reaches_beyond_prefix
from guardrails.model.iam_documents import Statement, to_list
from guardrails.model.resource_types import (
    IDENTITY_POLICIES,
    MANAGED_POLICY,
    RESOURCE_POLICIES,
    ROLE,
)
from guardrails.model.role_statements import (
    POLICY_ARN_PROPERTIES,
    list_allow_statements,
    list_policy_arns,
    list_statements_and_trust,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

MAX_SESSION_SECONDS = 3600
"""Maximum length of a role's sessions."""
NAMES_OF_API_GATEWAY = ("log-group:/aws/apigateway/*", "log-group:API-Gateway-Execution-Logs_*")
"""Ends of the ARNs of log groups that API Gateway names after the API's generated id. The role of API Gateway writes to
all of these log groups:
https://docs.aws.amazon.com/apigateway/latest/developerguide/set-up-logging.html
"""


@POLICIES.resource(
    "iam-role-has-boundary",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Every role has the permissions boundary that the stack's settings name.",
    remedy="Use the role block (components/blocks/iam/role.py), which sets foundation.permissionsBoundary.",
    frameworks=("AWS Well-Architected SEC03-BP05",),
    types={ROLE},
    excusable=False,
)
def _check_iam_role_has_boundary(role: CheckedResource) -> Iterator[str]:
    expected = role.context.permissions_boundary
    if not expected:
        if role.context.environment != "local":
            yield "The stack's settings name no boundary (foundation.permissionsBoundary)."
        return
    boundary = str(role.props.get("permissionsBoundary") or "")
    if not boundary.endswith(f":policy/{expected}"):
        yield f"permissionsBoundary is {boundary or 'not set'}; the stack's settings name {expected}."


@POLICIES.resource(
    "iam-session-short",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=f"Sessions of a role end within {MAX_SESSION_SECONDS} seconds.",
    remedy="Remove maxSessionDuration. The default is one hour.",
    types={ROLE},
)
def _check_iam_session_short(role: CheckedResource) -> Iterator[str]:
    seconds = float(role.props.get("maxSessionDuration") or 3600)
    if seconds > MAX_SESSION_SECONDS:
        yield f"maxSessionDuration is {seconds:g} seconds; at most {MAX_SESSION_SECONDS} are allowed."


@POLICIES.resource_in_stack(
    "iam-managed-policy-of-stack",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A customer-managed policy that is attached to an identity is a resource of this stack.",
    remedy="Grant the actions with the role block, so that the policies of this pack check them.",
    types=ATTACHMENTS | {ROLE},
)
def _check_iam_managed_policy_of_stack(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if resource.type == ROLE and not stack.is_set_by_program(resource, "managedPolicyArns"):
        return
    policies = stack.list_resources(MANAGED_POLICY)
    names = {str(policy.props.get("name", policy.name)) for policy in policies}
    try:
        arns = list_policy_arns(resource)
    except UnknownValueError:
        if any(policy in resource.references.get(key, ()) for key in POLICY_ARN_PROPERTIES for policy in policies):
            return
        raise
    for arn in arns:
        if AWS_MANAGED_POLICY not in arn and arn.rpartition("/")[2] not in names:
            yield f"The attached policy {arn} is not a resource of this stack, so others can extend it at any time."


@POLICIES.resource(
    "iam-for-all-values-needs-key",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A condition with ForAllValues has a second condition that refuses requests without the key.",
    remedy='Add the condition "Null": {"<key>": "false"}, because ForAllValues is also met if the key is absent.',
    types=IDENTITY_POLICIES | RESOURCE_POLICIES,
)
def _check_iam_for_all_values_needs_key(resource: CheckedResource) -> Iterator[str]:
    for statement in list_statements_and_trust(resource):
        for key in _list_optional_keys(statement) if statement.is_allow else ():
            yield f"A ForAllValues condition compares {key}, and no Null condition refuses requests without this key."


def _list_optional_keys(statement: Statement) -> Iterator[str]:
    """Yield the keys that ForAllValues conditions compare, and that a request may lack."""
    required = {
        name.lower()
        for operator, keys in statement.conditions.items()
        for name, condition_values in keys.items()
        if operator.lower() == "null" and [str(value).lower() for value in to_list(condition_values)] == ["false"]
    }
    for operator, keys in statement.conditions.items():
        if operator.lower().startswith("forallvalues:"):
            yield from (name for name in keys if name.lower() not in required)


@POLICIES.resource(
    "iam-wildcard-within-stack",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A wildcard in a resource's name matches only names of this stack.",
    remedy="Put the stack's prefix, for example polyphony-prod-, before the first wildcard, or name the resource.",
    frameworks=("AWS Well-Architected SEC03-BP02",),
    types=IDENTITY_POLICIES,
)
def _check_iam_wildcard_within_stack(resource: CheckedResource) -> Iterator[str]:
    prefix = resource.context.name_prefix
    for statement in list_allow_statements(resource):
        if set(statement.actions) <= ACTIONS_ON_GENERATED_IDS:
            continue
        for arn in statement.resources:
            if arn != "*" and not arn.endswith(NAMES_OF_API_GATEWAY) and reaches_beyond_prefix(arn, prefix):
                yield f"The IAM policy allows {', '.join(statement.actions)} on {arn}, beyond the prefix {prefix}."

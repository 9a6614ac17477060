"""Guardrail policies about guests: browser users with unauthenticated Cognito credentials. Every internet user can
become a guest, so guests may call few services. Each guest may reach only S3 objects whose key, and DynamoDB items
whose partition key, contains the guest's own Cognito identity.
"""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import (
    KEY_REQUIRING_OPERATORS,
    Statement,
    matches_pattern,
    parse_statements,
    to_list,
)
from guardrails.model.resource_types import IDENTITY_POOL, IDENTITY_POOL_ROLES, ROLE
from guardrails.model.role_statements import list_all_role_statements
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.LEAST_PRIVILEGE)

OWN_ID = "${cognito-identity.amazonaws.com:sub}"
"""IAM policy variable that is replaced by the identity of the calling guest."""
LEADING_KEYS = "dynamodb:LeadingKeys"
"""Condition key with the partition keys of the items that a request uses."""
GUEST_SERVICES = ("dynamodb", "execute-api", "s3")
"""The services that Polyphony's web page calls directly with a guest's credentials. Cognito itself lets guests call
more services, but not Bedrock, Step Functions or EventBridge:
https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html
"""


def _is_guest(role: CheckedResource, stack: CheckedStack) -> bool:
    """Return True if a role is the guest role of an identity pool, by the pool's attachment or by the role's trust
    policy.
    """
    for attachment in stack.list_resources(IDENTITY_POOL_ROLES):
        if role in attachment.references.get("roles", ()):
            return True
        try:
            if str(attachment.get_nested("roles", "unauthenticated")).endswith(f":role/{role.props.get('name')}"):
                return True
        except UnknownValueError:
            continue
    try:
        trust = parse_statements(role.props.get("assumeRolePolicy"))
    except UnknownValueError:  # the pool's id is unknown; the attachments were checked above
        return False
    # The claim `amr` (authentication methods) of a guest's token is `unauthenticated`.
    amr_patterns = (
        pattern for statement in trust for pattern in statement.condition_values("cognito-identity.amazonaws.com:amr")
    )
    return any(matches_pattern("unauthenticated", pattern) for pattern in amr_patterns)


def _list_guest_statements(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    """Yield the Allow statements of a role; none if it is not a guest role."""
    if _is_guest(role, stack):
        yield from (statement for statement in list_all_role_statements(role, stack) if statement.is_allow)


def _list_service_statements(role: CheckedResource, stack: CheckedStack, service: str) -> Iterator[Statement]:
    """Yield the Allow statements of a guest role that have actions of a service."""
    for statement in _list_guest_statements(role, stack):
        if any(action.lower().startswith((f"{service}:", "*")) for action in statement.actions):
            yield statement


def _contains_own_id(pattern: str) -> bool:
    """Return True if a pattern contains the guest's identity, with no wildcard or other variable before it."""
    prefix, own_id, _ = pattern.partition(OWN_ID)
    return bool(own_id) and not any(wildcard in prefix for wildcard in "*?$")


@POLICIES.resource_in_stack(
    "guests-few-services",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool may call only S3, DynamoDB and execute-api.",
    remedy="Let a Lambda function make the call with its own role, and remove the action from the guest role.",
    types={ROLE},
    excusable=False,
)
def _check_guests_few_services(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _list_guest_statements(role, stack):
        for action in statement.actions:
            if action.partition(":")[0].lower() not in GUEST_SERVICES:
                yield (
                    f"The guest role allows {action}. Every internet user can become a guest, so only actions of "
                    f"{', '.join(GUEST_SERVICES)} are allowed."
                )


@POLICIES.resource_in_stack(
    "guests-own-objects-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool may reach only S3 objects below their own identity.",
    remedy=f"Put {OWN_ID} into the ARN, for example arn:aws:s3:::<bucket>/guests/{OWN_ID}/*, with no wildcard before it.",
    types={ROLE},
    excusable=False,
)
def _check_guests_own_objects_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _list_service_statements(role, stack, "s3"):
        actions = ", ".join(statement.actions)
        for arn in statement.resources:
            if not _contains_own_id(arn) and not _lists_own_objects_only(statement):
                yield f"The guest role allows {actions} on {arn}, which includes objects of other guests."


def _lists_own_objects_only(statement: Statement) -> bool:
    """Return True if the statement allows only ListBucket actions, limited to prefixes with the guest's identity. Only
    requests of these actions have a prefix that a condition can compare.
    """
    return all(action.lower().startswith("s3:listbucket") for action in statement.actions) and any(
        name.lower() == "s3:prefix" and all(_contains_own_id(str(value)) for value in to_list(condition_values))
        for operator in KEY_REQUIRING_OPERATORS
        for name, condition_values in statement.conditions.get(operator, {}).items()
    )


@POLICIES.resource_in_stack(
    "guests-own-items-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool may reach only DynamoDB items with their identity in the partition key.",
    remedy=f"Add the conditions ForAllValues with {LEADING_KEYS}: {OWN_ID}, and Null with {LEADING_KEYS}: false.",
    types={ROLE},
    excusable=False,
)
def _check_guests_own_items_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _list_service_statements(role, stack, "dynamodb"):
        keys = [
            value
            for operator in ("ForAllValues:StringLike", "ForAllValues:StringEquals")
            for value in to_list(statement.conditions.get(operator, {}).get(LEADING_KEYS, []))
        ]
        grant = f"The guest role allows {', '.join(statement.actions)} on {', '.join(statement.resources)}"
        if not keys or not all(_contains_own_id(key) for key in keys):
            yield f"{grant} without a condition that limits {LEADING_KEYS} to the guest's own identity."
        elif str(statement.conditions.get("Null", {}).get(LEADING_KEYS)).lower() != "false":
            yield f"{grant}. ForAllValues also matches a request without any key, and no Null condition refuses it."


@POLICIES.resource(
    "cognito-no-classic-flow",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Identity pools use only the enhanced flow, in which AWS limits the services that guests may call.",
    remedy="Set allowClassicFlow to false or remove it.",
    types={IDENTITY_POOL},
)
def _check_cognito_no_classic_flow(pool: CheckedResource) -> Iterator[str]:
    if pool.props.get("allowClassicFlow"):
        yield "allowClassicFlow is true, so AWS does not limit the services that guests may call."

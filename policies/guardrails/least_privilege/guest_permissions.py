"""Cognito guests: anybody on the internet. Each reaches what is his own, by prefix and by leading key."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.least_privilege.effective_permissions import list_role_statements
from guardrails.model.iam_documents import (
    KEY_REQUIRING_OPERATORS,
    Statement,
    matches_pattern,
    parse_statements,
    to_list,
)
from guardrails.model.resource_types import IDENTITY_POOL, IDENTITY_POOL_ROLES, ROLE
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
LEADING_KEYS = "dynamodb:LeadingKeys"
SERVICES = ("dynamodb", "execute-api", "s3")
"""What a page calls by itself. Cognito's own list for guests is longer, but has no Bedrock, Step Functions or EventBridge:
https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html"""


def _is_guest(role: CheckedResource, stack: CheckedStack) -> bool:
    """Whether a role is the one of an identity pool's guests: the pool says so, or its own trust policy."""
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
    except UnknownValueError:  # the pool's id; its attachment has spoken already
        return False
    kinds = (kind for statement in trust for kind in statement.condition_values("cognito-identity.amazonaws.com:amr"))
    return any(matches_pattern("unauthenticated", kind) for kind in kinds)


def _guest_rights(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    if _is_guest(role, stack):
        yield from (statement for statement in list_role_statements(role, stack) if statement.is_allow)


def _granted(role: CheckedResource, stack: CheckedStack, service: str) -> Iterator[Statement]:
    for statement in _guest_rights(role, stack):
        if any(action.lower().startswith((f"{service}:", "*")) for action in statement.actions):
            yield statement


def _is_own(pattern: str) -> bool:
    """Whether all that a pattern covers has the guest's identity in one and the same place."""
    before, own, _ = pattern.partition(OWN_ID)
    return bool(own) and not any(wildcard in before for wildcard in "*?")


@POLICIES.relation(
    "guests-few-services",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool call S3, DynamoDB and execute-api, and no other service.",
    remedy="Let a function do it for them, with a role of its own.",
    types={ROLE},
)
def _check_guests_few_services(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _guest_rights(role, stack):
        for action in statement.actions:
            if action.partition(":")[0].lower() not in SERVICES:
                yield f"Guests may {action}; they are anybody, and call {', '.join(SERVICES)} only."


@POLICIES.relation(
    "guests-own-objects-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool reach objects below their own identity only.",
    remedy=f"End the prefix of the ARN in {OWN_ID}.",
    types={ROLE},
)
def _check_guests_own_objects_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _granted(role, stack, "s3"):
        for resource in statement.resources:
            if not _is_own(resource) and not _lists_own(statement):
                yield f"Guests may {', '.join(statement.actions)} on {resource}, which is other guests' too."


def _lists_own(statement: Statement) -> bool:
    """Whether it only lists, and only below the guest's identity: no other request has a prefix to be compared."""
    return all(action.lower().startswith("s3:listbucket") for action in statement.actions) and any(
        name.lower() == "s3:prefix" and all(_is_own(str(value)) for value in to_list(given))
        for operator in KEY_REQUIRING_OPERATORS
        for name, given in statement.conditions.get(operator, {}).items()
    )


@POLICIES.relation(
    "guests-own-items-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="Guests of an identity pool reach items whose partition key is their own identity only.",
    remedy=f"Compare {LEADING_KEYS} by ForAllValues with {OWN_ID}, and add Null: false beside it.",
    types={ROLE},
)
def _check_guests_own_items_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    for statement in _granted(role, stack, "dynamodb"):
        keys = [
            value
            for operator in ("ForAllValues:StringLike", "ForAllValues:StringEquals")
            for value in to_list(statement.conditions.get(operator, {}).get(LEADING_KEYS, []))
        ]
        what = f"Guests may {', '.join(statement.actions)} on {', '.join(statement.resources)}"
        if not keys or not all(_is_own(key) for key in keys):
            yield f"{what} without {LEADING_KEYS} being their own identity."
        elif str(statement.conditions.get("Null", {}).get(LEADING_KEYS)).lower() != "false":
            yield f"{what}; ForAllValues also holds for a request without any key."


@POLICIES.resource(
    "cognito-no-classic-flow",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Identity pools hand out credentials by the enhanced flow only, which caps what guests may do.",
    remedy="Leave allowClassicFlow off.",
    types={IDENTITY_POOL},
)
def _check_cognito_no_classic_flow(pool: CheckedResource) -> Iterator[str]:
    if pool.props.get("allowClassicFlow"):
        yield "It has allowClassicFlow, which lifts the list of services that guests are capped to."

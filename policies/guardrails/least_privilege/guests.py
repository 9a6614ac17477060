"""Cognito guests: anybody on the internet. Each reaches what is his own, by prefix and by leading key."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.iam import Statement, listed, statements
from guardrails.least_privilege.escalation import documents_of
from guardrails.record import ALWAYS, Group, Judged, RelationPolicy, ResourcePolicy, Severity, Stack
from guardrails.types import IDENTITY_POOL, IDENTITY_POOL_ROLES, ROLE

OWN_ID = "${cognito-identity.amazonaws.com:sub}"
LEADING_KEYS = "dynamodb:LeadingKeys"


def _is_guest(role: Judged, stack: Stack) -> bool:
    """Whether a role is the one of an identity pool's guests: the pool says so, or its own trust policy."""
    for attachment in stack.of(IDENTITY_POOL_ROLES):
        if role in attachment.references.get("roles", ()):
            return True
        try:
            if f":role/{role.props.get('name')}" in str(attachment.at("roles", "unauthenticated")):
                return True
        except UnknownValueError:
            continue
    try:
        trust = statements(role.props.get("assumeRolePolicy"))
    except UnknownValueError:  # the pool's id; its attachment has spoken already
        return False
    return any("unauthenticated" in one.values("cognito-identity.amazonaws.com:amr") for one in trust)


def _granted(role: Judged, stack: Stack, service: str) -> Iterator[Statement]:
    for document in documents_of(role, stack) if _is_guest(role, stack) else ():
        for statement in statements(document.props.get("policy")):
            if statement.allows and any(action.startswith((f"{service}:", "*")) for action in statement.actions):
                yield statement


def _others_objects(role: Judged, stack: Stack) -> Iterator[str]:
    for statement in _granted(role, stack, "s3"):
        for resource in statement.resources:
            own_prefix = any(OWN_ID in prefix for prefix in statement.values("s3:prefix"))
            if OWN_ID not in resource and not own_prefix:
                yield f"Guests may {', '.join(statement.actions)} on {resource}, which is other guests' too."


def _others_items(role: Judged, stack: Stack) -> Iterator[str]:
    for statement in _granted(role, stack, "dynamodb"):
        keys = [
            value
            for operator in ("ForAllValues:StringLike", "ForAllValues:StringEquals")
            for value in listed(statement.conditions.get(operator, {}).get(LEADING_KEYS, []))
        ]
        what = f"Guests may {', '.join(statement.actions)} on {', '.join(statement.resources)}"
        if not keys or not all(OWN_ID in key for key in keys):
            yield f"{what} without {LEADING_KEYS} being their own identity."
        elif str(statement.conditions.get("Null", {}).get(LEADING_KEYS)).lower() != "false":
            yield f"{what}; ForAllValues also holds for a request without any key."


def _classic_flow(one: Judged) -> Iterator[str]:
    if one.props.get("allowClassicFlow"):
        yield "It has allowClassicFlow, which lifts the list of services that guests are capped to."


POLICIES = (
    RelationPolicy(
        name="guests-own-objects-only",
        group=Group.LEAST_PRIVILEGE,
        severity=Severity.CRITICAL,
        levels=ALWAYS,
        description="Guests of an identity pool reach objects below their own identity only.",
        remedy=f"End the prefix of the ARN in {OWN_ID}.",
        types=frozenset({ROLE}),
        check=_others_objects,
    ),
    RelationPolicy(
        name="guests-own-items-only",
        group=Group.LEAST_PRIVILEGE,
        severity=Severity.CRITICAL,
        levels=ALWAYS,
        description="Guests of an identity pool reach items whose partition key is their own identity only.",
        remedy=f"Compare {LEADING_KEYS} by ForAllValues with {OWN_ID}, and add Null: false beside it.",
        types=frozenset({ROLE}),
        check=_others_items,
    ),
    ResourcePolicy(
        name="cognito-no-classic-flow",
        group=Group.LEAST_PRIVILEGE,
        severity=Severity.HIGH,
        levels=ALWAYS,
        description="Identity pools hand out credentials by the enhanced flow only, which caps what guests may do.",
        remedy="Leave allowClassicFlow off.",
        types=frozenset({IDENTITY_POOL}),
        check=_classic_flow,
    ),
)

"""Policies about callers outside of AWS: guests and clients.

Guests are the identities of an identity pool, and every internet user can become one. Clients get credentials from the token
exchange, with a tag that names their user. So the roles of both have a list of actions, and reach only S3 objects and
DynamoDB items whose key contains the caller's own id.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from guardrails.iam_documents import SET_OPERATORS, Statement
from guardrails.records import MANDATORY_EVERYWHERE, CheckedResource, CheckedStack, Group, PolicySet, Severity
from guardrails.resource_types import IDENTITY_POOL, ROLE
from guardrails.rules.roles import list_allow_statements, list_trust

POLICIES = PolicySet(
    Group.LEAST_PRIVILEGE, severity=Severity.CRITICAL, levels=MANDATORY_EVERYWHERE, exceptions_allowed=False
)

GUEST_ID: Final = "${cognito-identity.amazonaws.com:sub}"
CLIENT_ID: Final = "${aws:PrincipalTag/user}"
"""IAM policy variables, which IAM replaces by the caller's own id. The form with a default (`${name, 'default'}`) is no own
id, because a caller without the id would get the default."""
GUEST_ACTIONS = frozenset({"dynamodb:GetItem", "dynamodb:PutItem", "execute-api:Invoke"})
"""Actions that the web page calls with a guest's credentials."""
CLIENT_ACTIONS = frozenset(
    {"dynamodb:GetItem", "dynamodb:Query", "s3:GetObject", "s3:ListBucket", "s3:PutObject"}
    | {"kms:Decrypt", "kms:DescribeKey"}
)
"""Actions that clients call with the credentials of the token exchange. DynamoDB calls KMS for them, if the setting
`tableKmsKey` names a key."""
OWN_ITEM = r"([^*?$]*[#/])?<id>([#/].*)?"
OWN_PREFIX = r"([^*?$]*/)?<id>/.*"
OWN_OBJECT = r"arn:aws:s3:::[^*?$/]+/" + OWN_PREFIX
"""Patterns of a partition key, an S3 prefix and an object's ARN that cover only data of the caller. `<id>` is one of the
variables above. No wildcard or other variable precedes it. Separators enclose it, because the id of another caller may
begin or end with it."""


def _is_for_clients(role: CheckedResource) -> bool:
    """Return True if another role may assume the role, as the token exchange does, or if its sessions may have tags."""
    return any(
        kind not in {"Service", "Federated"} or statement.covers_action("sts:TagSession")
        for statement, kind, _ in list_trust(role)
    )


def _find_other_data(statement: Statement, callers: str, actions: Collection[str], own_id: str) -> Iterator[str]:
    """Yield a message about each action that a statement allows but `actions` does not contain, and one if the statement
    reaches data without `own_id`. `callers` is the word for the callers in the messages.
    """
    lowered = {action.lower() for action in actions}
    others = ["all other actions" for element in statement.not_elements if element == "NotAction"]
    for action in [*others, *(action for action in statement.actions if action.lower() not in lowered)]:
        yield f"The role of {callers} allows {action}, but {callers} may call only {', '.join(sorted(actions))}."
    if not (_reaches_own_objects_only(statement, own_id) and _reaches_own_items_only(statement, own_id)):
        resources = ", ".join(statement.resources) or "all other resources"
        allowed = ", ".join(statement.actions) or "all other actions"
        yield f"The role of {callers} allows {allowed} on {resources}, which includes data of other {callers}."


def _uses(statement: Statement, service: str) -> bool:
    return any(action.lower().startswith((f"{service}:", "*")) for action in statement.actions)


def _reaches_own_objects_only(statement: Statement, own_id: str) -> bool:
    """Return True if a statement does not use S3, names only the caller's objects, or lists only their keys."""
    if not _uses(statement, "s3"):
        return True
    if {action.lower() for action in statement.actions} == {"s3:listbucket"}:
        return _are_own(statement.find_restriction("s3:prefix"), OWN_PREFIX, own_id)
    return _are_own(statement.resources, OWN_OBJECT, own_id)


def _reaches_own_items_only(statement: Statement, own_id: str) -> bool:
    """Return True if a statement does not use DynamoDB, or reaches only the caller's items. A request has a set of keys,
    which ForAllValues compares.
    """
    if not _uses(statement, "dynamodb"):
        return True
    return _are_own(statement.find_restriction("dynamodb:LeadingKeys", SET_OPERATORS), OWN_ITEM, own_id)


def _are_own(values: Iterable[str], pattern: str, own_id: str) -> bool:
    """Return True if there are values, and all match. Without a value, nothing restricts the statement."""
    expression = re.compile(pattern.replace("<id>", re.escape(own_id)), re.DOTALL)
    matches = [expression.fullmatch(value) is not None for value in values]
    return bool(matches) and all(matches)


@POLICIES.related_policy(
    "guests-own-data-only",
    description=(
        f"Identities of a pool of this stack may call only {', '.join(sorted(GUEST_ACTIONS))}, on data with their own id."
    ),
    remedy=(
        f"Put {GUEST_ID} between slashes into the ARN or s3:prefix. Compare dynamodb:LeadingKeys with {GUEST_ID}#* by "
        "ForAllValues:StringLike, and with false by Null. Let a function make other calls with its own role."
    ),
    types={ROLE},
)
def _check_guests_own_data_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    # The pool's id is unknown before the deployment, but the engine knows from which resource it comes.
    trusts_own_pool = any(each.type == IDENTITY_POOL for each in role.references.get("assumeRolePolicy", ()))
    if not trusts_own_pool:
        if not list_trust(role, "Federated"):
            return
        yield "The role trusts federated identities, but its trust policy has no id of an identity pool of this stack."
    for statement in list_allow_statements(role, stack):
        yield from _find_other_data(statement, "guests", GUEST_ACTIONS, GUEST_ID)


@POLICIES.related_policy(
    "clients-own-data-only",
    description="A role that another role assumes for a user allows only listed actions, on data of this user.",
    remedy=f"Put {CLIENT_ID} between separators into the ARN, s3:prefix or dynamodb:LeadingKeys, before any wildcard.",
    types={ROLE},
)
def _check_clients_own_data_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not _is_for_clients(role):
        return
    for statement in list_allow_statements(role, stack):
        yield from _find_other_data(statement, "clients", CLIENT_ACTIONS, CLIENT_ID)

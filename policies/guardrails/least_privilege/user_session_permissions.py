"""Guardrail policy about clients: callers that assume a role with a session tag, which names the user. Each client may
reach only S3 objects whose key, and DynamoDB items whose partition key, contains the value of this tag.
"""

import re
from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import KEY_REQUIRING_OPERATORS, Statement, parse_statements, to_list
from guardrails.model.resource_types import ROLE
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

OWN_TAG = re.compile(r"[^*?$]*\$\{aws:PrincipalTag/[\w.-]+\}")
"""Beginning of a pattern with the IAM policy variable that is replaced by a tag of the session, and with no wildcard or
other variable before it. A variable with a default value does not match, because a session without the tag gets the
default.
"""
LEADING_KEYS = "dynamodb:leadingkeys"
"""Name, in lower case, of the condition key that contains the partition keys of the items that a request uses."""
PREFIX = "s3:prefix"


@POLICIES.resource_in_stack(
    "clients-own-data-only",
    severity=PolicySeverity.CRITICAL,
    levels=MANDATORY_EVERYWHERE,
    description="A role whose sessions have the tag of a user may reach only S3 objects and DynamoDB items of this user.",
    remedy=(
        f"Put ${{aws:PrincipalTag/user}} into the ARN or into the condition on {PREFIX} or dynamodb:LeadingKeys, with no wildcard "
        "before it. If users need another service, let a Lambda function call it with the function's own role."
    ),
    types={ROLE},
    excusable=False,
)
def _check_clients_own_data_only(role: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not _is_for_clients(role):
        return
    for statement in list_all_role_statements(role, stack):
        if statement.is_allow and not _reaches_own_data_only(statement):
            yield (
                f"The role of clients allows {', '.join(statement.actions) or 'all other actions'} on "
                f"{', '.join(statement.resources) or 'all other resources'}, which includes data of other users."
            )


def _is_for_clients(role: CheckedResource) -> bool:
    """Return True if the trust policy allows sessions with tags."""
    try:
        trust = parse_statements(role.props.get("assumeRolePolicy"))
    except UnknownValueError:
        return False
    return any(statement.is_allow and statement.covers_action("sts:TagSession") for statement in trust)


def _reaches_own_data_only(statement: Statement) -> bool:
    actions = [action.lower() for action in statement.actions]
    if not actions or statement.not_elements:
        return False
    if all(action.startswith("dynamodb:") for action in actions):
        return _compares_own_tag(statement, LEADING_KEYS)
    if all(action.startswith("s3:list") for action in actions):
        return _compares_own_tag(statement, PREFIX)
    return all(action.startswith("s3:") for action in actions) and all(map(_contains_own_tag, statement.resources))


def _compares_own_tag(statement: Statement, key: str) -> bool:
    """Return True if the statement's conditions refuse requests without the condition key `key`, and each value that
    they allow for it contains a tag of the session, with no wildcard before it.
    """
    values = [
        str(value)
        for operator, keys in statement.conditions.items()
        if operator.rpartition(":")[2] in KEY_REQUIRING_OPERATORS
        for name, condition_values in keys.items()
        if name.lower() == key
        for value in to_list(condition_values)
    ]
    return bool(values) and all(map(_contains_own_tag, values))


def _contains_own_tag(pattern: str) -> bool:
    """Return True if a pattern contains a tag of the session, with no wildcard or other variable before it."""
    return OWN_TAG.match(pattern) is not None

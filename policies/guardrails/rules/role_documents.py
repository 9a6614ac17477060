"""The statements that decide what a role may do, and who may assume it."""

from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.iam_documents import Statement, parse_statements
from guardrails.records import CheckedResource, CheckedStack
from guardrails.resource_types import ROLE_POLICY


def list_trust(role: CheckedResource, principal_kind: str = "") -> list[tuple[Statement, str, str]]:
    """Return the principals that a role's trust policy allows, or those of one kind: statement, kind and value of each."""
    return [
        (statement, kind, value)
        for statement in parse_statements(role.get("assumeRolePolicy"))
        for kind, value in statement.principals
        if statement.is_allow and principal_kind in {"", kind}
    ]


def list_allow_statements(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    """Yield the Allow statements of a role's `RolePolicy` resources. After the known documents, raise the error of an
    unknown one, so that a check is undecided only about the rest.
    """
    unknown = None
    for policy in stack.list_resources(ROLE_POLICY):
        try:
            if role in policy.references.get("role", ()) or policy.get("role") == role.get("name"):
                yield from (statement for statement in parse_statements(policy.get("policy")) if statement.is_allow)
        except UnknownValueError as error:
            unknown = error
    if unknown is not None:
        raise unknown

"""What somebody may do: by a policy of his own, inline in his role, or attached to him."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, listed, statements
from guardrails.model.resource_types import (
    DOCUMENTS,
    GROUP_POLICY_ATTACHMENT,
    GROUP_POLICY_ATTACHMENTS,
    MANAGED_POLICY,
    POLICY_ATTACHMENT,
    ROLE,
    ROLE_POLICY,
    ROLE_POLICY_ATTACHMENT,
    ROLE_POLICY_ATTACHMENTS,
    USER_POLICY_ATTACHMENT,
    USER_POLICY_ATTACHMENTS,
)
from guardrails.pack.policy_kinds import Judged, Props, Stack

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
TO_ROLES = {POLICY_ATTACHMENT: "roles", ROLE_POLICY_ATTACHMENT: "role", ROLE_POLICY_ATTACHMENTS: "roleName"}
"""What attaches policies to roles → the property that says to which."""
ARNS = ("managedPolicyArns", "policyArn", "policyArns")


def granted(one: Judged) -> Iterator[Statement]:
    """The statements of a policy, or of a role's inline policies."""
    for holder in _holders(one):
        yield from statements(holder.get(DOCUMENTS.get(one.type, "policy")))


def allowed(one: Judged) -> Iterator[Statement]:
    """The statements of them that allow something."""
    return (statement for statement in granted(one) if statement.allows)


def said(one: Judged) -> Iterator[Statement]:
    """All statements of a policy or a role: what it grants, and who may take it on."""
    yield from granted(one)
    yield from statements(one.props.get("assumeRolePolicy"))


def _holders(one: Judged) -> Iterable[Props]:
    """What has a document as one of its properties."""
    return (one.props.get("inlinePolicies") or ()) if one.type == ROLE else (one.props,)


def attached(one: Judged) -> list[str]:
    """The ARNs of the policies that a role or an attachment names."""
    return [str(arn) for key in ARNS for arn in listed(one.props.get(key) or [])]


def rights(role: Judged, stack: Stack) -> Iterator[Statement]:
    """All that a role is known to be given. What waits for an id is judged by itself, and again after `up`.

    A provider reads the policies that stand beside a role back into it, as they were before this deployment: they are
    none of its own.
    """
    own = [role] if stack.gives(role, "inlinePolicies") else []
    beside = [one for one in stack.of(ROLE_POLICY) if _is_for(one, "role", role)]
    for one in (*own, *beside, *_managed(role, stack)):
        with suppress(UnknownValueError):
            for holder in _holders(one):
                with suppress(UnknownValueError):
                    yield from statements(holder.get("policy"))


def _managed(role: Judged, stack: Stack) -> Iterator[Judged]:
    named = [one for kind, key in TO_ROLES.items() for one in stack.of(kind) if _is_for(one, key, role)]
    if stack.gives(role, "managedPolicyArns"):
        named.append(role)
    yield from (policy for policy in stack.of(MANAGED_POLICY) if any(_attaches(one, policy) for one in named))


def _is_for(one: Judged, key: str, role: Judged) -> bool:
    """Whether a property names a role, as itself or by its name."""
    references = one.references.get(key, ())
    if role in references:
        return True
    try:
        return role.props.get("name", role.name) in listed(one.props.get(key))
    except UnknownValueError:
        if references:  # it is another's
            return False
        raise


def _attaches(one: Judged, policy: Judged) -> bool:
    """Whether a role or an attachment names a policy of this stack."""
    if any(policy in one.references.get(key, ()) for key in ARNS):
        return True
    try:
        return any(arn.rpartition("/")[2] == policy.props.get("name", policy.name) for arn in attached(one))
    except UnknownValueError:  # it names another one, which is judged where it is known
        return False

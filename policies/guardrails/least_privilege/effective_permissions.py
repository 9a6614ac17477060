"""What somebody may do: by a policy of his own, inline in his role, or attached to him."""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, parse_statements, to_list
from guardrails.model.resource_types import (
    GROUP_POLICY_ATTACHMENT,
    GROUP_POLICY_ATTACHMENTS,
    MANAGED_POLICY,
    POLICY_ATTACHMENT,
    POLICY_DOCUMENT_PROPERTIES,
    ROLE,
    ROLE_POLICY,
    ROLE_POLICY_ATTACHMENT,
    ROLE_POLICY_ATTACHMENTS,
    USER_POLICY_ATTACHMENT,
    USER_POLICY_ATTACHMENTS,
)
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack, Props

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
ROLE_PROPERTIES = {POLICY_ATTACHMENT: "roles", ROLE_POLICY_ATTACHMENT: "role", ROLE_POLICY_ATTACHMENTS: "roleName"}
"""What attaches policies to roles → the property that says to which."""
POLICY_ARN_PROPERTIES = ("managedPolicyArns", "policyArn", "policyArns")


def list_statements(resource: CheckedResource) -> Iterator[Statement]:
    """The statements of a policy, or of a role's inline policies."""
    for holder in _holders(resource):
        yield from parse_statements(holder.get(POLICY_DOCUMENT_PROPERTIES.get(resource.type, "policy")))


def list_allow_statements(resource: CheckedResource) -> Iterator[Statement]:
    """The statements of them that allow something."""
    return (statement for statement in list_statements(resource) if statement.is_allow)


def list_all_statements(resource: CheckedResource) -> Iterator[Statement]:
    """All statements of a policy or a role: what it grants, and who may take it on."""
    yield from list_statements(resource)
    yield from parse_statements(resource.props.get("assumeRolePolicy"))


def _holders(resource: CheckedResource) -> Iterable[Props]:
    """What has a document as one of its properties."""
    return (resource.props.get("inlinePolicies") or ()) if resource.type == ROLE else (resource.props,)


def list_policy_arns(resource: CheckedResource) -> list[str]:
    """The ARNs of the policies that a role or an attachment names."""
    return [str(arn) for key in POLICY_ARN_PROPERTIES for arn in to_list(resource.props.get(key) or [])]


def list_role_statements(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    """All that a role is known to be given. What waits for an id is judged by itself, and again after `up`.

    A provider reads the policies that stand beside a role back into it, as they were before this deployment: they are
    none of its own.
    """
    own = [role] if stack.is_set_by_program(role, "inlinePolicies") else []
    beside = [policy for policy in stack.list_resources(ROLE_POLICY) if _is_for(policy, "role", role)]
    for resource in (*own, *beside, *_managed(role, stack)):
        with suppress(UnknownValueError):
            for holder in _holders(resource):
                with suppress(UnknownValueError):
                    yield from parse_statements(holder.get("policy"))


def _managed(role: CheckedResource, stack: CheckedStack) -> Iterator[CheckedResource]:
    named = [
        attachment
        for kind, key in ROLE_PROPERTIES.items()
        for attachment in stack.list_resources(kind)
        if _is_for(attachment, key, role)
    ]
    if stack.is_set_by_program(role, "managedPolicyArns"):
        named.append(role)
    yield from (
        policy
        for policy in stack.list_resources(MANAGED_POLICY)
        if any(_attaches(attachment, policy) for attachment in named)
    )


def _is_for(resource: CheckedResource, key: str, role: CheckedResource) -> bool:
    """Whether a property names a role, as itself or by its name."""
    references = resource.references.get(key, ())
    if role in references:
        return True
    try:
        return role.props.get("name", role.name) in to_list(resource.props.get(key))
    except UnknownValueError:
        if references:  # it is another's
            return False
        raise


def _attaches(resource: CheckedResource, policy: CheckedResource) -> bool:
    """Whether a role or an attachment names a policy of this stack."""
    if any(policy in resource.references.get(key, ()) for key in POLICY_ARN_PROPERTIES):
        return True
    try:
        return any(
            arn.rpartition("/")[2] == policy.props.get("name", policy.name) for arn in list_policy_arns(resource)
        )
    except UnknownValueError:  # it names another one, which is judged where it is known
        return False

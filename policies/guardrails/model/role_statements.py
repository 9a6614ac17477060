"""Lookup of IAM statements: those that one Pulumi resource contains, or those of all IAM policies of a role. Also
lookup of the ARNs of the managed policies that roles and attachments name.

Except for `list_allow_statements`, the functions also return statements with the effect Deny. No function computes
which actions remain allowed after the denials.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.iam_documents import Statement, parse_statements, to_list
from guardrails.model.resource_types import (
    MANAGED_POLICY,
    POLICY_ATTACHMENT,
    POLICY_DOCUMENT_PROPERTIES,
    ROLE,
    ROLE_POLICY,
    ROLE_POLICY_ATTACHMENT,
    ROLE_POLICY_ATTACHMENTS,
)
from guardrails.pack.policy_kinds import CheckedResource, CheckedStack, Props

ROLE_PROPERTIES = {POLICY_ATTACHMENT: "roles", ROLE_POLICY_ATTACHMENT: "role", ROLE_POLICY_ATTACHMENTS: "roleName"}
"""Property that names the role, by the type of the resource that attaches managed policies."""
POLICY_ARN_PROPERTIES = ("managedPolicyArns", "policyArn", "policyArns")
"""Properties that contain ARNs of managed policies. The first is a property of a role, the others are of attachments.
"""


def list_statements(resource: CheckedResource) -> Iterator[Statement]:
    """Yield the statements that a resource itself contains: those of an IAM policy, or of a role's inline policies."""
    for holder in _list_document_holders(resource):
        yield from parse_statements(holder.get(POLICY_DOCUMENT_PROPERTIES.get(resource.type, "policy")))


def list_allow_statements(resource: CheckedResource) -> Iterator[Statement]:
    """Yield the statements of `list_statements` that have the effect Allow."""
    return (statement for statement in list_statements(resource) if statement.is_allow)


def list_statements_and_trust(resource: CheckedResource) -> Iterator[Statement]:
    """Yield the statements of `list_statements`, and those of a role's trust policy."""
    yield from list_statements(resource)
    yield from parse_statements(resource.props.get("assumeRolePolicy"))


def _list_document_holders(resource: CheckedResource) -> Iterable[Props]:
    """Return the property mappings that contain an IAM policy document."""
    return (resource.props.get("inlinePolicies") or ()) if resource.type == ROLE else (resource.props,)


def list_policy_arns(resource: CheckedResource) -> list[str]:
    """Return the ARNs of the managed policies that a role or an attachment names."""
    return [str(arn) for key in POLICY_ARN_PROPERTIES for arn in to_list(resource.props.get(key) or [])]


def list_all_role_statements(role: CheckedResource, stack: CheckedStack) -> Iterator[Statement]:
    """Yield the known statements of all IAM policies of a role.

    These are its inline policies, its separate `RolePolicy` resources, and the managed policies of this stack that are
    attached to it. A document that contains an unknown id is skipped. The guardrails that check single documents report
    it as undecided. After the deployment, the id is known and the next run reads the document.

    Inline policies count only if the program sets them. Otherwise, the AWS provider fills `inlinePolicies` with the
    separate policies as the last deployment left them. These copies may be outdated, and the separate policies
    themselves are listed anyway.
    """
    inline = [role] if stack.is_set_by_program(role, "inlinePolicies") else []
    separate = [policy for policy in stack.list_resources(ROLE_POLICY) if _names_role(policy, "role", role)]
    for resource in (*inline, *separate, *_list_managed_policies(role, stack)):
        with suppress(UnknownValueError):  # the list of inline policies is unknown
            for holder in _list_document_holders(resource):
                with suppress(UnknownValueError):  # one document is unknown
                    yield from parse_statements(holder.get("policy"))


def belongs_to_role(policy: CheckedResource, stack: CheckedStack) -> bool:
    """Return True if an IAM policy belongs to a role of this stack, so that `list_all_role_statements` has it."""
    roles = stack.list_resources(ROLE)
    if policy.type == ROLE_POLICY:
        return any(_names_role(policy, "role", role) for role in roles)
    return policy.type == MANAGED_POLICY and any(policy in _list_managed_policies(role, stack) for role in roles)


def _list_managed_policies(role: CheckedResource, stack: CheckedStack) -> Iterator[CheckedResource]:
    attachments = [
        attachment
        for resource_type, key in ROLE_PROPERTIES.items()
        for attachment in stack.list_resources(resource_type)
        if _names_role(attachment, key, role)
    ]
    if stack.is_set_by_program(role, "managedPolicyArns"):
        attachments.append(role)
    yield from (
        policy
        for policy in stack.list_resources(MANAGED_POLICY)
        if any(_attaches_policy(attachment, policy) for attachment in attachments)
    )


def _names_role(resource: CheckedResource, key: str, role: CheckedResource) -> bool:
    """Return True if the property `key` of a policy or attachment names a role, by reference or by the role's name."""
    references = resource.references.get(key, ())
    if role in references:
        return True
    try:
        return role.props.get("name", role.name) in to_list(resource.props.get(key))
    except UnknownValueError:
        if references:  # the reference is to another role
            return False
        raise


def _attaches_policy(resource: CheckedResource, policy: CheckedResource) -> bool:
    """Return True if a role or an attachment names a policy of this stack."""
    if any(policy in resource.references.get(key, ()) for key in POLICY_ARN_PROPERTIES):
        return True
    try:
        return any(
            arn.rpartition("/")[2] == policy.props.get("name", policy.name) for arn in list_policy_arns(resource)
        )
    except UnknownValueError:  # an unknown ARN without a reference is not this policy's
        return False

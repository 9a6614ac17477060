"""IAM role with its trust policy, permissions boundary and grants. A grant permits actions on resources.

One inline policy contains all grants whose ARNs are known at preview. A grant whose ARN contains an id that AWS
generates has a separate policy, so that the other grants stay known.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

from components.blocks.iam.grant import Grant, policy_documents
from components.blocks.iam.trust_policy import Service, trust_policy
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope


@dataclass(frozen=True)
class RoleArgs:
    scope: Scope
    short_name: str
    """Purpose of the role within its subsystem: the last part of its name on AWS."""
    display_name: str
    """Value of the tag `Name`: the display name of the block that the role belongs to, or the role's own name on
    AWS."""
    trust: Service | pulumi.Input[str]
    """AWS service that assumes the role, or the trust policy if no service assumes it."""
    grants: Iterable[Grant]
    source_arn: str | None = None
    """ARN or pattern of the resources for which the service may assume the role; None allows all of the account. It is
    ignored for a service that does not send `aws:SourceArn`."""


class Role:
    """Role whose resources are children of the caller's component, named `<label>-role` and `<label>-grants`."""

    def __init__(self, label: str, args: RoleArgs, opts: pulumi.ResourceOptions) -> None:
        context = args.scope.context
        name = args.scope.name(Kind.ROLE, args.short_name)
        self.arn = context.global_arn("iam", f"role/{name}")
        trust, boundary = args.trust, args.scope.foundation.permissions_boundary
        role = iam.Role(
            f"{label}-role",
            name=name,
            assume_role_policy=trust_policy(trust, context, args.source_arn) if isinstance(trust, Service) else trust,
            permissions_boundary=boundary and context.global_arn("iam", f"policy/{boundary}"),
            tags=args.scope.tags(args.display_name),
            opts=opts,
        )
        self.parts: list[pulumi.Resource] = [role]
        """The role and its policies, which must exist before the role is used."""
        for index, document in enumerate(policy_documents(args.grants), 1):
            policy_name = "grants" if index == 1 else f"grants-{index}"
            self.parts.append(
                iam.RolePolicy(f"{label}-{policy_name}", name=policy_name, role=role.name, policy=document, opts=opts)
            )

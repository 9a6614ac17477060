"""IAM role with one policy for all grants whose ARNs are known before the deployment, and one more for each other grant.

The other grants wait for an id that AWS generates during the deployment.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import pulumi
from pulumi_aws import iam

from components.blocks.iam.grant import Grant, policy_documents
from components.blocks.iam.trust_policy import Service, trust_policy
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Scope


@dataclass(frozen=True)
class RoleArgs:
    """Arguments of a role."""

    scope: Scope
    short_name: str
    """Purpose of the role within its subsystem: the last part of its name on AWS."""
    logical_name: str
    trust: Service | pulumi.Input[str]
    """AWS service that assumes the role, or the trust policy if no service assumes it."""
    grants: Iterable[Grant]
    source_arn: str | None = None
    """The only resource for which a service may assume the role."""


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
            tags=args.scope.tags(args.logical_name),
            opts=opts,
        )
        policies = [
            iam.RolePolicy(f"{label}-{grants}", name=grants, role=role.name, policy=text, opts=opts)
            for index, text in enumerate(policy_documents(args.grants), 1)
            for grants in ["grants" if index == 1 else f"grants-{index}"]
        ]
        self.parts: list[pulumi.Resource] = [role, *policies]
        """Resources that must exist before the role is used."""

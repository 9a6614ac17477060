"""Cognito identity pool for guests, who do not log in: any browser gets an identity and credentials for an hour.

All guests get the same role, and the subsystem decides what the role allows. `grant_own_items` builds a grant (a
permission whose actions and ARNs are checked) that covers only a guest's own items in a table.

Clients get credentials by Cognito's enhanced flow only (`GetId`, `GetCredentialsForIdentity`); the classic flow is
disabled. In the enhanced flow, Cognito adds its own session policy for guests, and a call must be allowed by both that
policy and the role. The session policy allows S3, DynamoDB and execute-api, but not Bedrock, Step Functions or
EventBridge.

  https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html
"""

from collections.abc import Sequence

import pulumi
from pulumi_aws import cognito

from components.blocks.iam import IDENTITY_ID_VARIABLE, Grant, Role, json_document
from components.blocks.table import Table
from components.core import Block, Kind, Scope

COGNITO = "cognito-identity.amazonaws.com"
LEADING_KEYS = "dynamodb:LeadingKeys"


class IdentityPool(Block):
    """Identity pool with the role of its guests."""

    pool_id: pulumi.Output[str]
    """Id with which a page requests an identity. A WebSocket API's function compares it with the pool of the caller's
    identity when a client connects."""

    def __init__(self, scope: Scope, short_name: str, *, display_name: str, guest_grants: Sequence[Grant]) -> None:
        super().__init__("IdentityPool", scope, short_name, display_name)
        pool = cognito.IdentityPool(
            self.part_name("pool"),
            identity_pool_name=scope.name(Kind.IDENTITY_POOL, short_name),
            allow_unauthenticated_identities=True,
            allow_classic_flow=False,
            tags=self.tags,
            opts=self.scope.options(holds_data=True),
        )
        self.pool_id = pool.id
        role = Role(
            self.scope,
            f"{short_name}-guest",
            display_name=display_name,
            trust=pool.id.apply(guest_trust),
            grants=guest_grants,
        )
        cognito.IdentityPoolRoleAttachment(
            self.part_name("roles"),
            identity_pool_id=pool.id,
            roles={"unauthenticated": role.arn},
            opts=self.scope.options(after=role.role_and_policies),
        )
        self.register_outputs({"poolId": self.pool_id, "guestRoleArn": role.arn})


def guest_trust(pool_id: str) -> str:
    """Return the trust policy of the guest role, for unauthenticated identities of this pool only."""
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": COGNITO},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{COGNITO}:aud": pool_id},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"},
        },
    }
    return json_document([statement])


def grant_own_items(table: Table, *actions: str) -> Grant:
    """Grant actions on the items whose partition key starts with `<identity id>#`.

    `ForAllValues` also holds for a request without any key, so a `Null` condition requires a key.
    """
    return table.grant(*actions).with_conditions(
        {"ForAllValues:StringLike": {LEADING_KEYS: f"{IDENTITY_ID_VARIABLE}#*"}, "Null": {LEADING_KEYS: "false"}}
    )

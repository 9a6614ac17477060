"""A Cognito identity pool for guests: anybody gets an identity and an hour's credentials of one role, and no more.

What that role may do is the subsystem's decision, in grants that end at the guest's own identity: `grant_own_objects` and
`grant_own_items` make them. The pool knows no signed-in users and has no other role.

Credentials come by the enhanced flow alone (`GetId`, `GetCredentialsForIdentity`), the classic one stays off. In the
enhanced flow Cognito gives its own session policy along for guests, and they may do what both it and the role allow:
S3, DynamoDB and execute-api are within it, Bedrock, Step Functions and EventBridge are not. The credentials last an
hour, which is also what a role's sessions last unless it says otherwise.
https://docs.aws.amazon.com/cognito/latest/developerguide/iam-roles.html
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cognito

from components.blocks.iam.grant import IDENTITY_ID_VARIABLE, Grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table

COGNITO = "cognito-identity.amazonaws.com"
LEADING_KEYS = "dynamodb:LeadingKeys"


@dataclass(frozen=True)
class IdentityPoolArgs:
    """One pool."""

    scope: Scope
    logical_name: str
    guest_grants: Sequence[Grant]


class IdentityPool(Block):
    """A pool, and the role of its guests."""

    pool_id: pulumi.Output[str]
    """What a page asks for an identity with; also what `$connect` is told that a caller is of."""

    def __init__(self, short_name: str, args: IdentityPoolArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("IdentityPool", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.IDENTITY_POOL, short_name)
        pool = cognito.IdentityPool(
            self.part_name("pool"),
            identity_pool_name=self.name,
            allow_unauthenticated_identities=True,
            allow_classic_flow=False,
            tags=scope.tags(args.logical_name),
            opts=self.part_options(holds_data=True),
        )
        self.pool_id = pool.id
        role = Role(
            self.part_name("guest"),
            RoleArgs(scope, f"{short_name}-guest", args.logical_name, pool.id.apply(guest_trust), args.guest_grants),
            self.part_options(),
        )
        self.guest_role_arn = role.arn
        cognito.IdentityPoolRoleAttachment(
            self.part_name("roles"),
            identity_pool_id=pool.id,
            roles={"unauthenticated": self.guest_role_arn},
            opts=self.part_options(*role.parts),
        )
        self.register_outputs({"poolId": self.pool_id, "guestRoleArn": self.guest_role_arn})


def guest_trust(pool_id: str) -> str:
    """The trust policy of a pool's guests: Cognito takes the role for this pool, and for nobody who is signed in.

    The id is the only thing of it that AWS invents, so before a deployment the whole document is unknown.
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"Federated": COGNITO},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {
            "StringEquals": {f"{COGNITO}:aud": pool_id},
            "ForAnyValue:StringLike": {f"{COGNITO}:amr": "unauthenticated"},
        },
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def grant_own_objects(bucket: Bucket, folder: str, *actions: str) -> Grant:
    """Permission on the objects below `<folder>/<identity id>/`."""
    return bucket.grant(*actions, prefix=f"{folder}/{IDENTITY_ID_VARIABLE}/*")


def grant_own_items(table: Table, *actions: str) -> Grant:
    """Permission on the items whose partition key is `<identity id>#…`.

    `ForAllValues` also holds for a request that names no key, hence `Null` beside it.
    """
    return table.grant(*actions).with_conditions(
        {"ForAllValues:StringLike": {LEADING_KEYS: f"{IDENTITY_ID_VARIABLE}#*"}, "Null": {LEADING_KEYS: "false"}}
    )

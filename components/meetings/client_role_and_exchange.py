"""Component for the clients' access to their meetings: the token exchange, and the role whose credentials it returns.

The token exchange is an API that trades a token of the identity provider for AWS credentials. All clients share one
role. The token exchange sets the user as a session tag, with which the role's policies compare the beginning of S3 keys
and the table's partition key. So each user reaches only their own meetings.
"""

import json
from dataclasses import dataclass

import pulumi

from components.blocks.api.rest_api import RestApi, RestApiArgs
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.compute.function import Function, FunctionArgs
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.role import Role, RoleArgs
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.bucket import Bucket
from components.blocks.storage.table import Table
from components.settings import MeetingsSettings
from handlers.common.identity import user_ids
from handlers.meetings.auth_exchange.environment import AuthEnvironment
from handlers.meetings.auth_exchange.operation_definitions import OPERATIONS
from handlers.meetings.meeting_record import INDEX
from handlers.meetings.s3_keys import AUDIO, RAW, SUMMARIES, TRANSCRIPTS, USER_TAG, VIDEO

CLIENT = "client"
"""Short name of the clients' role."""
CALLER_USER = f"${{aws:PrincipalTag/{USER_TAG}}}"
"""IAM policy variable that contains the user of the calling session."""
LEADING_KEYS = "dynamodb:LeadingKeys"
MAX_CLIENT_ERRORS = 50
"""An alarm is raised if the token exchange gives more responses than this with a status of 400 to 499 in five
minutes."""
SLOW_MILLISECONDS = 3_000
"""Latency above which the token exchange counts as slow."""


@dataclass(frozen=True)
class ClientAccessArgs:
    """Arguments of `ClientAccess`: the resources that clients may access."""

    scope: Scope
    settings: MeetingsSettings
    bucket: Bucket
    table: Table


class ClientAccess(pulumi.ComponentResource):
    """The token exchange with its API, and the clients' role."""

    def __init__(self, name: str, args: ClientAccessArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("polyphony:meetings:Access", name, None, opts)
        self._args = args
        self._child = pulumi.ResourceOptions(parent=self)
        scope = args.scope
        role_arn = scope.context.global_arn("iam", f"role/{scope.name(Kind.ROLE, CLIENT)}")
        self.function = self._create_exchange(role_arn)
        # IAM rejects a trust policy whose principal does not exist yet, so the function's role comes first.
        role = Role(
            f"{scope.subsystem}-{CLIENT}",
            RoleArgs(
                scope,
                CLIENT,
                "MeetingsClient",
                client_trust_policy(self.function.role_arn),
                [*own_object_grants(args.bucket), *own_meeting_grants(args.table)],
            ),
            pulumi.ResourceOptions.merge(self._child, pulumi.ResourceOptions(depends_on=[self.function])),
        )
        self.role_arn = role.arn
        self.api = self._create_api()
        self.register_outputs({"apiUrl": self.api.url})

    def _create_exchange(self, role_arn: str) -> Function:
        args, settings = self._args, self._args.settings
        return Function(
            "auth-exchange",
            FunctionArgs(
                scope=args.scope,
                display_name="AuthExchange",
                entry="handlers.meetings.auth_exchange.handler.handler",
                settings=settings.auth_exchange,
                environment=AuthEnvironment,
                values={
                    **args.scope.foundation.identity.token_variables(args.scope.context.environment),
                    "client_role": role_arn,
                    "bucket_name": args.bucket.name,
                    "table_name": args.table.name,
                    "origin": settings.exchange.cors_origin,
                },
                grants=[grant("sts", ["AssumeRole", "TagSession"], role_arn, _USER_TAG_CONDITION)],
            ),
            self._child,
        )

    def _create_api(self) -> RestApi:
        settings = self._args.settings.exchange
        return RestApi(
            "api",
            RestApiArgs(
                scope=self._args.scope,
                display_name="Meetings",
                operations=OPERATIONS,
                function=self.function,
                throttle=Throttle.from_rate(settings.requests_per_second),
                cors_origin=settings.cors_origin,
                checked_by="the token in the body - auth-exchange verifies it",
                bodies_validated=False,
                alarms=RestAlarms(client_errors_above=MAX_CLIENT_ERRORS, latency_above_ms=SLOW_MILLISECONDS),
            ),
            self._child,
        )


_USER_TAG_CONDITION = {
    # Each `?` matches one character, so the value must have exactly the length of a user id.
    "StringLike": {f"aws:RequestTag/{USER_TAG}": "?" * user_ids.USER_ID_LENGTH},
    "ForAllValues:StringEquals": {"aws:TagKeys": USER_TAG},
    "Null": {f"aws:RequestTag/{USER_TAG}": "false", "aws:TagKeys": "false"},
}
"""Condition that a session has this tag and no other. `ForAllValues` also holds for a request without tags, so `Null`
requires them."""


def client_trust_policy(role_arn: str) -> str:
    """Return the trust policy of the clients' role: only the token exchange may assume it, and only with a user's
    tag.
    """
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": role_arn},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": _USER_TAG_CONDITION,
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, sort_keys=True)


def own_object_grants(bucket: Bucket) -> list[Grant]:
    """Return the grants for the user's own objects: upload recordings, read the results."""
    return [
        bucket.grant("PutObject", prefix=f"{RAW}{CALLER_USER}/*"),
        *(
            bucket.grant("GetObject", prefix=f"{kind}{CALLER_USER}/*")
            for kind in (VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES)
        ),
        bucket.grant_list(f"{RAW}{CALLER_USER}/*"),
    ]


def own_meeting_grants(table: Table) -> list[Grant]:
    """Return the grants for the user's own records.

    `ForAllValues` also holds for a request without any key, so `Null` requires a key.
    """
    own_partition = {"ForAllValues:StringEquals": {LEADING_KEYS: CALLER_USER}, "Null": {LEADING_KEYS: "false"}}
    return [
        table.grant("GetItem").with_conditions(own_partition),
        table.grant("Query", index=INDEX).with_conditions(own_partition),
    ]

"""The clients' access to their meetings: the token exchange, and the role whose credentials it returns.

The token exchange is an operation of an API. It trades a token of the identity provider for AWS credentials. The other
operation deletes a meeting, which the credentials do not allow. All clients share one role. The token exchange sets the
user as a session tag, with which the role's policies compare the beginning of S3 keys and the table's partition key. So
each user reaches only their own meetings. `meetings.py` calls `create_client_access`.

A grant in the `uses` of a function that names a `variable` also sets this field of the function's environment model.
"""

from components.blocks.bucket import Bucket
from components.blocks.function import Function
from components.blocks.iam import Grant, Role, grant, json_document
from components.blocks.queue import Queue
from components.blocks.rest_api import RestApi
from components.blocks.table import Table
from components.core import Kind, Scope
from components.settings import MeetingsSettings
from handlers.common import ids
from handlers.meetings.auth_exchange.api import OPERATIONS
from handlers.meetings.environment import AuthEnvironment
from handlers.meetings.record import INDEX
from handlers.meetings.s3_keys import AUDIO, RAW, SUMMARIES, TRANSCRIPTS, USER_TAG, VIDEO

CLIENT = "client"
"""Short name of the clients' role."""
CALLER_USER = f"${{aws:PrincipalTag/{USER_TAG}}}"
"""IAM policy variable that contains the user of the calling session."""
LEADING_KEYS = "dynamodb:LeadingKeys"
MAX_CLIENT_ERRORS = 50
"""An alarm is raised if the API gives more responses than this with a status of 400 to 499 in five minutes."""
SLOW_MILLISECONDS = 3_000
"""Latency threshold of the API's alarm: it is raised if more than 5 % of the responses take longer."""
_USER_TAG_CONDITION = {
    # Each `?` matches one character, so the value must have exactly the length of a user id.
    "StringLike": {f"aws:RequestTag/{USER_TAG}": "?" * ids.USER_ID_LENGTH},
    "ForAllValues:StringEquals": {"aws:TagKeys": USER_TAG},
    "Null": {f"aws:RequestTag/{USER_TAG}": "false", "aws:TagKeys": "false"},
}
"""Condition that a session has this tag and no other. `ForAllValues` also holds for a request without tags, so `Null`
requires them."""


def create_client_access(
    scope: Scope, settings: MeetingsSettings, bucket: Bucket, table: Table, deletions: Queue
) -> RestApi:
    """Create the meetings API and the clients' role. Return the API."""
    role_arn = scope.context.global_arn("iam", f"role/{scope.name(Kind.ROLE, CLIENT)}")
    exchange = Function(
        scope,
        "auth-exchange",
        settings=settings.auth_exchange,
        environment=AuthEnvironment,
        errors_severity=None,  # no alarm of its own, because the API's alarm on server errors reports its errors
        uses=[
            grant("sts", ["AssumeRole", "TagSession"], role_arn, _USER_TAG_CONDITION).with_variable(
                "client_role", role_arn
            ),
            table.grant("GetItem", "PutItem", variable="table_name"),  # to delete a meeting
            deletions.grant("SendMessage", variable="deletions_queue_url"),
        ],
        values={
            **scope.foundation.identity.token_variables(scope.context.environment),
            "bucket_name": bucket.name,
            "origin": settings.exchange.cors_origin,
        },
    )
    # Only the token exchange may assume the clients' role, and only with a user's tag.
    may_assume = {
        "Effect": "Allow",
        "Principal": {"AWS": exchange.role_arn},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": _USER_TAG_CONDITION,
    }
    Role(
        scope,
        CLIENT,
        display_name="MeetingsClient",
        trust=json_document([may_assume]),
        grants=own_data_grants(bucket, table),
        # IAM rejects a trust policy whose principal does not exist yet, so the function's role comes first.
        after=[exchange],
    )
    return RestApi(
        scope,
        "api",
        display_name="Meetings",
        operations=OPERATIONS,
        function=exchange,
        requests_per_second=settings.exchange.requests_per_second,
        cors_origin=settings.exchange.cors_origin,
        checked_by="the token in the request - auth-exchange verifies it",
        bodies_validated=False,  # the function refuses an invalid body with an error that names the field
        client_errors_above=MAX_CLIENT_ERRORS,
        latency_above_ms=SLOW_MILLISECONDS,
    )


def own_data_grants(bucket: Bucket, table: Table) -> list[Grant]:
    """Return the grants for the user's own objects and records: upload recordings, read the results.

    `ForAllValues` also holds for a request without any key, so `Null` requires a key.
    """
    own_partition = {"ForAllValues:StringEquals": {LEADING_KEYS: CALLER_USER}, "Null": {LEADING_KEYS: "false"}}
    return [
        bucket.grant("PutObject", keys=f"{RAW}{CALLER_USER}/*"),
        *(bucket.grant("GetObject", keys=f"{kind}{CALLER_USER}/*") for kind in (VIDEO, AUDIO, TRANSCRIPTS, SUMMARIES)),
        bucket.grant_list(f"{RAW}{CALLER_USER}/*"),
        table.grant("GetItem").with_conditions(own_partition),
        table.grant("Query", index=INDEX).with_conditions(own_partition),
    ]

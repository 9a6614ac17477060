"""Small Pulumi program with guests: two identity pools, two WebSocket APIs, a bucket, a table and a function.

Guests of the first pool may connect to the first API. The second API is public. Each guest may access a part of the
bucket and of the table. The function serves both APIs.
"""

import pulumi

from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.api.websocket_api import WebSocketApi, WebSocketApiArgs, WebSocketAuthorization
from components.blocks.compute.function import Function, FunctionArgs
from components.blocks.iam.grant import IDENTITY_ID_VARIABLE
from components.blocks.iam.identity_pool import IdentityPool, IdentityPoolArgs, grant_own_items
from components.blocks.storage.bucket import Bucket, BucketArgs
from components.blocks.storage.table import Table, TableArgs
from components.foundation.api_log_role import ApiLogRole
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from tests.fake_engine import scope


class EchoEnvironment(HandlerEnvironment):
    """Environment variables of the function."""

    sessions_table: str


def register_guest_resources() -> None:
    """Register all resources, and export their URLs and ids."""
    logs = ApiLogRole(scope(layers=[]))
    program_scope = scope(layers=[], prerequisites=[logs.account])
    throttle = Throttle(rate=50, burst=100)
    api = WebSocketApi("live", WebSocketApiArgs(program_scope, "LiveApi", "live", throttle, WebSocketAuthorization.IAM))
    public = WebSocketApi("open", WebSocketApiArgs(program_scope, "OpenApi", "live", throttle))
    bucket = Bucket("audio", BucketArgs(program_scope, "Audio"))
    table = Table("sessions", TableArgs(program_scope, "Sessions", "sessionId", "lectureId"))
    own_objects = bucket.grant("PutObject", prefix=f"queries/{IDENTITY_ID_VARIABLE}/*")
    grants = [own_objects, grant_own_items(table, "GetItem", "PutItem")]
    pool = IdentityPool("visitors", IdentityPoolArgs(program_scope, "Visitors", [*grants, api.grant_connect()]))
    others = IdentityPool("others", IdentityPoolArgs(program_scope, "Others", grants))
    echo = Function(
        "echo",
        FunctionArgs(
            scope=program_scope,
            display_name="Echo",
            entry="echo.handler",
            settings=FunctionSettings.model_validate({"timeoutSeconds": 20}),
            environment=EchoEnvironment,
            values={"sessions_table": table.name},
            grants=[table.grant("GetItem", "PutItem")],
        ),
    )
    for websocket_api in (api, public):
        websocket_api.serve(("$connect", "$disconnect", "$default", "say"), echo)
    pulumi.export("url", api.url)
    pulumi.export("open", public.url)
    pulumi.export("pool", pool.pool_id)
    pulumi.export("others", others.pool_id)

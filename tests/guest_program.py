"""Small Pulumi program with guests: two identity pools, two WebSocket APIs, a bucket, a table and a function.

Guests of the first pool may connect to the first API. The second API is public. Each guest may access a part of the
bucket and of the table. The function serves both APIs.
"""

from typing import Any

import pulumi

from components.blocks.bucket import Bucket
from components.blocks.iam import IDENTITY_ID_VARIABLE
from components.blocks.identity_pool import IdentityPool, grant_own_items
from components.blocks.table import Table
from components.blocks.websocket_api import WebSocketApi, WebSocketAuthorization
from components.foundation import create_api_log_role
from handlers.common.environment import HandlerEnvironment
from tests.end_to_end.small_stack import echo_function
from tests.fake_engine import scope


class EchoEnvironment(HandlerEnvironment):
    """Environment variables of the function."""

    sessions_table: str


def register_guest_resources() -> None:
    """Register all resources, and export their URLs and ids."""
    program_scope = scope(layers=[], prerequisites=[create_api_log_role(scope())])
    stage: dict[str, Any] = {"stage": "live", "requests_per_second": 50}
    api = WebSocketApi(program_scope, "live", display_name="LiveApi", authorization=WebSocketAuthorization.IAM, **stage)
    public = WebSocketApi(program_scope, "open", display_name="OpenApi", **stage)
    bucket = Bucket(program_scope, "audio", display_name="Audio")
    table = Table(program_scope, "sessions", display_name="Sessions", hash_key="sessionId", range_key="lectureId")
    own_objects = bucket.grant("PutObject", prefix=f"queries/{IDENTITY_ID_VARIABLE}/*")
    grants = [own_objects, grant_own_items(table, "GetItem", "PutItem")]
    pool = IdentityPool(program_scope, "visitors", display_name="Visitors", guest_grants=[*grants, api.grant_connect()])
    others = IdentityPool(program_scope, "others", display_name="Others", guest_grants=grants)
    uses = [table.grant("GetItem", "PutItem", as_="sessions_table")]
    echo = echo_function("echo", program_scope, EchoEnvironment, uses=uses)
    for websocket_api in (api, public):
        websocket_api.serve(echo)
    pulumi.export("url", api.url)
    pulumi.export("open", public.url)
    pulumi.export("pool", pool.pool_id)
    pulumi.export("others", others.pool_id)

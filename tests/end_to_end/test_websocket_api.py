"""A WebSocket API on an emulator of its own, with a real client: what clients and functions meet as they do on AWS."""

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any

import pulumi
import pytest
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from components.blocks.api.stage_settings import Throttle
from components.blocks.api.websocket_api import WebSocketApi, WebSocketApiArgs
from components.blocks.compute.function import Function, FunctionArgs
from components.foundation.api_logs import ApiLogs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local.emulation.api_gateway.websocket_answers import FRAME_BYTES
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from tests.end_to_end.small_stack import SmallStack, small_stack
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("websocket")]

CODE = """
import json, os
import boto3
from botocore.exceptions import ClientError

def handler(event, context):
    context = event["requestContext"]
    print("handled", context["eventType"], context["connectionId"])
    if context["eventType"] == "CONNECT":
        return connected(event)
    if context["eventType"] == "DISCONNECT":
        return {"statusCode": 200}
    return said(event["body"], context)

def connected(event):
    offered = event["headers"].get("Sec-WebSocket-Protocol", "").split(", ")
    asked = (event.get("queryStringParameters") or {}).get("refuse")
    if asked == "raise":
        raise ValueError("canary-connect")
    if asked == "protocol":
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "not-offered"}}
    if asked:
        return {"statusCode": int(asked), "body": "canary-connect"}
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": offered[0]} if offered[0] else {}}

def said(body, context):
    if context["routeKey"] == "$default":
        return {"statusCode": 200, "body": json.dumps({"type": "error", "code": "UNKNOWN_ACTION"})}
    asked = json.loads(body)
    if context["routeKey"] == "fail":
        raise ValueError("canary-message")
    if context["routeKey"] == "malformed":
        return asked["returns"]
    if context["routeKey"].startswith("post"):
        return {"statusCode": 200, "body": json.dumps({"type": "posted", "error": post(asked, context)})}
    return {"statusCode": 200, "body": json.dumps({"type": "said", "text": asked.get("text"), "context": context})}

def post(asked, context):
    client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["CALLBACK_URL"])
    data = json.dumps({"type": "push", "text": asked["text"]})
    try:
        client.post_to_connection(ConnectionId=asked.get("to") or context["connectionId"], Data=data)
    except ClientError as error:
        return error.response["Error"]["Code"]
"""


class EchoEnvironment(HandlerEnvironment):
    callback_url: str


@dataclass
class Live:
    """The API, and whoever looks at it."""

    stack: SmallStack

    def connect(
        self, query: str = "", protocols: list[str] | None = None, api: str = "url"
    ) -> AbstractContextManager[Connection]:
        return connect(f"{self.stack.outputs[api]}{query}", subprotocols=protocols, proxy=None)  # type: ignore[arg-type]


def ask(client: Connection, **message: Any) -> Any:
    client.send(json.dumps(message))
    return json.loads(client.recv(timeout=20))


def body() -> None:
    own = scope(layers=[])
    logs = ApiLogs(own)
    own = scope(layers=[], after=[logs.account])
    throttle = Throttle(rate=50, burst=100)
    api = WebSocketApi("live", WebSocketApiArgs(own, "LiveApi", "live", throttle))
    muted = WebSocketApi("muted", WebSocketApiArgs(own, "MutedApi", "live", throttle))

    def function(what: str, api: WebSocketApi, *, posts: bool) -> Function:
        return Function(
            what,
            FunctionArgs(
                scope=own,
                logical_name="Echo",
                entry="echo.handler",
                settings=FunctionSettings.model_validate({"timeoutSeconds": 20}),
                environment=EchoEnvironment,
                values={"callback_url": api.callback_url},
                grants=[api.grant_post()] if posts else [],
            ),
        )

    keys = ("$connect", "$disconnect", "$default")
    api.serve([*keys, "say", "post", "fail", "malformed", "quiet"], function("echo", api, posts=True))
    muted.serve([*keys, "post"], function("mute", muted, posts=False))
    pulumi.export("url", api.url)
    pulumi.export("muted", muted.url)
    pulumi.export("callback", api.callback_url)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with small_stack(tmp_path_factory.mktemp("websocket"), CODE) as stack:
        stack.outputs, _ = stack.up(body)
        yield Live(stack)


@pytest.fixture(autouse=True)
def _nothing_refused() -> None:
    """Not the platform's: this API has an emulator of its own, and a function without its grant."""


def test_a_message_is_answered_with_what_its_function_returns(live: Live) -> None:
    with live.connect() as client:
        answer = ask(client, action="say", text='she said "no", \\ twice')
        assert (answer["type"], answer["text"]) == ("said", 'she said "no", \\ twice')
        assert (answer["context"]["routeKey"], answer["context"]["messageDirection"]) == ("say", "IN")
        again = ask(client, action="say")
        assert again["context"]["connectionId"] == answer["context"]["connectionId"]
        assert again["context"]["connectedAt"] == answer["context"]["connectedAt"]


@pytest.mark.parametrize(
    ("asked", "status"), [("401", 401), ("403", 403), ("500", 500), ("raise", 502), ("protocol", 502)]
)
def test_a_refused_connection_is_told_by_its_status(live: Live, asked: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as refused:
        live.connect(f"?refuse={asked}")
    assert refused.value.response.status_code == status
    assert b"canary" not in (refused.value.response.body or b"")


def test_the_subprotocol_that_the_function_chose_is_agreed_on(live: Live) -> None:
    with live.connect(protocols=["polyphony", "token.canary"]) as client:
        assert client.subprotocol == "polyphony"
    with live.connect() as client:
        assert client.subprotocol is None


def test_a_client_that_is_gone_is_told_to_whoever_posts(live: Live) -> None:
    with live.connect() as left:
        gone = ask(left, action="say")["context"]["connectionId"]
    with live.connect() as client:

        def refused() -> str | None:
            error: str | None = ask(client, action="post", text="x", to=gone)["error"]
            return error

        assert eventually(refused, "an error") == "GoneException"


def test_posting_needs_its_grant_and_is_recorded(live: Live) -> None:
    with live.connect() as client:
        assert ask(client, action="post", text="x")["type"] == "push"
        assert json.loads(client.recv(timeout=20))["error"] is None
    with live.connect(api="muted") as client:
        assert ask(client, action="post", text="x")["error"] is not None
    found = {(one.role, one.verdict) for one in live.stack.decisions() if one.action == "execute-api:ManageConnections"}
    assert ("polyphony-test-ingestion-echo", AccessVerdict.ALLOW) in found
    assert ("polyphony-test-ingestion-mute", AccessVerdict.IMPLICIT_DENY) in found


@pytest.mark.parametrize(
    "message",
    [
        {"action": "fail"},
        {"action": "malformed", "returns": {"statusCode": "canary"}},
    ],
    ids=["raised", "malformed"],
)
def test_a_failed_function_is_told_without_its_reasons(live: Live, message: dict[str, Any]) -> None:
    with live.connect() as client:
        answer = ask(client, **message)
        assert answer == {
            "message": "Internal server error",
            "connectionId": answer["connectionId"],
            "requestId": answer["requestId"],
        }


def test_what_functions_write_is_in_their_logs(live: Live) -> None:
    with live.connect() as client:
        connection = ask(client, action="say")["context"]["connectionId"]
        ask(client, action="fail")

    def left() -> list[str] | None:
        events = live.stack.clients("logs").filter_log_events(logGroupName="/aws/lambda/polyphony-test-ingestion-echo")
        lines = [event["message"] for event in events["events"]]
        return lines if f"handled DISCONNECT {connection}" in lines else None

    lines = eventually(left, "the disconnection in the log")
    assert {f"handled CONNECT {connection}", f"handled MESSAGE {connection}"} <= set(lines)
    assert [line for line in lines if "canary-message" in line], "a traceback is in the log, and nowhere else"


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("x" * (FRAME_BYTES + 1), 1009),
        ("é" * (FRAME_BYTES // 2 + 1), 1009),
        (["x" * FRAME_BYTES] * 4 + ["x"], 1009),
    ],
    ids=["a long frame", "of long letters", "a long message"],
)
def test_a_connection_that_breaks_a_limit_is_closed(live: Live, message: Any, code: int) -> None:
    with live.connect() as client:
        with suppress(ConnectionClosedError):
            client.send(message)  # may be refused before all of it is sent
        with pytest.raises(ConnectionClosedError) as closed:
            client.recv(timeout=20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == code


def test_a_route_without_a_response_is_silent(live: Live) -> None:
    gateway, api, route = (
        live.stack.clients("apigatewayv2"),
        live.stack.ids["ingestion-live-api"],
        live.stack.ids["ingestion-live-quiet-route"],
    )
    [response] = gateway.get_route_responses(ApiId=api, RouteId=route)["Items"]
    gateway.delete_route_response(ApiId=api, RouteId=route, RouteResponseId=response["RouteResponseId"])
    with live.connect() as client:
        client.send(json.dumps({"action": "quiet"}))
        assert ask(client, action="say")["context"]["routeKey"] == "say"


def test_a_function_that_does_not_let_the_api_in_is_not_called(live: Live) -> None:
    functions, name = live.stack.clients("lambda"), live.stack.ids["ingestion-mute-function"]
    [statement] = json.loads(functions.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert statement["Condition"] == {
        "ArnLike": {
            "AWS:SourceArn": f"arn:aws:execute-api:us-east-1:123456789012:{live.stack.ids['ingestion-muted-api']}/live/*"
        }
    }
    with live.connect(api="muted") as client:
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"], Qualifier="live")
        assert ask(client, action="post", text="x")["message"] == "Internal server error"


def test_the_api_is_as_its_block_says(live: Live) -> None:
    gateway, api = live.stack.clients("apigatewayv2"), live.stack.ids["ingestion-live-api"]
    made = gateway.get_api(ApiId=api)
    assert (made["ProtocolType"], made["RouteSelectionExpression"]) == ("WEBSOCKET", "$request.body.action")
    assert (made["Name"], made["Tags"]["Name"]) == ("polyphony-test-ingestion-live", "LiveApi")
    routes = {one["RouteKey"]: one for one in gateway.get_routes(ApiId=api)["Items"]}
    assert routes["$connect"].get("RouteResponseSelectionExpression") is None
    assert routes["say"]["RouteResponseSelectionExpression"] == "$default"
    assert len({one["Target"] for one in routes.values()}) == len(gateway.get_integrations(ApiId=api)["Items"]) == 1
    stage = gateway.get_stage(ApiId=api, StageName="live")
    [deployment] = gateway.get_deployments(ApiId=api)["Items"]
    assert stage["DeploymentId"] == deployment["DeploymentId"]
    assert stage["DefaultRouteSettings"] == {
        "DataTraceEnabled": False,
        "DetailedMetricsEnabled": False,
        "LoggingLevel": "ERROR",
        "ThrottlingBurstLimit": 100,
        "ThrottlingRateLimit": 50.0,
    }
    assert stage["AccessLogSettings"]["DestinationArn"].endswith(
        ":log-group:/aws/apigateway/polyphony-test-ingestion-live"
    )
    groups = live.stack.clients("logs").describe_log_groups(logGroupNamePrefix="/aws/apigateway/")["logGroups"]
    retention = {one["logGroupName"]: one["retentionInDays"] for one in groups}
    for name in ("polyphony-test-ingestion-live", f"{api}/live"):
        assert retention[f"/aws/apigateway/{name}"] == 90

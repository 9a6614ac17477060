"""Tests of the block `WebSocketApi`: its APIs on an emulator behave to clients and functions as on AWS."""

import json
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import pulumi
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from components.blocks.function import Function
from components.blocks.iam import Grant
from components.blocks.websocket_api import WebSocketApi
from components.foundation import create_api_log_role
from handlers.common.environment import HandlerEnvironment
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows import eventually
from tests.end_to_end.conftest import DeployBlocks
from tests.end_to_end.small_stack import SmallStack, echo_function
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("blocks")]

CODE = """
import importlib, json, os

def handler(event, context):
    context = event["requestContext"]
    print("handled", context["eventType"], context["connectionId"])
    if context["eventType"] == "CONNECT":
        return answer_connect(event)
    if context["eventType"] == "DISCONNECT":
        return {"statusCode": 200}
    return answer_message(event["body"], context)

def answer_connect(event):
    offered = event["headers"].get("Sec-WebSocket-Protocol", "").split(", ")
    refusal = (event.get("queryStringParameters") or {}).get("refuse")
    if refusal == "raise":
        raise ValueError("canary-connect")
    if refusal == "protocol":
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "not-offered"}}
    if refusal:
        return {"statusCode": int(refusal), "body": "canary-connect"}
    return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": offered[0]} if offered[0] else {}}

def answer_message(body, context):
    try:
        message = json.loads(body)
    except ValueError:
        return {"statusCode": 200, "body": json.dumps({"type": "error"})}
    action = message.get("action")
    if action == "fail":
        raise ValueError("canary-message")
    if action == "malformed":
        return message["returns"]
    if action == "post":
        return {"statusCode": 200, "body": json.dumps({"type": "posted", "error": post(message, context)})}
    return {"statusCode": 200, "body": json.dumps({"type": "said", "text": message.get("text"), "context": context})}

def post(message, context):
    boto3 = importlib.import_module("boto3")  # the function has no layer, but the emulator has the package
    client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["CALLBACK_URL"])
    data = json.dumps({"type": "push", "text": message["text"]})
    try:
        client.post_to_connection(ConnectionId=message.get("to") or context["connectionId"], Data=data)
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
"""
"""Code of the APIs' functions. What it does with a message depends on the message's `action`."""


class EchoEnvironment(HandlerEnvironment):
    callback_url: str


@dataclass
class EchoClient:
    """Deployed stack with a WebSocket client for its APIs."""

    stack: SmallStack

    def connect(
        self, query: str = "", protocols: list[str] | None = None, api: str = "url"
    ) -> AbstractContextManager[Connection]:
        return connect(f"{self.stack.outputs[api]}{query}", subprotocols=protocols, proxy=None)  # type: ignore[arg-type]


def ask(client: Connection, **message: Any) -> Any:
    client.send(json.dumps(message))
    return json.loads(client.recv(timeout=20))


def register_apis() -> None:
    """Register two APIs, each with its function, and export their URLs.

    The function of the API `muted` may not post to connections.
    """
    test_scope = scope(layers=[], prerequisites=[create_api_log_role(scope())])
    api, muted = (
        WebSocketApi(test_scope, name, display_name=name, stage="live", requests_per_second=50)
        for name in ("live", "muted")
    )

    def function(name: str, api: WebSocketApi, *grants: Grant) -> Function:
        values = {"callback_url": api.callback_url}
        return echo_function(name, test_scope, EchoEnvironment, values=values, uses=grants)

    api.serve(function("echo", api, api.grant_post()))
    muted.serve(function("mute", muted))
    pulumi.export("url", api.url)
    pulumi.export("muted", muted.url)


@pytest.fixture(scope="module")
def echo_client(deploy_blocks: DeployBlocks) -> EchoClient:
    return EchoClient(deploy_blocks(register_apis, CODE))


def test_a_message_is_answered_with_the_functions_result(echo_client: EchoClient) -> None:
    with echo_client.connect() as client:
        answer = ask(client, action="say", text='she said "no", \\ twice')
        assert (answer["type"], answer["text"]) == ("said", 'she said "no", \\ twice')
        assert (answer["context"]["routeKey"], answer["context"]["messageDirection"]) == ("$default", "IN")
        second_answer = ask(client, action="say")
        assert second_answer["context"]["connectionId"] == answer["context"]["connectionId"]
        assert second_answer["context"]["connectedAt"] == answer["context"]["connectedAt"]


@pytest.mark.parametrize(
    ("query", "status"), [("401", 401), ("403", 403), ("500", 500), ("raise", 502), ("protocol", 502)]
)
def test_a_refused_connection_gets_the_functions_status(echo_client: EchoClient, query: str, status: int) -> None:
    with pytest.raises(InvalidStatus) as error:
        echo_client.connect(f"?refuse={query}")
    assert error.value.response.status_code == status
    assert b"canary" not in (error.value.response.body or b"")


def test_the_connection_has_the_subprotocol_that_the_function_chose(echo_client: EchoClient) -> None:
    with echo_client.connect(protocols=["polyphony", "token.canary"]) as client:
        assert client.subprotocol == "polyphony"
    with echo_client.connect() as client:
        assert client.subprotocol is None


def test_posting_to_a_closed_connection_returns_gone(echo_client: EchoClient) -> None:
    with echo_client.connect() as closed_client:
        closed_connection = ask(closed_client, action="say")["context"]["connectionId"]
    with echo_client.connect() as client:

        def post_error() -> str | None:
            error: str | None = ask(client, action="post", text="x", to=closed_connection)["error"]
            return error

        assert eventually(post_error, "an error of the call") == "GoneException"


def test_posting_needs_a_grant_and_is_in_the_decision_log(echo_client: EchoClient) -> None:
    with echo_client.connect() as client:
        assert ask(client, action="post", text="x")["type"] == "push"
        assert json.loads(client.recv(timeout=20))["error"] is None
    with echo_client.connect(api="muted") as client:
        assert ask(client, action="post", text="x")["error"] is not None
    decisions = {
        (decision.role, decision.verdict)
        for decision in echo_client.stack.decisions()
        if decision.action == "execute-api:ManageConnections"
    }
    assert ("polyphony-test-ingestion-echo", AccessVerdict.ALLOW) in decisions
    assert ("polyphony-test-ingestion-mute", AccessVerdict.IMPLICIT_DENY) in decisions


@pytest.mark.parametrize(
    "message",
    [{"action": "fail"}, {"action": "malformed", "returns": {"statusCode": "canary"}}],
    ids=["raised", "malformed"],
)
def test_a_failed_function_gives_an_error_without_details(echo_client: EchoClient, message: dict[str, Any]) -> None:
    with echo_client.connect() as client:
        answer = ask(client, **message)
        assert answer == {
            "message": "Internal server error",
            "connectionId": answer["connectionId"],
            "requestId": answer["requestId"],
        }


def test_a_function_without_the_apis_permission_is_not_called(echo_client: EchoClient) -> None:
    functions, name = echo_client.stack.clients("lambda"), echo_client.stack.ids["ingestion-mute-function"]
    [statement] = json.loads(functions.get_policy(FunctionName=name, Qualifier="live")["Policy"])["Statement"]
    assert statement["Condition"] == {
        "ArnLike": {
            "AWS:SourceArn": f"arn:aws:execute-api:us-east-1:123456789012:{echo_client.stack.ids['ingestion-muted-api']}/live/*"
        }
    }
    with echo_client.connect(api="muted") as client:
        functions.remove_permission(FunctionName=name, StatementId=statement["Sid"], Qualifier="live")
        assert ask(client, action="post", text="x")["message"] == "Internal server error"

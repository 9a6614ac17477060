"""Tests of the blocks `RestApi` and `WebSocketApi`: their APIs on an emulator answer clients as on AWS.

The tests of the whole platform use both blocks, too, with an authorizer function, signed handshakes and subprotocols.
"""

import json
import zipfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any

import pulumi
import pytest
from pydantic import Field
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect
from websockets.sync.connection import Connection

from components import handler_archive
from components.blocks.function import Function
from components.blocks.rest_api import RestApi
from components.blocks.websocket_api import WebSocketApi
from components.foundation import create_api_log_role
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation, RestOperation
from local.emulation.iam.policy_evaluator import AccessVerdict
from local.flows.http_requests import Answer, ask, send
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.small_stack import SmallStack
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("blocks")]

CODE = """
import importlib, json, os

def handler(event, context):
    context = event["requestContext"]
    if "eventType" in context:
        return handle_websocket(event, context)
    note = json.loads(event["body"]) if event["body"] else {}
    if note.get("title") == "raise":
        raise ValueError("canary")
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "https://page.example.com"}
    body = {"note": note, "path": event["pathParameters"]}
    return {"statusCode": 201 if note else 200, "headers": headers, "body": json.dumps(body)}

def handle_websocket(event, context):
    if context["eventType"] == "CONNECT":
        if (event.get("queryStringParameters") or {}).get("refuse"):
            raise ValueError("canary")
        return {"statusCode": 200}
    if context["eventType"] == "DISCONNECT":
        return {"statusCode": 200}
    if event["body"] == "raise":
        raise ValueError("canary")
    if event["body"] == "post":
        return {"statusCode": 200, "body": post(context["connectionId"])}
    return {"statusCode": 200, "body": json.dumps([event["body"], context["routeKey"], context["connectionId"]])}

def post(connection):
    boto3 = importlib.import_module("boto3")  # the function has no layer, but the emulator has the package
    client = boto3.client("apigatewaymanagementapi", endpoint_url=os.environ["CALLBACK_URL"])
    try:
        client.post_to_connection(ConnectionId=connection, Data=b"pushed")
    except client.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return "posted"
"""
"""Code of the APIs' functions. It answers a request with parts of its event."""
ORIGIN = "https://page.example.com"


class NotePath(Message):
    note_id: str


class NewNote(Message):
    title: Annotated[str, Field(min_length=1, max_length=20)]


class Note(Message):
    note: NewNote


class CallbackEnvironment(HandlerEnvironment):
    callback_url: str


OPERATIONS: tuple[AnyRestOperation, ...] = (
    RestOperation("createNote", "POST", "/notes", "Create a note.", body=NewNote, answer=Note, statuses=(201,)),
    RestOperation("readNote", "GET", "/notes/{noteId}", "Read a note.", parameters=NotePath, answer=Note),
)


class EchoFunction(Function):
    """Function with the code `CODE`."""

    @property
    def module(self) -> str:
        return "echo"


def register_apis() -> None:
    """Register two REST APIs and two WebSocket APIs, and export the URL of each under its name.

    The REST API `slow` has a low limit of requests. The function of the WebSocket API `muted` may not post to connections.
    """
    test_scope = scope(layers=[], prerequisites=[create_api_log_role(scope())])
    settings = FunctionSettings.model_validate({"timeoutSeconds": 20})
    echo = EchoFunction(test_scope, "echo", settings=settings, environment=HandlerEnvironment)
    for name, requests_per_second in (("open", 50), ("slow", 1)):
        api = RestApi(
            test_scope,
            name,
            display_name="Notes",
            cors_origin=ORIGIN,
            operations=OPERATIONS,
            function=echo,
            requests_per_second=requests_per_second,
            client_errors_above=100,
            latency_above_ms=2_000,
        )
        pulumi.export(name, api.url)
    for name in ("live", "muted"):
        websocket_api = WebSocketApi(test_scope, name, display_name=name, stage="live", requests_per_second=50)
        grants = [websocket_api.grant_post()] if name == "live" else []
        function = EchoFunction(
            test_scope,
            f"{name}-echo",
            settings=settings,
            environment=CallbackEnvironment,
            values={"callback_url": websocket_api.callback_url},
            uses=grants,
        )
        websocket_api.serve(function)
        pulumi.export(name, websocket_api.url)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallStack]:
    folder = tmp_path_factory.mktemp("apis")
    with zipfile.ZipFile(folder / "echo.zip", "w") as archive:
        archive.writestr("echo.py", CODE)
    with emulator.start(folder) as started, pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler_archive, "write_archive", lambda _entry_module: folder / "echo.zip")
        stack = SmallStack(started.emulator, EmulatorClients(started.emulator.endpoint))
        stack.up(register_apis)
        yield stack


def request(
    stack: SmallStack,
    method: str,
    path: str,
    body: object = None,
    headers: Mapping[str, str] | None = None,
    api: str = "open",
) -> Answer:
    """Send a request to an API. Bytes are sent unchanged, any other body as JSON."""
    url = stack.outputs[api] + path
    return send(method, url, body, headers) if isinstance(body, bytes) else ask(method, url, body, headers)


def error_status_and_code(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error, and check the parts that every error has."""
    assert set(answer.body) == {"code", "message", "fields", "requestId"}
    assert (answer.body["fields"], bool(answer.body["requestId"])) == ([], True)
    assert b"$" not in answer.data, "a variable of the error's template was not replaced"
    assert b"canary" not in answer.data, "the function's own error must not be returned"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    return answer.status, answer.body["code"]


def test_a_rest_api_answers_requests_and_cors_preflights(stack: SmallStack) -> None:
    created = request(stack, "POST", "/notes", {"title": "x"})
    assert (created.status, created.body["note"]) == (201, {"title": "x"})
    assert request(stack, "GET", "/notes/7").body["path"] == {"noteId": "7"}
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = request(stack, "OPTIONS", "/notes", headers=preflight)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert "POST" in answer.headers["Access-Control-Allow-Methods"].split(",")
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_every_error_has_the_same_members_and_no_internal_details(stack: SmallStack) -> None:
    image = {"Content-Type": "image/png"}
    assert error_status_and_code(request(stack, "POST", "/notes", {})) == (400, "MALFORMED")
    assert error_status_and_code(request(stack, "POST", "/other", b"x", image)) == (415, "UNSUPPORTED_MEDIA_TYPE")
    assert error_status_and_code(request(stack, "POST", "/notes", {"title": "raise"})) == (502, "INTERNAL")


def test_too_many_requests_are_throttled(stack: SmallStack) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: request(stack, "GET", "/notes/7", api="slow"), range(8)))
    refused = [error_status_and_code(answer) for answer in answers if answer.status != 200]
    assert set(refused) == {(429, "THROTTLED")}
    assert len(refused) < len(answers), "a burst of two requests is admitted"


def talk(client: Connection, message: str) -> Any:
    client.send(message)
    return json.loads(client.recv(timeout=20))


def open_connection(stack: SmallStack, api: str = "live", query: str = "") -> Connection:
    return connect(f"{stack.outputs[api]}{query}", proxy=None)


def test_a_websocket_api_answers_messages_and_reports_failures_without_details(stack: SmallStack) -> None:
    with open_connection(stack) as client:
        [text, route, connection_id] = talk(client, 'she said "no", \\ twice')
        assert (text, route) == ('she said "no", \\ twice', "$default")
        answer = talk(client, "raise")
        assert answer == {
            "message": "Internal server error",
            "connectionId": connection_id,
            "requestId": answer["requestId"],
        }
    with pytest.raises(InvalidStatus) as error:
        open_connection(stack, query="?refuse=yes")
    assert error.value.response.status_code == 502
    assert b"canary" not in (error.value.response.body or b"")


def test_posting_to_a_connection_needs_a_grant_and_is_in_the_decision_log(stack: SmallStack) -> None:
    with open_connection(stack) as client:
        client.send("post")
        assert {client.recv(timeout=20), client.recv(timeout=20)} == {"pushed", "posted"}
    with open_connection(stack, "muted") as client:
        client.send("post")
        assert client.recv(timeout=20) not in {"pushed", "posted"}
    verdicts = {
        decision.role.rpartition("ingestion-")[2]: decision.verdict
        for decision in stack.decisions()
        if decision.action == "execute-api:ManageConnections"
    }
    assert verdicts == {"live-echo": AccessVerdict.ALLOW, "muted-echo": AccessVerdict.IMPLICIT_DENY}


def test_a_function_without_the_permission_of_its_api_is_not_called(stack: SmallStack) -> None:
    """The permissions are not restored, so this is the last test."""
    functions = stack.clients("lambda")
    with open_connection(stack, "muted") as client:
        for function, api in (("echo", "open"), ("muted-echo", "muted")):
            name = stack.ids[f"ingestion-{function}-function"]
            functions.remove_permission(FunctionName=name, StatementId=f"ingestion-{api}", Qualifier="live")
        assert error_status_and_code(request(stack, "GET", "/notes/7")) == (500, "INTERNAL")
        assert talk(client, "hello")["message"] == "Internal server error"

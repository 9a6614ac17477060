"""Tests of the block `RestApi`: its APIs on an emulator answer HTTP requests as on AWS."""

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Annotated, Any

import pulumi
import pytest
from pydantic import Field

from components.blocks.rest_api import RestApi
from components.foundation import create_api_log_role
from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation, RestOperation
from local.flows.http_requests import Answer, ask, send
from tests.end_to_end.conftest import DeployBlocks
from tests.end_to_end.small_stack import SmallStack, echo_function
from tests.fake_engine import scope

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("blocks")]

CODE = """
import json

def handler(event, context):
    if event.get("type") == "TOKEN":
        return authorize(event)
    note = json.loads(event["body"]) if event["body"] else {}
    if note.get("title") == "raise":
        raise ValueError("canary-traceback")
    answer = {name: event[name] for name in ("httpMethod", "resource", "pathParameters", "queryStringParameters")}
    answer["caller"] = event["requestContext"].get("authorizer", {}).get("principalId")
    headers = {"Content-Type": "application/json", "Access-Control-Allow-Origin": "https://page.example.com"}
    return {"statusCode": 201 if note else 200, "headers": headers, "body": json.dumps({"note": note, **answer})}

def authorize(event):
    token = event["authorizationToken"]
    if token == "Bearer wrong":
        raise Exception("Unauthorized")
    if token == "Bearer unverifiable":
        raise ValueError("canary-authorizer")
    effect = "Allow" if token == "Bearer right" else "Deny"
    all_methods = "/".join(event["methodArn"].split("/")[:2]) + "/*"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": all_methods}
    return {"principalId": "the-caller", "policyDocument": {"Version": "2012-10-17", "Statement": [statement]}}
"""
"""Code of two functions: one answers a request with the parts of its event, the other authorizes the callers."""
ORIGIN = "https://page.example.com"


class NotePath(Message):
    note_id: str


class NoteQuery(Message):
    limit: int = 10
    owner: str


class Tag(Message):
    name: Annotated[str, Field(min_length=1)]


class NewNote(Message):
    title: Annotated[str, Field(min_length=1, max_length=20)]
    stars: Annotated[int, Field(gt=0)] | None = None
    tags: tuple[Tag, ...] = ()


class Note(Message):
    note: NewNote


OPERATIONS: tuple[AnyRestOperation, ...] = (
    RestOperation("createNote", "POST", "/notes", "Create a note.", body=NewNote, answer=Note, statuses=(201,)),
    RestOperation("listNotes", "GET", "/notes", "List notes.", query=NoteQuery, answer=Note),
    RestOperation("readNote", "GET", "/notes/{noteId}", "Read a note.", parameters=NotePath, answer=Note),
)


@dataclass
class NotesClient:
    """Deployed stack with an HTTP client for its APIs."""

    stack: SmallStack

    def request(
        self, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None, api: str = "open"
    ) -> Answer:
        """Send a request to an API. Bytes are sent unchanged, any other body as JSON."""
        url = self.stack.outputs[api] + path
        if isinstance(body, bytes):
            return send(method, url, body, {"Content-Type": "application/json", **(headers or {})})
        return ask(method, url, body, headers)


def register_apis() -> None:
    """Register three APIs with the same operations, and export the URL of each under its name."""
    test_scope = scope(layers=[], prerequisites=[create_api_log_role(scope())])
    echo, authorizer = echo_function("echo", test_scope), echo_function("authorizer", test_scope)

    def api(name: str, **changes: Any) -> None:
        arguments: dict[str, Any] = {
            "display_name": "Notes",
            "cors_origin": ORIGIN,
            "operations": OPERATIONS,
            "function": echo,
            "requests_per_second": 50,
            "client_errors_above": 100,
            "latency_above_ms": 2_000,
        }
        pulumi.export(name, RestApi(test_scope, name, **{**arguments, **changes}).url)

    api("open")
    api("authorized", authorizer=authorizer, authorizer_seconds=60)
    api("slow", requests_per_second=1)


@pytest.fixture(scope="module")
def notes(deploy_blocks: DeployBlocks) -> NotesClient:
    return NotesClient(deploy_blocks(register_apis, CODE))


def error_status_and_code(answer: Answer) -> tuple[int, str]:
    """Return status and code of an error, and check the parts that every error has."""
    assert set(answer.body) == {"code", "message", "fields", "requestId"}
    assert answer.body["fields"] == []
    assert answer.body["requestId"]
    assert b"$" not in answer.data, "a variable of the error's template was not replaced"
    assert b"canary" not in answer.data, "the function's own error must not be returned"
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    return answer.status, answer.body["code"]


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "error"),
    [
        ("POST", "/notes", {}, {}, (400, "MALFORMED")),
        ("POST", "/notes", {"title": "x", "tags": [{"name": 1}]}, {}, (400, "MALFORMED")),
        ("POST", "/notes", b"{", {}, (400, "MALFORMED")),
        ("POST", "/other", b"x", {"Content-Type": "image/png"}, (415, "UNSUPPORTED_MEDIA_TYPE")),
        ("POST", "/notes", {"title": "raise"}, {}, (502, "INTERNAL")),
    ],
    ids=["missing member", "wrong type", "no JSON", "unsupported content type", "failed function"],
)
def test_every_error_has_the_same_members_and_no_internal_details(
    notes: NotesClient, method: str, path: str, body: object, headers: dict[str, str], error: tuple[int, str]
) -> None:
    assert error_status_and_code(notes.request(method, path, body, headers)) == error


def test_a_missing_parameter_is_named(notes: NotesClient) -> None:
    answer = notes.request("GET", "/notes")
    assert error_status_and_code(answer) == (400, "MALFORMED")
    assert "[owner]" in answer.body["message"]


def test_a_cors_preflight_request_is_answered(notes: NotesClient) -> None:
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    answer = notes.request("OPTIONS", "/notes", headers=preflight)
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert {"GET", "POST"} <= set(answer.headers["Access-Control-Allow-Methods"].split(","))
    assert "Authorization" in answer.headers["Access-Control-Allow-Headers"]


def test_an_authorizer_function_accepts_and_refuses_callers(notes: NotesClient) -> None:
    def read_note(token: str | None, path: str = "/notes/7") -> Answer:
        return notes.request("GET", path, headers={"Authorization": token} if token else {}, api="authorized")

    assert error_status_and_code(read_note(None)) == (401, "UNAUTHORIZED")
    assert error_status_and_code(read_note("Bearer wrong")) == (401, "UNAUTHORIZED")
    assert error_status_and_code(read_note("Bearer other")) == (401, "UNAUTHORIZED")
    assert error_status_and_code(read_note("Bearer unverifiable")) == (503, "UNAVAILABLE")
    assert (read_note("Bearer right").status, read_note("Bearer right").body["caller"]) == (200, "the-caller")
    assert read_note("Bearer right", "/notes?owner=me").status == 200, "a cached authorization applies to all paths"


def test_too_many_requests_are_throttled(notes: NotesClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: notes.request("GET", "/notes/7", api="slow"), range(8)))
    refused = [error_status_and_code(answer) for answer in answers if answer.status != 200]
    assert set(refused) == {(429, "THROTTLED")}
    assert len(refused) < len(answers), "a burst of two requests is admitted"


@pytest.mark.parametrize(
    ("name", "api", "statement_id", "expected_status"),
    [("echo", "open", "ingestion-open", 200), ("authorizer", "authorized", "ingestion-authorized-authorizer", 401)],
)
def test_a_function_without_the_gateways_permission_is_not_called(
    notes: NotesClient, name: str, api: str, statement_id: str, expected_status: int
) -> None:
    functions, function = notes.stack.clients("lambda"), f"polyphony-test-ingestion-{name}"
    policy = json.loads(functions.get_policy(FunctionName=function, Qualifier="live")["Policy"])
    (source,) = [
        entry["Condition"]["ArnLike"]["AWS:SourceArn"] for entry in policy["Statement"] if entry["Sid"] == statement_id
    ]
    arguments = {"FunctionName": function, "StatementId": statement_id, "Qualifier": "live"}
    other_token = {"Authorization": "Bearer unknown"}
    functions.remove_permission(**arguments)
    try:
        assert error_status_and_code(notes.request("GET", "/notes/7", headers=other_token, api=api)) == (
            500,
            "INTERNAL",
        )
    finally:
        functions.add_permission(
            **arguments, Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn=source
        )
    assert notes.request("GET", "/notes/7", headers=other_token, api=api).status == expected_status

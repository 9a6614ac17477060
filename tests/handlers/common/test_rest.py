"""Tests of the REST dispatcher, which validates each request and answer by the definition of its operation."""

import json
from collections.abc import Callable
from typing import Annotated, Any

import pytest
from pydantic import Field, StringConstraints

from handlers.common.ids import DEFAULT_OWNER
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.rest import AnyRestOperation, RestAnswer, RestDispatcher, RestOperation, RestRequest

ORIGIN = "https://example.org"
ANN = "A" * 32
CANARY = "canary-7f3a"


class BoxPath(Message):
    box_id: Annotated[str, StringConstraints(pattern="^[a-z]+$")]


class BoxQuery(Message):
    limit: Annotated[int, Field(ge=1, le=9)] = 3


class NewBox(Message):
    size: Annotated[int, Field(ge=1)]
    name: Annotated[str, StringConstraints(max_length=10)] = ""


class Box(Message):
    stored_size: Annotated[int, Field(ge=1)]
    note: str | None = None


class BoxWithSecret(Box):
    secret: str = CANARY


CREATE = RestOperation("create", "POST", "/boxes", "", body=NewBox, answer=Box, statuses=(201, 200))
GET = RestOperation("get", "GET", "/boxes/{boxId}", "", parameters=BoxPath, query=BoxQuery, answer=Box)
DELETE = RestOperation("delete", "DELETE", "/boxes/{boxId}", "", parameters=BoxPath, statuses=(204,))
VERIFY = RestOperation("verify", "POST", "/tokens", "", answer=Box, takes_token=True)
OPERATIONS: tuple[AnyRestOperation, ...] = (CREATE, GET, DELETE, VERIFY)
AnyRequest = RestRequest[Any, Any, Any]
AnyAnswer = RestAnswer[Any]


class RestHarness:
    """REST API with four operations. A test sets their common function, and inspects the requests that it got."""

    def __init__(self) -> None:
        self.requests: list[AnyRequest] = []
        self.operation: Callable[[AnyRequest], AnyAnswer] = lambda _: RestAnswer(Box(stored_size=1))

    def send(self, operation: AnyRestOperation, **event_fields: Any) -> dict[str, Any]:
        def record_and_answer(request: AnyRequest) -> AnyAnswer:
            self.requests.append(request)
            return self.operation(request)

        bound = [item.bind(record_and_answer) for item in OPERATIONS]
        event = {"resource": operation.path, "httpMethod": operation.method, "requestContext": {"requestId": "r-1"}}
        path = {"pathParameters": {"boxId": "a"} if operation.parameters else None}
        return RestDispatcher(bound, origin=ORIGIN, log=EventLog("INFO")).handle(event | path | event_fields)

    def post(self, body: Any = '{"size": 1}', **event_fields: Any) -> dict[str, Any]:
        return self.send(CREATE, body=body, **event_fields)


@pytest.fixture
def harness() -> RestHarness:
    return RestHarness()


def error_of(response: dict[str, Any]) -> tuple[int, str]:
    """Return status and code of an error response. Check the parts that every error response has."""
    body = json.loads(response["body"])
    assert set(body) == {"code", "message", "fields", "requestId"}
    assert body["requestId"] == "r-1"
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["headers"]["Cache-Control"] == "no-store"
    return response["statusCode"], body["code"]


def test_a_valid_request_is_parsed_and_answered(harness: RestHarness) -> None:
    assert GET.route == "GET /boxes/{boxId}"
    response = harness.post()
    harness.send(GET, queryStringParameters={"limit": "7", "unknown": "x"})
    assert harness.requests == [
        RestRequest(DEFAULT_OWNER, None, None, NewBox(size=1)),
        RestRequest(DEFAULT_OWNER, BoxPath(box_id="a"), BoxQuery(limit=7), None),
    ]
    headers = {"Access-Control-Allow-Origin": ORIGIN, "Cache-Control": "no-store"}
    assert response["headers"] == {"Content-Type": "application/json", **headers}
    assert (response["statusCode"], response["body"]) == (200, '{"storedSize":1}')
    harness.operation = lambda _: RestAnswer(None, 204)
    assert harness.send(DELETE) == {"statusCode": 204, "headers": headers, "body": ""}


@pytest.mark.parametrize(
    ("operation", "request_parts", "field"),
    [
        (CREATE, {"body": '{"size": 0}'}, "size"),
        (CREATE, {"body": '{"size": "1"}'}, "size"),
        (GET, {"pathParameters": {"boxId": "UPPER"}}, "boxId"),
        (GET, {"queryStringParameters": {"limit": "10"}}, "limit"),
    ],
)
def test_an_invalid_body_path_or_query_is_refused_with_its_field_and_logged(
    harness: RestHarness,
    operation: AnyRestOperation,
    request_parts: dict[str, Any],
    field: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    response = harness.send(operation, **request_parts)
    assert error_of(response) == (400, "MALFORMED")
    assert [problem["field"] for problem in json.loads(response["body"])["fields"]] == [field]
    assert harness.requests == []
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["code"], logged["route"]) == ("request_refused", "MALFORMED", operation.name)


@pytest.mark.parametrize("body", [None, "[]", "[" * 100_000, "\ud800", '{"a":1}{'])
def test_a_body_that_is_not_a_json_object_is_refused(harness: RestHarness, body: Any) -> None:
    response = harness.post(body)
    assert error_of(response) == (400, "MALFORMED")
    assert "one JSON object" in json.loads(response["body"])["message"]


def raise_error(error: Exception) -> AnyAnswer:
    raise error


def test_the_owner_is_the_authorizers_user(harness: RestHarness) -> None:
    harness.post(requestContext={"requestId": "r-1", "authorizer": {"user": ANN, "principalId": "x"}})
    response = harness.post(requestContext={"requestId": "r-1", "authorizer": {"principalId": ANN}})
    assert error_of(response) == (500, "INTERNAL"), "and not the default owner"
    assert [request.owner for request in harness.requests] == [ANN]


@pytest.mark.parametrize(
    ("headers", "token"),
    [({"Accept": "x", "authorization": "bearer  a.b "}, "a.b"), ({"Authorization": "Basic a.b"}, ""), (None, "")],
)
def test_only_an_operation_that_verifies_the_token_itself_gets_it(
    harness: RestHarness, headers: Any, token: str
) -> None:
    harness.send(VERIFY, headers=headers)
    harness.send(DELETE, headers=headers)
    assert [request.token for request in harness.requests] == [token, ""]
    assert "a.b" not in repr(harness.requests)


@pytest.mark.parametrize(
    "answer",
    [
        *(RestAnswer(None), RestAnswer(Box(stored_size=1), 204), RestAnswer(NewBox(size=1))),
        RestAnswer(BoxWithSecret(stored_size=1)),
        *(RestAnswer(Box(stored_size=1).model_copy(update={"stored_size": size})) for size in (0, object())),
        RestAnswer(Box(stored_size=1, note="\ud800")),
    ],
)
def test_an_answer_that_violates_its_operation_is_not_sent(
    harness: RestHarness, answer: AnyAnswer, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.operation = lambda _: answer
    response = harness.post()
    assert error_of(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["error_type"], logged["level"], logged["route"]) == ("InvalidRestAnswer", "ERROR", "create")
    assert CANARY not in response["body"] + json.dumps(logged)


def test_an_internal_error_is_answered_without_details_and_logged_with_the_request_id(
    harness: RestHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.operation = lambda _: raise_error(KeyError(CANARY))
    response = harness.post(f'{{"size": 1, "other": "{CANARY}"}}')
    assert error_of(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["error_type"], logged["request_id"]) == ("request_failed", "KeyError", "r-1")
    assert logged["frames"].startswith("handlers/common/rest.py:"), "the place in the code"
    assert CANARY not in response["body"] + json.dumps(logged)

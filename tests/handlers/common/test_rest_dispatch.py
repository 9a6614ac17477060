"""Tests of the REST dispatcher, which validates each request and answer by the definition of its operation."""

import json
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, StringConstraints

from handlers.common.errors import HandlerError
from handlers.common.ids import DEFAULT_OWNER
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.rest import AnyRestOperation, RestAnswer, RestDispatcher, RestOperation, RestRequest
from handlers.common.websocket import WebSocketErrorCode
from tests.handlers.common.test_error_responses import JSON

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
OPERATIONS: tuple[AnyRestOperation, ...] = (CREATE, GET, DELETE)
AnyRequest = RestRequest[Any, Any, Any]
AnyAnswer = RestAnswer[Any]


class RestHarness:
    """REST API with three operations. A test sets their common function, and inspects the requests that it got."""

    def __init__(self) -> None:
        self.requests: list[AnyRequest] = []
        self.operation: Callable[[AnyRequest], AnyAnswer] = lambda _: RestAnswer(Box(stored_size=1))

    @cached_property
    def log(self) -> EventLog:
        """Logger, created by the test that first uses it, because a logger keeps the `sys.stdout` of its creation, which
        pytest replaces for each test.
        """
        return EventLog("DEBUG")

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        operations = [operation.bind(self._record_and_answer) for operation in OPERATIONS]
        return RestDispatcher(operations, origin=ORIGIN, log=self.log).handle(event)

    def post(self, body: Any = '{"size": 1}', **event_fields: Any) -> dict[str, Any]:
        return self._send("POST", "/boxes", body=body, **event_fields)

    def get(self, query: Any = None, path: Any = None) -> dict[str, Any]:
        parameters = {"boxId": "a"} if path is None else path
        return self._send("GET", "/boxes/{boxId}", pathParameters=parameters, queryStringParameters=query)

    def delete(self) -> dict[str, Any]:
        return self._send("DELETE", "/boxes/{boxId}", pathParameters={"boxId": "a"})

    def _send(self, method: str, resource: str, **event_fields: Any) -> dict[str, Any]:
        event = {"resource": resource, "httpMethod": method, "body": None, "requestContext": {"requestId": "r-1"}}
        return self.handle(event | event_fields)

    def _record_and_answer(self, request: AnyRequest) -> AnyAnswer:
        self.requests.append(request)
        return self.operation(request)


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
    response = harness.post()
    harness.get({"limit": "7", "unknown": "x"})
    assert harness.requests == [
        RestRequest(DEFAULT_OWNER, None, None, NewBox(size=1)),
        RestRequest(DEFAULT_OWNER, BoxPath(box_id="a"), BoxQuery(limit=7), None),
    ]
    headers = {"Access-Control-Allow-Origin": ORIGIN, "Cache-Control": "no-store"}
    assert response["headers"] == {"Content-Type": "application/json", **headers}
    assert (response["statusCode"], response["body"]) == (200, '{"storedSize":1}')
    harness.operation = lambda _: RestAnswer(None, 204)
    assert harness.delete() == {"statusCode": 204, "headers": headers, "body": ""}


@pytest.mark.parametrize(
    ("request_parts", "field"),
    [
        ({"body": '{"size": 0}'}, "size"),
        ({"body": '{"size": "1"}'}, "size"),
        ({"body": f'{{"size": 1, "name": "{CANARY}"}}'}, "name"),
        ({"path": {"boxId": "UPPER"}}, "boxId"),
        ({"query": {"limit": "10"}}, "limit"),
    ],
)
def test_an_invalid_body_path_or_query_is_refused_with_its_field(
    harness: RestHarness, request_parts: dict[str, Any], field: str
) -> None:
    response = harness.post(**request_parts) if "body" in request_parts else harness.get(**request_parts)
    assert error_of(response) == (400, "MALFORMED")
    assert [problem["field"] for problem in json.loads(response["body"])["fields"]] == [field]
    assert CANARY not in response["body"]
    assert harness.requests == []


@pytest.mark.parametrize("body", [None, "", CANARY, "[]", "[" * 100_000, '{"name": "\\ud800"}', "\ud800", '{"a":1}{'])
def test_a_body_that_is_not_a_json_object_is_refused(harness: RestHarness, body: Any) -> None:
    response = harness.post(body)
    assert error_of(response) == (400, "MALFORMED")
    assert "one JSON object" in json.loads(response["body"])["message"]


def test_pages_of_another_origin_can_read_when_to_retry(harness: RestHarness) -> None:
    def raise_unavailable(_: AnyRequest) -> AnyAnswer:
        raise HandlerError(WebSocketErrorCode.UNAVAILABLE, "Busy.", retry_after_seconds=5)

    harness.operation = raise_unavailable
    response = harness.post()
    assert error_of(response) == (503, "UNAVAILABLE")
    assert response["headers"]["Retry-After"] == "5"
    assert response["headers"]["Access-Control-Expose-Headers"] == "Retry-After"


@pytest.mark.parametrize(
    "authorizer", [{"principalId": ANN}, {"user": None}, {"user": "everybody"}, {"user": f"{ANN}#"}]
)
def test_an_authorizer_without_a_valid_user_is_refused(harness: RestHarness, authorizer: Any) -> None:
    response = harness.post(requestContext={"requestId": "r-1", "authorizer": authorizer})
    assert error_of(response) == (401, "UNAUTHENTICATED")
    assert harness.requests == []


def test_the_owner_is_the_authorizers_user(harness: RestHarness) -> None:
    harness.post(requestContext={"requestId": "r-1", "authorizer": {"user": ANN, "principalId": "x"}})
    assert [request.owner for request in harness.requests] == [ANN]


def unvalidated_box(**values: Any) -> Box:
    construct: Callable[..., Box] = Box.model_construct
    return construct(**values)


@pytest.mark.parametrize(
    "answer",
    [
        RestAnswer(None),
        RestAnswer(Box(stored_size=1), 204),
        RestAnswer(NewBox(size=1)),
        RestAnswer(BoxWithSecret(stored_size=1)),
        RestAnswer(unvalidated_box()),
        RestAnswer(unvalidated_box(stored_size=0)),
        RestAnswer(unvalidated_box(stored_size=CANARY)),
        RestAnswer(unvalidated_box(stored_size=object())),
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
    def raise_key_error(_: AnyRequest) -> AnyAnswer:
        raise KeyError(CANARY)

    harness.operation = raise_key_error
    response = harness.post(f'{{"size": 1, "other": "{CANARY}"}}')
    assert error_of(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["error_type"], logged["request_id"]) == ("request_failed", "KeyError", "r-1")
    assert CANARY not in response["body"] + json.dumps(logged)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON.map(json.dumps) | st.text(st.characters()))
def test_any_body_is_accepted_or_refused(harness: RestHarness, body: str) -> None:
    assert harness.post(body)["statusCode"] in {200, 400}


if TYPE_CHECKING:  # mypy reports an unused `type: ignore` if it accepts a function that does not fit its operation
    CreateRequest = RestRequest[None, None, NewBox]

    def create(request: CreateRequest) -> RestAnswer[Box]:
        return RestAnswer(Box(stored_size=request.body.size))

    def create_from_other_body(_: RestRequest[None, None, Box]) -> RestAnswer[Box]: ...
    def create_for_other_path(_: RestRequest[BoxPath, None, NewBox]) -> RestAnswer[Box]: ...
    def answer_other_model(_: CreateRequest) -> RestAnswer[NewBox]: ...
    def answer_nothing(_: CreateRequest) -> RestAnswer[None]: ...

    CREATE.bind(create)
    CREATE.bind(create_from_other_body)  # type: ignore[arg-type]
    CREATE.bind(create_for_other_path)  # type: ignore[arg-type]
    CREATE.bind(answer_other_model)  # type: ignore[arg-type]
    CREATE.bind(answer_nothing)  # type: ignore[arg-type]
    GET.bind(create)  # type: ignore[arg-type]

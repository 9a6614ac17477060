"""Tests of the REST dispatcher, which validates each request and answer by the definition of its operation."""

import base64
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
from handlers.common.rest import (
    MAX_BODY_BYTES,
    AnyRestOperation,
    RestAnswer,
    RestDispatcher,
    RestOperation,
    RestRequest,
)
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


class UnrelatedBox(Message):
    """Model with the same field as `Box`, but without its validation."""

    stored_size: int = 1


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
    assert harness.requests == [RestRequest(DEFAULT_OWNER, None, None, NewBox(size=1))]
    assert response == {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Access-Control-Allow-Origin": ORIGIN,
            "Cache-Control": "no-store",
        },
        "body": '{"storedSize":1}',
    }


def test_path_and_query_are_parsed_and_unknown_query_parameters_ignored(harness: RestHarness) -> None:
    harness.get({"limit": "7", "unknown": "x"})
    harness.get(None)
    assert [(request.parameters, request.query) for request in harness.requests] == [
        (BoxPath(box_id="a"), BoxQuery(limit=7)),
        (BoxPath(box_id="a"), BoxQuery(limit=3)),
    ]


def test_an_answer_may_have_no_body(harness: RestHarness) -> None:
    harness.operation = lambda _: RestAnswer(None, 204)
    assert harness.delete() == {
        "statusCode": 204,
        "headers": {"Access-Control-Allow-Origin": ORIGIN, "Cache-Control": "no-store"},
        "body": "",
    }


@pytest.mark.parametrize(
    ("request_parts", "field"),
    [
        ({"body": '{"size": 0}'}, "size"),
        ({"body": "{}"}, "size"),
        ({"body": '{"size": "1"}'}, "size"),
        ({"body": '{"size": true}'}, "size"),
        ({"body": f'{{"size": 1, "name": "{CANARY}"}}'}, "name"),
        ({"body": '{"size": NaN}'}, "size"),
        *(({"path": path}, "boxId") for path in ({}, {"boxId": "UPPER"}, {"boxId": CANARY}, {"other": "a"})),
        *(({"query": {"limit": limit}}, "limit") for limit in ("0", "10", "", "x", CANARY)),
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


@pytest.mark.parametrize(
    "body", [None, "", CANARY, "[]", "null", '"x"', "1", "[" * 100_000, '{"name": "\\ud800"}', "\ud800", '{"a":1}{']
)
def test_a_body_that_is_not_a_json_object_is_refused(harness: RestHarness, body: Any) -> None:
    response = harness.post(body)
    assert error_of(response) == (400, "MALFORMED")
    assert "one JSON object" in json.loads(response["body"])["message"]
    assert CANARY not in response["body"]


def test_an_error_can_state_when_to_retry(harness: RestHarness) -> None:
    def raise_unavailable(_: AnyRequest) -> AnyAnswer:
        raise HandlerError(WebSocketErrorCode.UNAVAILABLE, "Busy.", retry_after_seconds=5)

    harness.operation = raise_unavailable
    response = harness.post()
    assert error_of(response) == (503, "UNAVAILABLE")
    assert response["headers"]["Retry-After"] == "5"
    assert response["headers"]["Access-Control-Expose-Headers"] == "Retry-After", "without it, pages cannot read it"


def test_a_body_that_is_too_large_is_refused(harness: RestHarness) -> None:
    template = '{"size": 1, "other": "%s"}'
    longest = template % ("x" * (MAX_BODY_BYTES - len(template) + 2))
    assert harness.post(longest)["statusCode"] == 200
    assert error_of(harness.post(longest + " ")) == (413, "TOO_LARGE")
    assert error_of(harness.post("é" * (MAX_BODY_BYTES // 2 + 1))) == (413, "TOO_LARGE"), "the limit is in bytes"


def test_a_base64_body_is_decoded(harness: RestHarness) -> None:
    encoded = base64.b64encode(b'{"size": 1}').decode()
    assert harness.post(encoded, isBase64Encoded=True)["statusCode"] == 200
    assert harness.requests[0].body == NewBox(size=1)
    for invalid in ("?", f"{encoded[:4]}?{encoded[4:]}", encoded[:-1]):
        assert error_of(harness.post(invalid, isBase64Encoded=True)) == (400, "MALFORMED")
    longest = base64.b64encode(b'{"size": 1}'.ljust(MAX_BODY_BYTES)).decode()
    assert harness.post(longest, isBase64Encoded=True)["statusCode"] == 200
    longer = base64.b64encode(b'{"size": 1}'.ljust(MAX_BODY_BYTES + 1)).decode()
    assert error_of(harness.post(longer, isBase64Encoded=True)) == (413, "TOO_LARGE")
    assert error_of(harness.post(longest * 2, isBase64Encoded=True)) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("request_context", "owner"),
    [
        (None, DEFAULT_OWNER),
        ({"authorizer": None}, DEFAULT_OWNER),
        ({"authorizer": {}}, DEFAULT_OWNER),
        ({"authorizer": {"user": ANN, "principalId": "x"}}, ANN),
    ],
)
def test_the_owner_is_the_authorizers_user_or_the_default_if_there_is_no_authorizer(
    harness: RestHarness, request_context: Any, owner: str
) -> None:
    harness.post(requestContext=request_context)
    assert [request.owner for request in harness.requests] == [owner]


@pytest.mark.parametrize(
    "authorizer",
    [
        {"principalId": ANN},
        {"user": ""},
        {"user": None},
        {"user": "everybody"},
        {"user": f"{ANN}#"},
        {"user": [ANN]},
        ANN,
    ],
)
def test_an_authorizer_without_a_valid_user_is_refused(harness: RestHarness, authorizer: Any) -> None:
    response = harness.post(requestContext={"requestId": "r-1", "authorizer": authorizer})
    assert error_of(response) == (401, "UNAUTHENTICATED")
    assert harness.requests == []


def unvalidated_box(**values: Any) -> Box:
    construct: Callable[..., Box] = Box.model_construct
    return construct(**values)


@pytest.mark.parametrize(
    "answer",
    [
        RestAnswer(None),
        RestAnswer(Box(stored_size=1), 204),
        RestAnswer(Box(stored_size=1), 404),
        RestAnswer(NewBox(size=1)),
        RestAnswer(UnrelatedBox()),
        RestAnswer(unvalidated_box(stored_size=0)),
        RestAnswer(unvalidated_box()),
        RestAnswer(unvalidated_box(stored_size=CANARY)),
        RestAnswer(unvalidated_box(stored_size=object())),
        RestAnswer(Box(stored_size=1).model_copy(update={"stored_size": None})),
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
    assert (logged["message"], logged["level"], logged["route"]) == ("answer_broken", "ERROR", "create")
    assert CANARY not in response["body"] + json.dumps(logged)


def test_undeclared_bodies_and_fields_are_not_sent(harness: RestHarness) -> None:
    harness.operation = lambda _: RestAnswer(Box(stored_size=1), 204)
    assert error_of(harness.delete()) == (500, "INTERNAL")
    harness.operation = lambda _: RestAnswer(BoxWithSecret(stored_size=1))
    assert harness.post()["body"] == '{"storedSize":1}'


def test_an_internal_error_is_answered_without_details(
    harness: RestHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    def raise_key_error(_: AnyRequest) -> AnyAnswer:
        raise KeyError(CANARY)

    harness.operation = raise_key_error
    response = harness.post(f'{{"size": 1, "other": "{CANARY}"}}')
    assert error_of(response) == (500, "INTERNAL")
    logged = capsys.readouterr().out
    assert '"request_failed"' in logged
    assert '"KeyError"' in logged
    assert CANARY not in response["body"] + logged
    assert "Traceback" not in logged


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON.map(json.dumps) | st.text(st.characters()), encoded=st.booleans())
def test_any_body_is_accepted_or_refused(harness: RestHarness, body: str, encoded: bool) -> None:
    assert harness.post(body, isBase64Encoded=encoded)["statusCode"] in {200, 400}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.dictionaries(
        st.sampled_from(["body", "isBase64Encoded", "pathParameters", "queryStringParameters", "requestContext"]),
        st.none() | st.text() | st.integers() | st.dictionaries(st.text(), JSON),
    ),
    method=st.sampled_from(["POST", "GET"]),
)
def test_no_event_raises_an_exception(harness: RestHarness, event: dict[str, Any], method: str) -> None:
    resource = "/boxes" if method == "POST" else "/boxes/{boxId}"
    response = harness.handle(event | {"resource": resource, "httpMethod": method})
    # Clients cannot change the request context, which API Gateway sets.
    has_valid_context = isinstance(event.get("requestContext") or {}, dict)
    assert response["statusCode"] in ({200, 400, 401} if has_valid_context else {200, 400, 401, 500})
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN


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

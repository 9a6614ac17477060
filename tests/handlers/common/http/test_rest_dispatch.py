"""Tests of the REST dispatcher: validation of requests and answers, and errors."""

import base64
import json
from collections.abc import Callable
from functools import cached_property
from typing import Annotated, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, StringConstraints

from handlers.common.error_responses import HandlerError
from handlers.common.http.rest_dispatch import MAX_BODY_BYTES, RestAnswer, RestDispatcher, RestRequest
from handlers.common.http.rest_operation import RestOperation
from handlers.common.identity.user_ids import DEFAULT_OWNER
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket.message_dispatch import WebSocketErrorCode
from tests.handlers.common.test_error_responses import JSON

ORIGIN = "https://example.org"
ANN = "A" * 32
CANARY = "canary-7f3a"


class Which(Message):
    thing_id: Annotated[str, StringConstraints(pattern="^[a-z]+$")]


class Window(Message):
    limit: Annotated[int, Field(ge=1, le=9)] = 3


class NewThing(Message):
    size: Annotated[int, Field(ge=1)]
    name: Annotated[str, StringConstraints(max_length=10)] = ""


class Thing(Message):
    size_seen: Annotated[int, Field(ge=1)]
    note: str | None = None


class OtherThing(Thing):
    secret: str = CANARY


class Lookalike(Message):
    size_seen: int = 1


OPERATIONS = (
    RestOperation(
        name="create", method="POST", path="/things", summary="", body=NewThing, answer=Thing, statuses=(201, 200)
    ),
    RestOperation(
        name="get", method="GET", path="/things/{thingId}", summary="", parameters=Which, query=Window, answer=Thing
    ),
    RestOperation(
        name="delete", method="DELETE", path="/things/{thingId}", summary="", parameters=Which, statuses=(204,)
    ),
)


class RestHarness:
    """REST API with operations whose functions a test sets."""

    def __init__(self) -> None:
        self.calls: list[RestRequest] = []
        self.act: Callable[[RestRequest], RestAnswer] = lambda _: RestAnswer(Thing(size_seen=1))

    @cached_property
    def log(self) -> EventLog:
        """Logger, created in the test that first uses it, because a logger keeps the standard output that it finds."""
        return EventLog("DEBUG")

    def asks(
        self, method: str = "POST", resource: str = "/things", body: Any = '{"size": 1}', **more: Any
    ) -> dict[str, Any]:
        event = {"resource": resource, "httpMethod": method, "body": body, "requestContext": {"requestId": "r-1"}}
        return self.handle(event | more)

    def handle(self, event: dict[str, Any]) -> dict[str, Any]:
        actions = dict.fromkeys(("create", "get", "delete"), self._record_and_act)
        return RestDispatcher(OPERATIONS, actions, origin=ORIGIN, log=self.log).handle(event)

    def gets(self, query: Any = None, path: Any = None) -> dict[str, Any]:
        parameters = {"thingId": "a"} if path is None else path
        return self.asks("GET", "/things/{thingId}", None, pathParameters=parameters, queryStringParameters=query)

    def deletes(self) -> dict[str, Any]:
        return self.asks("DELETE", "/things/{thingId}", None, pathParameters={"thingId": "a"})

    def _record_and_act(self, call: RestRequest) -> RestAnswer:
        self.calls.append(call)
        return self.act(call)


@pytest.fixture
def harness() -> RestHarness:
    return RestHarness()


def refused(response: dict[str, Any]) -> tuple[int, str]:
    body = json.loads(response["body"])
    assert set(body) == {"code", "message", "fields", "requestId"}
    assert body["requestId"] == "r-1"
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["headers"]["Cache-Control"] == "no-store"
    return response["statusCode"], body["code"]


def test_a_valid_request_is_parsed_and_answered(harness: RestHarness) -> None:
    response = harness.asks()
    assert harness.calls == [RestRequest(owner=DEFAULT_OWNER, body=NewThing(size=1))]
    assert response == {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Access-Control-Allow-Origin": ORIGIN,
            "Cache-Control": "no-store",
        },
        "body": '{"sizeSeen":1}',
    }


def test_path_and_query_are_parsed_too(harness: RestHarness) -> None:
    harness.gets({"limit": "7", "unknown": "x"})
    harness.gets(None)
    assert [(call.parameters, call.query) for call in harness.calls] == [
        (Which(thing_id="a"), Window(limit=7)),
        (Which(thing_id="a"), Window(limit=3)),
    ]


def test_an_answer_may_have_no_body(harness: RestHarness) -> None:
    harness.act = lambda _: RestAnswer(status=204)
    assert harness.deletes() == {
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
        *(({"path": path}, "thingId") for path in ({}, {"thingId": "UPPER"}, {"thingId": CANARY}, {"other": "a"})),
        *(({"query": {"limit": limit}}, "limit") for limit in ("0", "10", "", "x", CANARY)),
    ],
)
def test_an_invalid_body_path_or_query_is_refused_with_its_field(
    harness: RestHarness, request_parts: dict[str, Any], field: str
) -> None:
    response = harness.asks(**request_parts) if "body" in request_parts else harness.gets(**request_parts)
    assert refused(response) == (400, "MALFORMED")
    assert [problem["field"] for problem in json.loads(response["body"])["fields"]] == [field]
    assert CANARY not in response["body"]
    assert harness.calls == []


@pytest.mark.parametrize(
    "body", [None, "", CANARY, "[]", "null", '"x"', "1", "[" * 100_000, '{"name": "\\ud800"}', "\ud800", '{"a":1}{']
)
def test_a_body_that_is_not_a_json_object_is_refused(harness: RestHarness, body: Any) -> None:
    response = harness.asks(body=body)
    assert refused(response) == (400, "MALFORMED")
    assert "one JSON object" in json.loads(response["body"])["message"]
    assert CANARY not in response["body"]


def test_an_error_can_state_when_to_retry(harness: RestHarness) -> None:
    def busy(_: RestRequest) -> RestAnswer:
        raise HandlerError(WebSocketErrorCode.UNAVAILABLE, "Busy.", retry_after_seconds=5)

    harness.act = busy
    response = harness.asks()
    assert refused(response) == (503, "UNAVAILABLE")
    assert response["headers"]["Retry-After"] == "5"
    assert response["headers"]["Access-Control-Expose-Headers"] == "Retry-After", "otherwise no page could read it"


def test_a_body_that_is_too_large_is_refused(harness: RestHarness) -> None:
    filled = '{"size": 1, "other": "%s"}'
    longest = filled % ("x" * (MAX_BODY_BYTES - len(filled) + 2))
    assert harness.asks(body=longest)["statusCode"] == 200
    assert refused(harness.asks(body=longest + " ")) == (413, "TOO_LARGE")
    assert refused(harness.asks(body="é" * (MAX_BODY_BYTES // 2 + 1))) == (413, "TOO_LARGE"), "bytes count"


def test_a_base64_body_is_decoded(harness: RestHarness) -> None:
    encoded = base64.b64encode(b'{"size": 1}').decode()
    assert harness.asks(body=encoded, isBase64Encoded=True)["statusCode"] == 200
    assert harness.calls[0].body == NewThing(size=1)
    for broken in ("?", f"{encoded[:4]}?{encoded[4:]}", encoded[:-1]):
        assert refused(harness.asks(body=broken, isBase64Encoded=True)) == (400, "MALFORMED")
    longest = base64.b64encode(b'{"size": 1}'.ljust(MAX_BODY_BYTES)).decode()
    assert harness.asks(body=longest, isBase64Encoded=True)["statusCode"] == 200
    longer = base64.b64encode(b'{"size": 1}'.ljust(MAX_BODY_BYTES + 1)).decode()
    assert refused(harness.asks(body=longer, isBase64Encoded=True)) == (413, "TOO_LARGE")
    assert refused(harness.asks(body=longest * 2, isBase64Encoded=True)) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    ("context", "owner"),
    [
        (None, DEFAULT_OWNER),
        ({"authorizer": None}, DEFAULT_OWNER),
        ({"authorizer": {}}, DEFAULT_OWNER),
        ({"authorizer": {"user": ANN, "principalId": "x"}}, ANN),
    ],
)
def test_the_owner_is_the_authorizers_user_or_without_authorizer_the_default(
    harness: RestHarness, context: Any, owner: str
) -> None:
    harness.asks(requestContext=context)
    assert [call.owner for call in harness.calls] == [owner]


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
    response = harness.asks(requestContext={"requestId": "r-1", "authorizer": authorizer})
    assert refused(response) == (401, "UNAUTHENTICATED")
    assert harness.calls == []


def _broken(**values: Any) -> Thing:
    """Return an answer that was constructed without validation."""
    construct: Callable[..., Thing] = Thing.model_construct
    return construct(**values)


@pytest.mark.parametrize(
    "answer",
    [
        RestAnswer(),
        RestAnswer(Thing(size_seen=1), 204),
        RestAnswer(Thing(size_seen=1), 404),
        RestAnswer(NewThing(size=1)),
        RestAnswer(Lookalike()),
        RestAnswer(_broken(size_seen=0)),
        RestAnswer(_broken()),
        RestAnswer(_broken(size_seen=CANARY)),
        RestAnswer(_broken(size_seen=object())),
        RestAnswer(Thing(size_seen=1).model_copy(update={"size_seen": None})),
        RestAnswer(Thing(size_seen=1, note="\ud800")),
    ],
)
def test_an_answer_that_violates_its_operation_is_not_sent(
    harness: RestHarness, answer: RestAnswer, capsys: pytest.CaptureFixture[str]
) -> None:
    harness.act = lambda _: answer
    response = harness.asks()
    assert refused(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["level"], logged["route"]) == ("answer_broken", "ERROR", "create")
    assert CANARY not in response["body"] + json.dumps(logged)


def test_undeclared_bodies_and_fields_are_not_sent(harness: RestHarness) -> None:
    harness.act = lambda _: RestAnswer(Thing(size_seen=1), 204)
    assert refused(harness.deletes()) == (500, "INTERNAL")
    harness.act = lambda _: RestAnswer(OtherThing(size_seen=1))
    assert harness.asks()["body"] == '{"sizeSeen":1}'


def test_an_internal_error_is_answered_without_details(
    harness: RestHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    def act(_: RestRequest) -> RestAnswer:
        raise KeyError(CANARY)

    harness.act = act
    response = harness.asks(body=f'{{"size": 1, "other": "{CANARY}"}}')
    assert refused(response) == (500, "INTERNAL")
    logged = capsys.readouterr().out
    assert '"request_failed"' in logged
    assert '"KeyError"' in logged
    assert CANARY not in response["body"] + logged
    assert "Traceback" not in logged


def test_an_operation_without_a_function_fails_at_start() -> None:
    with pytest.raises(KeyError, match="get"):
        RestDispatcher(OPERATIONS, {"create": lambda _: RestAnswer()}, origin=ORIGIN, log=EventLog("DEBUG"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=JSON.map(json.dumps) | st.text(st.characters()), encoded=st.booleans())
def test_any_body_is_accepted_or_refused_with_its_problem(harness: RestHarness, body: str, encoded: bool) -> None:
    assert harness.asks(body=body, isBase64Encoded=encoded)["statusCode"] in {200, 400}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    event=st.dictionaries(
        st.sampled_from(["body", "isBase64Encoded", "pathParameters", "queryStringParameters", "requestContext"]),
        st.none() | st.text() | st.integers() | st.dictionaries(st.text(), JSON),
    ),
    method=st.sampled_from(["POST", "GET"]),
)
def test_no_event_raises_an_exception(harness: RestHarness, event: dict[str, Any], method: str) -> None:
    resource = "/things" if method == "POST" else "/things/{thingId}"
    response = harness.handle(event | {"resource": resource, "httpMethod": method})
    # Clients cannot change the request context, which API Gateway sets.
    has_valid_context = isinstance(event.get("requestContext") or {}, dict)
    assert response["statusCode"] in ({200, 400, 401} if has_valid_context else {200, 400, 401, 500})
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN

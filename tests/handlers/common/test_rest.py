"""Tests of the REST dispatcher, which validates each request and answer by the definition of its operation."""

import json
import re
from typing import Annotated, Any
from unittest.mock import Mock

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


class BoxWithSecret(Box):
    secret: str = CANARY


CREATE = RestOperation("create", "POST", "/boxes", "", body=NewBox, answer=Box, statuses=(201, 200))
GET = RestOperation("get", "GET", "/boxes/{boxId}", "", parameters=BoxPath, query=BoxQuery, answer=Box)
DELETE = RestOperation("delete", "DELETE", "/boxes/{boxId}", "", parameters=BoxPath, statuses=(204,))
VERIFY = RestOperation("verify", "POST", "/tokens", "", answer=Box, takes_token=True)
OPERATIONS: tuple[AnyRestOperation, ...] = (CREATE, GET, DELETE, VERIFY)


@pytest.fixture
def function() -> Mock:
    """Function of all operations. It records the requests that it gets."""
    return Mock(return_value=RestAnswer(Box(stored_size=1)))


def send(function: Mock, operation: AnyRestOperation = CREATE, **event_fields: Any) -> dict[str, Any]:
    """Send a valid request, changed by `event_fields`, to a REST API with the four operations."""
    event = {
        "resource": operation.path,
        "httpMethod": operation.method,
        "pathParameters": {"boxId": "a"} if operation.parameters else None,
        "body": '{"size": 1}',
        "requestContext": {"requestId": "r-1"},
    }
    bound = [item.bind(function) for item in OPERATIONS]
    return RestDispatcher(bound, origin=ORIGIN, log=EventLog("INFO")).handle(event | event_fields)


def requests_of(function: Mock) -> list[RestRequest[Any, Any, Any]]:
    return [call.args[0] for call in function.call_args_list]


def error_of(response: dict[str, Any]) -> tuple[int, str]:
    """Return status and code of an error response. Check the parts that every error response has."""
    body = json.loads(response["body"])
    assert set(body) == {"code", "message", "fields", "requestId"}
    assert body["requestId"] == "r-1"
    assert response["headers"]["Access-Control-Allow-Origin"] == ORIGIN
    assert response["headers"]["Content-Type"] == "application/json"
    assert response["headers"]["Cache-Control"] == "no-store"
    return response["statusCode"], body["code"]


def test_a_valid_request_is_parsed_and_answered(function: Mock) -> None:
    assert GET.route == "GET /boxes/{boxId}"
    response = send(function)
    send(function, GET, queryStringParameters={"limit": "7", "unknown": "x"})
    assert requests_of(function) == [
        RestRequest(DEFAULT_OWNER, None, None, NewBox(size=1)),
        RestRequest(DEFAULT_OWNER, BoxPath(box_id="a"), BoxQuery(limit=7), None),
    ]
    headers = {"Access-Control-Allow-Origin": ORIGIN, "Cache-Control": "no-store"}
    assert response["headers"] == {"Content-Type": "application/json", **headers}
    assert (response["statusCode"], response["body"]) == (200, '{"storedSize":1}')
    function.return_value = RestAnswer(None, 204)
    assert send(function, DELETE) == {"statusCode": 204, "headers": headers, "body": ""}


@pytest.mark.parametrize(
    ("operation", "request_parts", "fields"),
    [
        (CREATE, {"body": '{"size": 0}'}, ["size"]),
        (CREATE, {"body": '{"size": "1"}'}, ["size"]),
        (GET, {"pathParameters": {"boxId": "UPPER"}}, ["boxId"]),
        (GET, {"queryStringParameters": {"limit": "10"}}, ["limit"]),
        # A body that is not a JSON object has no fields.
        *((CREATE, {"body": body}, []) for body in (None, "[]", "[" * 100_000, "\ud800", '{"a":1}{')),
    ],
    ids=range(9),
)
def test_an_invalid_body_path_or_query_is_refused_with_its_field_and_logged(
    function: Mock,
    operation: AnyRestOperation,
    request_parts: dict[str, Any],
    fields: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    response = send(function, operation, **request_parts)
    assert error_of(response) == (400, "MALFORMED")
    body = json.loads(response["body"])
    assert [problem["field"] for problem in body["fields"]] == fields
    assert ("one JSON object" in body["message"]) == (not fields)
    function.assert_not_called()
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["code"], logged["route"]) == ("request_refused", "MALFORMED", operation.name)


def test_the_owner_is_the_authorizers_user(function: Mock) -> None:
    send(function, requestContext={"requestId": "r-1", "authorizer": {"user": ANN, "principalId": "x"}})
    response = send(function, requestContext={"requestId": "r-1", "authorizer": {"principalId": ANN}})
    assert error_of(response) == (500, "INTERNAL"), "and not the default owner"
    assert [request.owner for request in requests_of(function)] == [ANN]


@pytest.mark.parametrize(
    ("headers", "token"),
    [({"Accept": "x", "authorization": "bearer  a.b "}, "a.b"), ({"Authorization": "Basic a.b"}, ""), (None, "")],
)
def test_only_an_operation_that_verifies_the_token_itself_gets_it(function: Mock, headers: Any, token: str) -> None:
    send(function, VERIFY, headers=headers)
    send(function, DELETE, headers=headers)
    assert [request.token for request in requests_of(function)] == [token, ""]
    assert "a.b" not in repr(requests_of(function))


@pytest.mark.parametrize(
    "answer",
    [
        *(RestAnswer(None), RestAnswer(Box(stored_size=1), 204), RestAnswer(NewBox(size=1))),
        RestAnswer(BoxWithSecret(stored_size=1)),
    ],
)
def test_an_answer_that_violates_its_operation_is_not_sent(
    function: Mock, answer: RestAnswer[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    function.return_value = answer
    response = send(function)
    assert error_of(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["error_type"], logged["level"], logged["route"]) == ("InvalidRestAnswer", "ERROR", "create")
    assert CANARY not in response["body"] + json.dumps(logged)


def test_an_internal_error_is_answered_without_details_and_logged_with_the_request_id(
    function: Mock, capsys: pytest.CaptureFixture[str]
) -> None:
    function.side_effect = KeyError(CANARY)
    response = send(function, body=f'{{"size": 1, "other": "{CANARY}"}}')
    assert error_of(response) == (500, "INTERNAL")
    logged = json.loads(capsys.readouterr().out)
    assert (logged["message"], logged["error_type"], logged["request_id"]) == ("request_failed", "KeyError", "r-1")
    assert re.fullmatch(r"handlers/common/rest\.py:\d+", logged["frames"]), "only places in the project's own code"
    assert CANARY not in response["body"] + json.dumps(logged)

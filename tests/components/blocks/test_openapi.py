"""Tests of the two OpenAPI documents of a REST API: for its users, and for the import into API Gateway."""

import json
from enum import StrEnum
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError, computed_field

from components.blocks.gateway_responses import ERRORS
from components.blocks.openapi import ANY, PROXY, Authorizer, gateway_document, public_document
from handlers.common.errors import CommonErrorCode, HandlerError, to_http_response
from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation, RestOperation
from local.drivers.service_shapes import service_model

ORIGIN = "https://page.example.com"
JSON, SCHEMAS = "application/json", "#/components/schemas/"


class Order(StrEnum):
    NEWEST = "newest"
    OLDEST = "oldest"


class Path(Message):
    note_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """The note's identifier."""


class Query(Message):
    order: Order = Order.NEWEST
    owner_name: str


class Word(Message):
    word: Annotated[str, Field(min_length=1)] = "x"
    level: Annotated[int, Field(gt=0, lt=10)] = 1


class NewNote(Message):
    title: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)]
    score: Annotated[float, Field(gt=0, le=1)] = 1
    words: Annotated[tuple[Word, ...], Field(max_length=2)] = ()
    owner: Annotated[str, Field(min_length=2)] | None = None
    mark: int | str = 0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        return len(self.title)


LIST_NOTES = RestOperation("listNotes", "GET", "/notes", "Lists notes.", query=Query, answer=NewNote)
CREATE_NOTE = RestOperation(
    "createNote", "POST", "/notes", "Creates a note.", body=NewNote, answer=NewNote, statuses=(201, 202)
)
READ_NOTE = RestOperation("readNote", "GET", "/notes/{noteId}", "Reads a note.", parameters=Path, answer=NewNote)
DELETE_NOTE = RestOperation("deleteNote", "DELETE", "/notes/{noteId}", "Deletes.", parameters=Path, statuses=(204,))
OPERATIONS: tuple[AnyRestOperation, ...] = (LIST_NOTES, CREATE_NOTE, READ_NOTE, DELETE_NOTE)


def imported(*operations: AnyRestOperation, **changes: Any) -> dict[str, Any]:
    return gateway_document(
        "Notes", "2", operations or OPERATIONS, **{"integration": "uri", "cors_origin": ORIGIN, **changes}
    )


def test_the_documented_error_is_the_error_that_handlers_send() -> None:
    document = public_document("Notes", "2", OPERATIONS, description="", servers=[], security=[{}], security_schemes={})
    error = document["components"]["responses"]["Error"]["content"][JSON]["schema"]
    validator = jsonschema.Draft202012Validator({**error, "components": document["components"]})
    sent = json.loads(to_http_response(HandlerError(CommonErrorCode.MALFORMED, "no"), "r-1")["body"])
    validator.validate(sent)
    assert not validator.is_valid({name: sent[name] for name in ("code", "message", "fields")})


def test_a_model_whose_name_api_gateway_would_refuse_is_an_error() -> None:
    model = type("New_Note", (Message,), {})
    with pytest.raises(ValueError, match="rename New_Note"):
        imported(RestOperation("other", "POST", "/others", "Other.", body=model))


def test_the_gateway_calls_the_function_with_valid_requests_only() -> None:
    paths = imported()["paths"]
    assert paths["/notes"]["post"]["requestBody"]["content"] == {JSON: {"schema": {"$ref": f"{SCHEMAS}NewNote"}}}
    assert paths["/notes"]["get"]["parameters"] == [
        {"name": name, "in": "query", "required": required, "schema": {"type": "string"}}
        for name, required in (("order", False), ("ownerName", True))
    ]
    for validated in (True, False):
        document = imported(bodies_validated=validated)
        [(name, validator)] = document["x-amazon-apigateway-request-validators"].items()
        assert validator == {"validateRequestBody": validated, "validateRequestParameters": True}
        assert document["paths"]["/notes"]["get"]["x-amazon-apigateway-request-validator"] == name


def test_the_gateway_asks_the_authorizer_except_for_preflights() -> None:
    document = imported(authorizer=Authorizer("authorizer-uri", 60))
    [(name, scheme)] = document["components"]["securitySchemes"].items()
    authorizer = scheme["x-amazon-apigateway-authorizer"]
    assert (authorizer["type"], authorizer["identitySource"]) == ("token", "method.request.header.Authorization")
    methods = document["paths"]["/notes"]
    assert [methods[method].get("security") for method in ("get", "post", "options")] == [[{name: []}]] * 2 + [None]
    assert "security" not in imported()["paths"]["/notes"]["get"]


def own_response(operation: dict[str, Any]) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and body of an operation that the gateway answers itself."""
    integration = operation["x-amazon-apigateway-integration"]
    [answer] = integration["responses"].values()
    status, prefix = int(answer["statusCode"]), "method.response.header."
    assert set(integration["requestTemplates"].values()) == {json.dumps({"statusCode": status})}
    headers = {name.removeprefix(prefix): value.strip("'") for name, value in answer["responseParameters"].items()}
    assert {code: set(response["headers"]) for code, response in operation["responses"].items()} == {
        str(status): set(headers)
    }, "the import fails if an undeclared header is set"
    return status, headers, fill_template(answer["responseTemplates"][JSON])


def fill_template(template: str) -> dict[str, Any]:
    """Return a body with the values that the gateway inserts, such as its message in quotes."""
    text = template.replace("$context.requestId", "r-1").replace("$context.error.messageString", '"the \\"words\\""')
    assert "$" not in text, "the gateway must not insert the validator's message, because it may quote the request"
    body: dict[str, Any] = json.loads(text)
    return body


def test_the_gateway_answers_preflights_unknown_paths_and_unknown_methods() -> None:
    paths = imported()["paths"]
    status, headers, _ = own_response(paths["/notes/{noteId}"]["options"])
    assert (status, headers["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert headers["Access-Control-Allow-Methods"] == "DELETE,GET,OPTIONS"
    assert {"Authorization", "Content-Type"} <= set(headers["Access-Control-Allow-Headers"].split(","))
    for path, expected in {
        "/notes/{noteId}": (405, "METHOD_NOT_ALLOWED", ["noteId"]),
        "/": (404, "NOT_FOUND", []),
        PROXY: (404, "NOT_FOUND", ["proxy"]),
    }.items():
        status, headers, body = own_response(paths[path][ANY])
        names = [parameter["name"] for parameter in paths[path][ANY].get("parameters", ()) if parameter["required"]]
        assert (status, body["code"], names) == expected
        assert headers == {"Access-Control-Allow-Origin": ORIGIN}
    root = imported(RestOperation("root", "GET", "/", "Root."))["paths"]["/"]
    assert own_response(root[ANY])[0] == 405


def test_every_error_of_the_gateway_has_the_common_body_and_a_cors_header() -> None:
    changed = {
        "ACCESS_DENIED": 401,
        "AUTHORIZER_FAILURE": 503,
        "EXPIRED_TOKEN": 401,
        "MISSING_AUTHENTICATION_TOKEN": 404,
    }
    assert {response_type: status for response_type, (_, _, status) in ERRORS.items() if status} == changed
    responses = imported()["x-amazon-apigateway-gateway-responses"]
    assert {*responses} <= {*service_model("apigateway").shape_for("GatewayResponseType").enum}  # type: ignore[attr-defined]
    for response_type, (code, message, status) in ERRORS.items():
        response = responses[response_type]
        assert response["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": f"'{ORIGIN}'"}
        assert response.get("statusCode", "None") == str(status)
        body = fill_template(response["responseTemplates"][JSON])
        assert body == {"code": code, "message": message or 'the "words"', "fields": [], "requestId": "r-1"}


GATEWAY_SCHEMAS = imported()["components"]["schemas"]
VALIDATOR = jsonschema.Draft4Validator({**GATEWAY_SCHEMAS["NewNote"], "components": {"schemas": GATEWAY_SCHEMAS}})
STRUCTURE_ERRORS = {"missing", "string_type", "int_type", "float_type", "tuple_type", "model_type"}
"""Types of validation errors about the structure, not about a value."""
SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.floats(0.1, 0.9) | st.sampled_from(["", "x", "abc", "A"])
VALUES = SCALARS | st.lists(SCALARS | st.fixed_dictionaries({"level": SCALARS}), max_size=3)
FIELDS = st.dictionaries(st.sampled_from(["title", "score", "words", "owner", "mark"]), VALUES, max_size=2)


@settings(deadline=None, max_examples=100)
@given(value=SCALARS | FIELDS | FIELDS.map(lambda fields: {"title": "abc", **fields}))
def test_the_gateway_refuses_wrong_structures_and_nothing_that_the_model_accepts(value: Any) -> None:
    """A wrong value must reach the function, because only its error names the field."""
    try:
        NewNote.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        # The gateway does not check the type of `owner`, because it may be null.
        types = {problem["type"] for problem in error.errors() if problem["loc"][:1] != ("owner",)}
        assert VALIDATOR.is_valid(value) == (not types & STRUCTURE_ERRORS)
    else:
        assert VALIDATOR.is_valid(value), "the gateway must not refuse what the model accepts"

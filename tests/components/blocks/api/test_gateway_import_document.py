"""Tests of a REST API's OpenAPI documentation, and of the document that is made from it and that API Gateway imports.

Refusals are the gateway's own error responses, for example to a request that it does not pass on to the function.
"""

import json
import re
from enum import StrEnum
from typing import Annotated, Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field
from pydantic.json_schema import models_json_schema

from components.blocks.api.gateway_import_document import (
    ANY,
    PROXY,
    Authorizer,
    GatewayOptions,
    gateway_document,
    lambda_uri,
)
from components.blocks.api.gateway_responses import REFUSALS
from components.blocks.api.gateway_schema import to_gateway_schemas
from components.blocks.api.public_openapi_document import SCHEMAS, Error, build_document
from handlers.common.api_error_codes import CommonErrorCode
from handlers.common.error_responses import HandlerError, to_http_response
from handlers.common.http.rest_operation_declaration import RestOperation
from handlers.common.json_models import Message
from local.platform.driver_model.service_shapes import service_model

pytestmark = pytest.mark.unit

ORIGIN = "https://page.example.com"


class Order(StrEnum):
    """Sort order of notes."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Path(Message):
    note_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """The note's identifier."""


class OtherPath(Message):
    other: str


class Query(Message):
    order: Order = Order.NEWEST
    owner_name: str


class Word(Message):
    word: str = "x"


class NewNote(Message):
    words: tuple[Word, ...]


class Note(Message):
    inner_word: Word
    stars: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        """Length of the word."""
        return len(self.inner_word.word)


LIST_NOTES = RestOperation("listNotes", "GET", "/notes", "Lists notes.", query=Query, answer=Note)
CREATE_NOTE = RestOperation(
    "createNote", "POST", "/notes", "Creates a note.", body=NewNote, answer=Note, statuses=(201, 202)
)
READ_NOTE = RestOperation("readNote", "GET", "/notes/{noteId}", "Reads a note.", parameters=Path, answer=Note)
DELETE_NOTE = RestOperation(
    "deleteNote", "DELETE", "/notes/{noteId}", "Deletes a note.", parameters=Path, statuses=(204,)
)


def documentation(*operations: RestOperation) -> dict[str, Any]:
    return build_document("Notes", "2", operations or (LIST_NOTES, CREATE_NOTE, READ_NOTE, DELETE_NOTE))


# Tests of the OpenAPI documentation.


def test_every_operation_is_at_its_path_and_method() -> None:
    document = documentation()
    assert (document["openapi"], document["info"]) == ("3.1.0", {"title": "Notes", "version": "2"})
    location_by_operation = {
        operation["operationId"]: (path, verb)
        for path, verbs in document["paths"].items()
        for verb, operation in verbs.items()
    }
    assert location_by_operation == {
        "listNotes": ("/notes", "get"),
        "createNote": ("/notes", "post"),
        "readNote": ("/notes/{noteId}", "get"),
        "deleteNote": ("/notes/{noteId}", "delete"),
    }
    assert document["paths"]["/notes"]["post"]["summary"] == "Creates a note."
    assert set(document["paths"]["/notes"]["post"]["responses"]) == {"201", "202", "default"}
    deletion_responses = document["paths"]["/notes/{noteId}"]["delete"]["responses"]
    assert deletion_responses["204"] == {"description": "Done; the response has no body."}


def test_parameters_are_listed_with_their_camel_case_names() -> None:
    paths = documentation()["paths"]
    verbs = (paths["/notes"]["get"], paths["/notes/{noteId}"]["get"])
    parameters = {parameter["name"]: parameter for verb in verbs for parameter in verb["parameters"]}
    assert {name: (parameter["in"], parameter["required"]) for name, parameter in parameters.items()} == {
        "noteId": ("path", True),
        "order": ("query", False),
        "ownerName": ("query", True),
    }
    assert parameters["noteId"]["description"] == "The note's identifier."
    assert parameters["noteId"]["schema"]["pattern"] == "^[0-9]+$"
    assert parameters["order"]["schema"]["$ref"] == "#/components/schemas/Order"


def test_a_model_has_one_schema_as_request_and_another_as_response() -> None:
    document = documentation(RestOperation("createNote", "POST", "/notes", "Creates a note.", body=Note, answer=Note))
    operation = document["paths"]["/notes"]["post"]
    request_schema = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    response_schema = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schemas = document["components"]["schemas"]
    assert set(schemas[request_schema]["properties"]) == {"innerWord", "stars"}
    assert set(schemas[response_schema]["properties"]) == {"innerWord", "stars", "length"}
    assert operation["requestBody"]["required"] is True


def test_every_error_has_the_error_body_of_the_handlers() -> None:
    document = documentation()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    assert {operation["responses"]["default"]["$ref"] for operation in operations} == {"#/components/responses/Error"}
    error = document["components"]["responses"]["Error"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**error, "components": document["components"]})
    answer = to_http_response(HandlerError(CommonErrorCode.MALFORMED, "no"), "r-1")
    validator.validate(json.loads(str(answer["body"])))
    assert not validator.is_valid({"code": "X", "message": "no", "fields": []}), "the request id is required"


def test_the_document_has_exactly_the_schemas_that_it_refers_to() -> None:
    document = documentation()
    referenced_schemas = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert referenced_schemas == set(document["components"]["schemas"])
    assert not {"Path", "Query"} & referenced_schemas, "parameters are written in the operation"


@pytest.mark.parametrize(
    ("operation", "message"),
    [
        (RestOperation("other", "GET", "/others/{otherId}", "Other."), "differ in otherId"),
        (RestOperation("other", "GET", "/others", "Other.", parameters=Path), "differ in noteId"),
        (
            RestOperation("other", "GET", "/notes/{other}/more", "Other.", parameters=OtherPath),
            r"has \{noteId\} at the position of \{other\}",
        ),
    ],
)
def test_an_operation_whose_path_and_parameters_do_not_fit_is_an_error(operation: RestOperation, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        documentation(READ_NOTE, operation)


# Tests of the document that the gateway imports.


def import_document(*operations: RestOperation, **changes: Any) -> dict[str, Any]:
    gateway = GatewayOptions(**{"integration": "uri", "cors_origin": ORIGIN, **changes})
    return gateway_document(documentation(*operations), gateway)


def operations_of(document: dict[str, Any]) -> dict[str, Any]:
    return {
        operation["operationId"]: operation
        for path in document["paths"].values()
        for operation in path.values()
        if "operationId" in operation
    }


def test_every_operation_calls_the_functions_alias_with_the_gateways_timeout() -> None:
    for operation in operations_of(import_document()).values():
        assert operation["x-amazon-apigateway-integration"] == {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": "uri",
            "timeoutInMillis": 29000,
            "passthroughBehavior": "when_no_match",
        }
    assert lambda_uri("aws", "eu-west-1", "arn:live") == (
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:live/invocations"
    )


@pytest.mark.parametrize("bodies_validated", [True, False])
def test_the_gateway_validates_parameters_always_and_bodies_if_configured(bodies_validated: bool) -> None:
    document = import_document(bodies_validated=bodies_validated)
    ((name, validator),) = document["x-amazon-apigateway-request-validators"].items()
    assert validator == {"validateRequestBody": bodies_validated, "validateRequestParameters": True}
    operations = operations_of(document)
    assert {operation["x-amazon-apigateway-request-validator"] for operation in operations.values()} == {name}
    assert operations["createNote"]["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/NewNote"}}
    }
    query_parameters = operations["listNotes"]["parameters"]
    required = {(parameter["name"], parameter["in"]): parameter["required"] for parameter in query_parameters}
    assert required == {("order", "query"): False, ("ownerName", "query"): True}
    assert operations["deleteNote"]["parameters"] == [
        {"name": "noteId", "in": "path", "required": True, "schema": {"type": "string"}}
    ]


def test_only_schemas_of_request_bodies_are_imported() -> None:
    assert set(import_document()["components"]["schemas"]) == {"NewNote", "Word"}
    assert import_document()["openapi"] == "3.0.1"


def test_every_path_answers_preflights_and_refuses_other_methods() -> None:
    paths = import_document()["paths"]
    for path, methods in {"/notes": "GET,OPTIONS,POST", "/notes/{noteId}": "DELETE,GET,OPTIONS"}.items():
        cors_headers = mock_response(paths[path]["options"])["responseParameters"]
        assert cors_headers == {
            "method.response.header.Access-Control-Allow-Origin": f"'{ORIGIN}'",
            "method.response.header.Access-Control-Allow-Headers": (
                "'Content-Type,Authorization,X-Amz-Date,X-Amz-Security-Token'"
            ),
            "method.response.header.Access-Control-Allow-Methods": f"'{methods}'",
            "method.response.header.Access-Control-Max-Age": "'3600'",
        }
        assert refusal_of(paths[path][ANY]) == (405, "METHOD_NOT_ALLOWED")


def test_every_path_without_operation_answers_404() -> None:
    paths = import_document()["paths"]
    assert refusal_of(paths[PROXY][ANY]) == refusal_of(paths["/"][ANY]) == (404, "NOT_FOUND")
    assert paths[PROXY][ANY]["parameters"][0]["name"] == "proxy"
    paths_with_root_operation = import_document(RestOperation("root", "GET", "/", "Root."))["paths"]
    assert refusal_of(paths_with_root_operation["/"][ANY]) == (405, "METHOD_NOT_ALLOWED")


def mock_response(operation: dict[str, Any]) -> Any:
    """Return the gateway's own response. It must declare each header that it sets, or the import fails."""
    integration = operation["x-amazon-apigateway-integration"]
    assert integration["type"] == "mock"
    (answer,) = integration["responses"].values()
    assert set(integration["requestTemplates"].values()) == {json.dumps({"statusCode": int(answer["statusCode"])})}
    [(status_code, declaration)] = operation["responses"].items()
    assert status_code == answer["statusCode"]
    header_names = {name.removeprefix("method.response.header.") for name in answer["responseParameters"]}
    assert set(declaration["headers"]) == header_names
    return answer


def refusal_of(operation: dict[str, Any]) -> tuple[int, str]:
    """Return the status and the error code of the gateway's own response."""
    answer = mock_response(operation)
    assert answer["responseParameters"] == {"method.response.header.Access-Control-Allow-Origin": f"'{ORIGIN}'"}
    body = fill_error_body(answer["responseTemplates"]["application/json"])
    return int(answer["statusCode"]), body["code"]


def fill_error_body(template: str) -> dict[str, Any]:
    """Return an error body: the template with the values that the gateway inserts, such as its message in quotes."""
    text = template.replace("$context.requestId", "r-1").replace(
        "$context.error.messageString", '"its \\"own\\" words"'
    )
    assert "$" not in text, "the gateway must not insert the validator's message, because it may quote the request"
    body: dict[str, Any] = json.loads(text)
    assert set(body) == {"code", "message", "fields", "requestId"}
    Error.model_validate(body)
    assert (body["fields"], body["requestId"]) == ([], "r-1")
    return body


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_has_the_common_body_and_a_cors_header(kind: str) -> None:
    response = import_document()["x-amazon-apigateway-gateway-responses"][kind]
    assert response["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": f"'{ORIGIN}'"}
    assert fill_error_body(response["responseTemplates"]["application/json"])["message"]
    assert kind in service_model("apigateway").shape_for("GatewayResponseType").enum  # type: ignore[attr-defined]
    assert response.get("statusCode", "") == str(REFUSALS[kind].status or "")


def test_no_operation_requires_authorization_by_default() -> None:
    document = import_document()
    assert document["components"]["securitySchemes"] == {}
    assert not [operation for operation in operations_of(document).values() if "security" in operation]


def test_every_operation_requires_the_token_but_preflights_do_not() -> None:
    document = import_document(authorizer=Authorizer("uri", 60))
    assert document["components"]["securitySchemes"] == {
        "lambda": {
            "type": "apiKey",
            "name": "Authorization",
            "in": "header",
            "x-amazon-apigateway-authtype": "custom",
            "x-amazon-apigateway-authorizer": {
                "type": "token",
                "authorizerUri": "uri",
                "identitySource": "method.request.header.Authorization",
                "authorizerResultTtlInSeconds": 60,
            },
        }
    }
    assert all(operation["security"] == [{"lambda": []}] for operation in operations_of(document).values())


# Tests of the gateway's schemas: they check a body's structure but not its values, and are never stricter than the models.


class StrictModel(BaseModel):
    """Base class like that of the messages, but in strict mode, because a schema cannot describe type conversions."""

    model_config = ConfigDict(strict=True, extra="ignore")


class ConstrainedItem(StrictModel):
    level: Annotated[int, Field(gt=0, lt=10)]


class ConstrainedModel(StrictModel):
    a: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)]
    b: Annotated[int, Field(ge=-1, le=2)] = 0
    c: Annotated[float, Field(gt=0, le=1)] = 1
    d: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=2)] = []
    e: Annotated[str, Field(min_length=2)] | None = None
    f: int | str = 0
    h: list[ConstrainedItem] = []


def validator_for(model: type[BaseModel]) -> jsonschema.Draft4Validator:
    _, document = models_json_schema([(model, "validation")], ref_template=f"{SCHEMAS}{{model}}")
    schemas = to_gateway_schemas(document["$defs"])
    jsonschema.Draft4Validator.check_schema(schemas[model.__name__])
    return jsonschema.Draft4Validator({**schemas[model.__name__], "components": {"schemas": schemas}})


VALIDATOR = validator_for(ConstrainedModel)
STRUCTURE_ERRORS = {"missing", "string_type", "int_type", "float_type", "list_type"}
"""Types of validation errors about the structure, not about a value."""
SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.floats(0.1, 0.9) | st.sampled_from(["", "x", "abc", "A"])
VALUES = SCALARS | st.lists(SCALARS | st.fixed_dictionaries({"level": SCALARS}), max_size=3)


@settings(deadline=None, max_examples=300)
@given(value=SCALARS | st.fixed_dictionaries({"a": VALUES}, optional=dict.fromkeys("bcdefh", VALUES)))
def test_the_gateway_refuses_wrong_structures_and_nothing_that_the_model_accepts(value: Any) -> None:
    try:
        ConstrainedModel.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        # Only errors of whole fields are compared. The schema has no type for `e`, because the field may be null.
        field_errors = {
            problem["type"] for problem in error.errors() if problem["loc"] in {(name,) for name in "abcdfh"}
        }
        if STRUCTURE_ERRORS & field_errors:
            assert not VALIDATOR.is_valid(value)
    else:
        assert VALIDATOR.is_valid(value), "the gateway must not refuse what the model accepts"


@pytest.mark.parametrize(
    "body",
    [{"a": ""}, {"a": "ABC"}, {"a": "x", "b": 3}, {"a": "x", "d": ["x", "x", "x"]}, {"a": "x", "h": [{"level": 10}]}],
    ids=str,
)
def test_the_gateway_accepts_invalid_values_because_the_handlers_error_names_the_field(body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ConstrainedModel.model_validate(body)
    assert VALIDATOR.is_valid(body)


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, {"type": "integer"}),
        ({"type": "string", "format": "date-time", "examples": ["x"], "default": "y"}, {"type": "string"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"}, {"description": "d"}),
        ({"anyOf": [{"type": "string"}, {"const": 1}]}, {"anyOf": [{"type": "string"}, {}]}),
        ({"$ref": "#/components/schemas/B-Input", "default": 1}, {"$ref": "#/components/schemas/BInput"}),
    ],
    ids=str,
)
def test_each_schema_keyword_is_converted_kept_or_left_out(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    assert to_gateway_schemas({"A": schema}) == {"A": expected}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"patternProperties": {}}, "keyword 'patternProperties'"),
        ({"properties": {"x": {"propertyNames": {}}}}, r"A\.x: .* keyword 'propertyNames'"),
        ({"items": {"if": {}}}, r"A\[\]: .* keyword 'if'"),
        ({"anyOf": [{"contains": {}}]}, "keyword 'contains'"),
        ({"nullable": True}, "keyword 'nullable'"),
        ({"$ref": "#/components/schemas/B", "required": ["x"]}, "required"),
    ],
    ids=str,
)
def test_a_keyword_that_the_gateway_would_ignore_is_refused(schema: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        to_gateway_schemas({"A": schema})


def test_model_names_are_letters_and_digits_and_stay_unique() -> None:
    assert set(to_gateway_schemas({"A-Input": {}, "B_1": {}})) == {"AInput", "B1"}
    with pytest.raises(ValueError, match="have the same name without punctuation"):
        to_gateway_schemas({"A-Input": {}, "AInput": {}})

"""What API Gateway imports and what the documentation says: every operation, every refusal, and schemas of the form."""

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

from components.blocks.api.gateway_document import (
    ANY,
    PROXY,
    Authorization,
    Authorizer,
    Gateway,
    gateway_document,
    lambda_uri,
)
from components.blocks.api.gateway_responses import REFUSALS
from components.blocks.api.gateway_schema import SCHEMAS, converted
from components.blocks.api.openapi_document import Error, document
from handlers.common.errors import CommonCode, HandlerError, http_error
from handlers.common.http.rest_operations import Operation
from handlers.common.websocket.messages import Message
from local.platform.drivers.service_shapes import service_model

pytestmark = pytest.mark.unit

ORIGIN = "https://page.example.com"


class Order(StrEnum):
    """Which comes first."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Path(Message):
    note_id: Annotated[str, Field(pattern=r"^[0-9]+$")]
    """The note's own name."""


class OtherPath(Message):
    other: str


class Query(Message):
    order: Order = Order.NEWEST
    owner_name: str


class Word(Message):
    word: str = "x"


class Unused(Message):
    word: str


class NewNote(Message):
    words: tuple[Word, ...]


class Note(Message):
    inner_word: Word
    stars: int = 1

    @computed_field  # type: ignore[prop-decorator]
    @property
    def length(self) -> int:
        """Of its word."""
        return len(self.inner_word.word)


LIST = Operation("listNotes", "GET", "/notes", "Lists.", query=Query, answer=Note)
MAKE = Operation("makeNote", "POST", "/notes", "Makes.", body=NewNote, answer=Note, statuses=(201, 202))
READ = Operation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=Path, answer=Note)
DROP = Operation("dropNote", "DELETE", "/notes/{noteId}", "Drops.", parameters=Path, statuses=(204,))


def documented(*operations: Operation) -> dict[str, Any]:
    return document("Notes", "2", operations or (LIST, MAKE, READ, DROP))


# The documentation.


def test_every_operation_is_at_its_path_and_method() -> None:
    found = documented()
    assert (found["openapi"], found["info"]) == ("3.1.0", {"title": "Notes", "version": "2"})
    where = {one["operationId"]: (path, verb) for path, verbs in found["paths"].items() for verb, one in verbs.items()}
    assert where == {
        "listNotes": ("/notes", "get"),
        "makeNote": ("/notes", "post"),
        "readNote": ("/notes/{noteId}", "get"),
        "dropNote": ("/notes/{noteId}", "delete"),
    }
    assert found["paths"]["/notes"]["post"]["summary"] == "Makes."
    assert set(found["paths"]["/notes"]["post"]["responses"]) == {"201", "202", "default"}
    dropped = found["paths"]["/notes/{noteId}"]["delete"]["responses"]
    assert dropped["204"] == {"description": "Done; there is nothing to say."}


def test_parameters_are_written_out_by_their_outside_names() -> None:
    paths = documented()["paths"]
    verbs = (paths["/notes"]["get"], paths["/notes/{noteId}"]["get"])
    parameters = {one["name"]: one for verb in verbs for one in verb["parameters"]}
    assert {name: (one["in"], one["required"]) for name, one in parameters.items()} == {
        "noteId": ("path", True),
        "order": ("query", False),
        "ownerName": ("query", True),
    }
    assert parameters["noteId"]["description"] == "The note's own name."
    assert parameters["noteId"]["schema"]["pattern"] == "^[0-9]+$"
    assert parameters["order"]["schema"]["$ref"] == "#/components/schemas/Order"


def test_a_model_is_told_as_it_is_asked_and_as_it_is_answered() -> None:
    found = documented(Operation("makeNote", "POST", "/notes", "Makes.", body=Note, answer=Note))
    operation = found["paths"]["/notes"]["post"]
    asked = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    answered = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    schemas = found["components"]["schemas"]
    assert set(schemas[asked]["properties"]) == {"innerWord", "stars"}
    assert set(schemas[answered]["properties"]) == {"innerWord", "stars", "length"}
    assert operation["requestBody"]["required"] is True


def test_every_error_has_the_body_that_handlers_answer_with() -> None:
    found = documented()
    operations = [one for path in found["paths"].values() for one in path.values()]
    assert {one["responses"]["default"]["$ref"] for one in operations} == {"#/components/responses/Error"}
    error = found["components"]["responses"]["Error"]["content"]["application/json"]["schema"]
    validator = jsonschema.Draft202012Validator({**error, "components": found["components"]})
    answer = http_error(HandlerError(CommonCode.MALFORMED, "no"), "r-1")
    validator.validate(json.loads(str(answer["body"])))
    assert not validator.is_valid({"code": "X", "message": "no", "fields": []}), "its request has an id"


def test_nothing_is_in_it_that_nobody_refers_to_and_nothing_is_missing() -> None:
    found = documented()
    text = json.dumps(found)
    referred = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert referred == set(found["components"]["schemas"])
    assert not {"Path", "Query", "Unused"} & referred


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (Operation("other", "GET", "/others/{otherId}", "Other."), "differ in otherId"),
        (Operation("other", "GET", "/others", "Other.", parameters=Path), "differ in noteId"),
        (
            Operation("other", "GET", "/notes/{other}/more", "Other.", parameters=OtherPath),
            r"says \{noteId\} for \{other\}",
        ),
    ],
)
def test_a_table_that_cannot_be_served_is_refused(wrong: Operation, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        documented(READ, wrong)


# The document that the gateway imports.


def made(*operations: Operation, **changes: Any) -> dict[str, Any]:
    gateway = Gateway(**{"integration": "uri", "cors_origin": ORIGIN, **changes})
    return gateway_document(documented(*operations), gateway)


def served(found: dict[str, Any]) -> dict[str, Any]:
    return {
        one["operationId"]: one for path in found["paths"].values() for one in path.values() if "operationId" in one
    }


def test_every_operation_is_answered_by_the_functions_alias_in_the_gateways_time() -> None:
    for one in served(made()).values():
        assert one["x-amazon-apigateway-integration"] == {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": "uri",
            "timeoutInMillis": 29000,
            "passthroughBehavior": "when_no_match",
        }
    assert lambda_uri("aws", "eu-west-1", "arn:live") == (
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:live/invocations"
    )


@pytest.mark.parametrize("bodies", [True, False])
def test_parameters_are_validated_and_bodies_unless_they_are_left_to_the_functions(bodies: bool) -> None:
    found = made(bodies_validated=bodies)
    ((name, validator),) = found["x-amazon-apigateway-request-validators"].items()
    assert validator == {"validateRequestBody": bodies, "validateRequestParameters": True}
    operations = served(found)
    assert {one["x-amazon-apigateway-request-validator"] for one in operations.values()} == {name}
    assert operations["makeNote"]["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/NewNote"}}
    }
    parameters = {one["name"]: (one["in"], one["required"]) for one in operations["listNotes"]["parameters"]}
    assert parameters == {"order": ("query", False), "ownerName": ("query", True)}
    schema = {"type": "string"}
    assert operations["dropNote"]["parameters"] == [
        {"name": "noteId", "in": "path", "required": True, "schema": schema}
    ]


def test_only_schemas_that_are_asked_for_are_imported() -> None:
    assert set(made()["components"]["schemas"]) == {"NewNote", "Word"}
    assert made()["openapi"] == "3.0.1"


def test_every_path_answers_browsers_and_refuses_other_methods() -> None:
    paths = made()["paths"]
    for path, methods in {"/notes": "GET,OPTIONS,POST", "/notes/{noteId}": "DELETE,GET,OPTIONS"}.items():
        allowed = answer_of(paths[path]["options"])["responseParameters"]
        assert allowed == {
            "method.response.header.Access-Control-Allow-Origin": f"'{ORIGIN}'",
            "method.response.header.Access-Control-Allow-Headers": (
                "'Content-Type,Authorization,X-Api-Key,X-Amz-Date,X-Amz-Security-Token'"
            ),
            "method.response.header.Access-Control-Allow-Methods": f"'{methods}'",
            "method.response.header.Access-Control-Max-Age": "'3600'",
        }
        assert refused(paths[path][ANY]) == (405, "METHOD_NOT_ALLOWED")


def test_every_other_path_is_unknown_the_root_too() -> None:
    paths = made()["paths"]
    assert refused(paths[PROXY][ANY]) == refused(paths["/"][ANY]) == (404, "NOT_FOUND")
    assert paths[PROXY][ANY]["parameters"][0]["name"] == "proxy"
    rooted = made(Operation("root", "GET", "/", "Root."))["paths"]
    assert refused(rooted["/"][ANY]) == (405, "METHOD_NOT_ALLOWED")


def answer_of(operation: dict[str, Any]) -> dict[str, Any]:
    """What the gateway answers by itself; each header that it sets is declared, without which an import fails."""
    integration = operation["x-amazon-apigateway-integration"]
    assert integration["type"] == "mock"
    (answer,) = integration["responses"].values()
    assert set(integration["requestTemplates"].values()) == {json.dumps({"statusCode": int(answer["statusCode"])})}
    (declared,) = operation["responses"].items()
    assert declared[0] == answer["statusCode"]
    names = {one.removeprefix("method.response.header.") for one in answer["responseParameters"]}
    assert set(declared[1]["headers"]) == names
    found: dict[str, Any] = answer
    return found


def refused(operation: dict[str, Any]) -> tuple[int, str]:
    answer = answer_of(operation)
    assert answer["responseParameters"] == {"method.response.header.Access-Control-Allow-Origin": f"'{ORIGIN}'"}
    body = error_of(answer["responseTemplates"]["application/json"])
    return int(answer["statusCode"]), body["code"]


def error_of(template: str) -> dict[str, Any]:
    """A template filled in as the gateway does, with its own sentence in quotes."""
    text = template.replace("$context.requestId", "r-1").replace(
        "$context.error.messageString", '"its \\"own\\" words"'
    )
    assert "$" not in text, "nothing else is filled in: what the validator says may quote what was sent"
    body: dict[str, Any] = json.loads(text)
    assert set(body) == {"code", "message", "fields", "requestId"}
    Error.model_validate(body)
    assert (body["fields"], body["requestId"]) == ([], "r-1")
    return body


@pytest.mark.parametrize("kind", REFUSALS)
def test_every_refusal_has_the_common_body_and_may_be_read_by_pages(kind: str) -> None:
    one = made()["x-amazon-apigateway-gateway-responses"][kind]
    assert one["responseParameters"] == {"gatewayresponse.header.Access-Control-Allow-Origin": f"'{ORIGIN}'"}
    assert error_of(one["responseTemplates"]["application/json"])["message"]
    assert kind in service_model("apigateway").shape_for("GatewayResponseType").enum  # type: ignore[attr-defined]
    assert one.get("statusCode", "") == str(REFUSALS[kind].status or "")


def test_nothing_is_asked_of_callers_where_nothing_is_set() -> None:
    found = made()
    assert found["components"]["securitySchemes"] == {}
    assert not [one for one in served(found).values() if "security" in one]


@pytest.mark.parametrize(
    ("authorization", "authorizer", "scheme"),
    [
        (Authorization.API_KEY, None, {"type": "apiKey", "name": "x-api-key", "in": "header"}),
        (
            Authorization.LAMBDA,
            Authorizer("uri", 60),
            {
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
            },
        ),
    ],
)
def test_a_key_or_a_token_is_asked_for_on_every_operation_and_on_nothing_else(
    authorization: Authorization, authorizer: Authorizer | None, scheme: dict[str, Any]
) -> None:
    found = made(authorization=authorization, authorizer=authorizer)
    assert found["components"]["securitySchemes"] == {authorization.value: scheme}
    assert all(one["security"] == [{authorization.value: []}] for one in served(found).values())
    for path in found["paths"].values():
        assert all("security" not in one for verb, one in path.items() if verb in {"options", ANY})


# Schemas: the form and no value, never stricter than the models.


class Model(BaseModel):
    """As the messages, but without turning one type into another: that is no rule that a schema can tell."""

    model_config = ConfigDict(strict=True, extra="ignore")


class Cat(Model):
    lives: Annotated[int, Field(gt=0, lt=10)]


class Ruled(Model):
    a: Annotated[str, Field(pattern=r"^[a-z]+$", max_length=5)]
    b: Annotated[int, Field(ge=-1, le=2)] = 0
    c: Annotated[float, Field(gt=0, le=1)] = 1
    d: Annotated[list[Annotated[str, Field(min_length=1)]], Field(max_length=2)] = []
    e: Annotated[str, Field(min_length=2)] | None = None
    f: int | str = 0
    h: list[Cat] = []


def checks(model: type[BaseModel]) -> jsonschema.Draft4Validator:
    _, found = models_json_schema([(model, "validation")], ref_template=f"{SCHEMAS}{{model}}")
    schemas = converted(found["$defs"])
    jsonschema.Draft4Validator.check_schema(schemas[model.__name__])
    return jsonschema.Draft4Validator({**schemas[model.__name__], "components": {"schemas": schemas}})


CHECKS = checks(Ruled)
FORM = {"missing", "string_type", "int_type", "float_type", "list_type"}
"""Problems of a model that are none of a value's."""
SCALARS = st.none() | st.booleans() | st.integers(-3, 12) | st.floats(0.1, 0.9) | st.sampled_from(["", "x", "abc", "A"])
VALUES = SCALARS | st.lists(SCALARS | st.fixed_dictionaries({"lives": SCALARS}), max_size=3)


@settings(deadline=None, max_examples=300)
@given(value=SCALARS | st.fixed_dictionaries({"a": VALUES}, optional=dict.fromkeys("bcdefh", VALUES)))
def test_what_has_not_the_form_the_gateway_refuses_and_nothing_that_the_model_takes(value: Any) -> None:
    try:
        Ruled.model_validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        wrong = {one["type"] for one in error.errors() if len(one["loc"]) == 1 and one["loc"][0] not in {"e", "f"}}
        if FORM & wrong:
            assert not CHECKS.is_valid(value)
    else:
        assert CHECKS.is_valid(value), "the gateway must not refuse what the model takes"


@pytest.mark.parametrize(
    "wrong",
    [{"a": ""}, {"a": "ABC"}, {"a": "x", "b": 3}, {"a": "x", "d": ["x", "x", "x"]}, {"a": "x", "h": [{"lives": 10}]}],
    ids=str,
)
def test_a_value_that_is_wrong_is_left_to_the_handler_which_names_its_field(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Ruled.model_validate(wrong)
    assert CHECKS.is_valid(wrong)


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ({"type": "integer", "minimum": 3, "exclusiveMaximum": 5}, {"type": "integer"}),
        ({"type": "string", "format": "date-time", "examples": ["x"], "default": "y"}, {"type": "string"}),
        ({"anyOf": [{"type": "string"}, {"type": "null"}], "description": "d"}, {"description": "d"}),
        ({"anyOf": [{"type": "string"}, {"const": 1}]}, {"anyOf": [{"type": "string"}, {}]}),
        ({"$ref": "#/components/schemas/B-Input", "default": 1}, {"$ref": "#/components/schemas/BInput"}),
    ],
    ids=str,
)
def test_every_keyword_is_converted_kept_or_left_out(given: dict[str, Any], made: dict[str, Any]) -> None:
    assert converted({"A": given}) == {"A": made}


@pytest.mark.parametrize(
    ("given", "says"),
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
def test_what_the_gateway_would_ignore_is_refused_by_name(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        converted({"A": given})


def test_names_are_letters_and_digits_and_stay_apart() -> None:
    assert set(converted({"A-Input": {}, "B_1": {}})) == {"AInput", "B1"}
    with pytest.raises(ValueError, match="have one name without punctuation"):
        converted({"A-Input": {}, "AInput": {}})

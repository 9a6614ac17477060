"""What API Gateway imports: every operation behind its function, every refusal with the common body and headers."""

import json
from typing import Any

import pytest

from components.blocks.api_document import Error, document
from components.blocks.gateway_answers import REFUSALS
from components.blocks.gateway_document import (
    ANY,
    PROXY,
    Authorization,
    Authorizer,
    AuthorizerKind,
    Gateway,
    gateway_document,
    lambda_uri,
)
from handlers.common.messages import Message
from handlers.common.operations import Operation
from local.drivers.fit import service_model

pytestmark = pytest.mark.unit

ORIGIN = "https://page.example.com"


class NotePath(Message):
    note_id: str


class Query(Message):
    limit: int = 1
    owner: str


class Word(Message):
    word: str


class NewNote(Message):
    words: tuple[Word, ...]


class Note(Message):
    told: dict[str, Word]


OPERATIONS = (
    Operation("listNotes", "GET", "/notes", "Lists.", query=Query, answer=Note),
    Operation("makeNote", "POST", "/notes", "Makes.", body=NewNote, answer=Note, statuses=(201,)),
    Operation("dropNote", "DELETE", "/notes/{noteId}", "Drops.", parameters=NotePath, statuses=(204,)),
)
URIS = {one.name: f"uri of {one.name}" for one in OPERATIONS}


def made(operations: tuple[Operation, ...] = OPERATIONS, **changes: Any) -> dict[str, Any]:
    given = {"integrations": URIS, "cors_origin": ORIGIN}
    return gateway_document(document("notes", "1", operations), Gateway(**{**given, **changes}))


def served(found: dict[str, Any]) -> dict[str, Any]:
    return {
        one["operationId"]: one for path in found["paths"].values() for one in path.values() if "operationId" in one
    }


def test_every_operation_is_answered_by_its_own_function_in_the_gateways_time() -> None:
    for name, one in served(made()).items():
        assert one["x-amazon-apigateway-integration"] == {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": URIS[name],
            "timeoutInMillis": 29000,
            "passthroughBehavior": "when_no_match",
        }


def test_a_function_is_named_by_its_alias() -> None:
    assert lambda_uri("aws", "eu-west-1", "arn:live") == (
        "arn:aws:apigateway:eu-west-1:lambda:path/2015-03-31/functions/arn:live/invocations"
    )


def test_bodies_may_be_left_to_the_functions_which_say_what_is_wrong() -> None:
    found = made(bodies_validated=False)
    (validator,) = found["x-amazon-apigateway-request-validators"]
    assert found["x-amazon-apigateway-request-validators"][validator] == {
        "validateRequestBody": False,
        "validateRequestParameters": True,
    }
    assert {one["x-amazon-apigateway-request-validator"] for one in served(found).values()} == {validator}


def test_bodies_and_parameters_are_validated() -> None:
    found = made()
    (validator,) = found["x-amazon-apigateway-request-validators"]
    assert found["x-amazon-apigateway-request-validators"][validator] == {
        "validateRequestBody": True,
        "validateRequestParameters": True,
    }
    operations = served(found)
    assert {one["x-amazon-apigateway-request-validator"] for one in operations.values()} == {validator}
    assert operations["makeNote"]["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/NewNote"}}
    }
    parameters = {one["name"]: (one["in"], one["required"]) for one in operations["listNotes"]["parameters"]}
    assert parameters == {"limit": ("query", False), "owner": ("query", True)}
    assert operations["dropNote"]["parameters"][0] == {
        "name": "noteId",
        "in": "path",
        "required": True,
        "schema": {"type": "string"},
    }


def test_only_schemas_that_are_asked_for_are_imported() -> None:
    assert set(made()["components"]["schemas"]) == {"NewNote", "Word"}
    assert made()["openapi"] == "3.0.1"


def test_every_path_answers_browsers_and_refuses_other_methods() -> None:
    paths = made()["paths"]
    for path, methods in {"/notes": "GET,OPTIONS,POST", "/notes/{noteId}": "DELETE,OPTIONS"}.items():
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
    rooted = made((Operation("root", "GET", "/", "Root."),), integrations={"root": "uri"})["paths"]
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


def test_refusals_have_the_status_of_what_happened() -> None:
    answers = made()["x-amazon-apigateway-gateway-responses"]
    found = {
        kind: (one.get("statusCode"), error_of(one["responseTemplates"]["application/json"])["code"])
        for kind, one in answers.items()
    }
    assert found == {
        "DEFAULT_4XX": (None, "REFUSED"),
        "DEFAULT_5XX": (None, "INTERNAL"),
        "ACCESS_DENIED": ("401", "UNAUTHORIZED"),
        "BAD_REQUEST_BODY": ("400", "MALFORMED"),
        "BAD_REQUEST_PARAMETERS": ("400", "MALFORMED"),
        "EXPIRED_TOKEN": ("401", "UNAUTHORIZED"),
        "INVALID_API_KEY": ("403", "INVALID_API_KEY"),
        "MISSING_AUTHENTICATION_TOKEN": ("404", "NOT_FOUND"),
        "QUOTA_EXCEEDED": ("429", "QUOTA_EXCEEDED"),
        "REQUEST_TOO_LARGE": ("413", "TOO_LARGE"),
        "THROTTLED": ("429", "THROTTLED"),
        "UNAUTHORIZED": ("401", "UNAUTHORIZED"),
        "UNSUPPORTED_MEDIA_TYPE": ("415", "UNSUPPORTED_MEDIA_TYPE"),
        "WAF_FILTERED": ("429", "THROTTLED"),
    }


def asked(found: dict[str, Any]) -> set[str]:
    """What operations ask for; what the gateway answers by itself asks for nothing."""
    for path in found["paths"].values():
        assert all("security" not in one for verb, one in path.items() if verb in {"options", ANY})
    asked = {json.dumps(one.get("security", [])) for one in served(found).values()}
    assert set(found["components"]["securitySchemes"]) == {
        name for one in asked for each in json.loads(one) for name in each
    }
    return asked


def test_nothing_is_asked_where_nothing_is_set() -> None:
    assert asked(made()) == {"[]"}


def test_a_key_is_asked_for_on_every_operation() -> None:
    found = made(authorization=Authorization.API_KEY)
    assert asked(found) == {'[{"apiKey": []}]'}
    assert found["components"]["securitySchemes"]["apiKey"] == {"type": "apiKey", "name": "x-api-key", "in": "header"}


@pytest.mark.parametrize("kind", AuthorizerKind)
def test_a_function_judges_every_operation(kind: AuthorizerKind) -> None:
    found = made(authorization=Authorization.LAMBDA, authorizer=Authorizer("uri", kind, 60))
    assert asked(found) == {'[{"lambda": []}]'}
    scheme = found["components"]["securitySchemes"]["lambda"]
    assert (scheme["type"], scheme["name"], scheme["in"]) == ("apiKey", "Authorization", "header")
    assert scheme["x-amazon-apigateway-authtype"] == "custom"
    assert scheme["x-amazon-apigateway-authorizer"] == {
        "type": kind.value,
        "authorizerUri": "uri",
        "identitySource": "method.request.header.Authorization",
        "authorizerResultTtlInSeconds": 60,
    }


@pytest.mark.parametrize(
    "changes", [{"authorization": Authorization.LAMBDA}, {"authorizer": Authorizer("uri")}], ids=["none", "unused"]
)
def test_an_authorizer_and_its_authorization_go_together(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="do not go together"):
        made(**changes)


def test_an_operation_that_nothing_answers_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing answers the operation makeNote"):
        made(integrations={"listNotes": "uri"})

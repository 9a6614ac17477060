"""What API Gateway imports as a REST API: OpenAPI 3.0.1 with its extensions, from the documentation. Pure.

Only what the gateway acts on is in it: paths, parameters that must be there, bodies and who may call. Answers are the
handlers' business, so their schemas stay in the documentation. A path that nobody has is answered with 404, a method
that a path lacks with 405; without that, the gateway answers both as a missing signature.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from components.blocks.api.gateway_responses import (
    JSON,
    UNKNOWN_METHOD,
    UNKNOWN_PATH,
    gateway_responses,
    preflight,
    refusing,
)
from components.blocks.api.gateway_schema import SCHEMAS, Schema, model_name, to_gateway_schemas

Document = dict[str, Any]

ANY = "x-amazon-apigateway-any-method"
TIMEOUT_MILLISECONDS = 29_000
BOTH, PARAMETERS = "body-and-parameters", "parameters"
"""Validators by what they look at."""
PROXY = "/{proxy+}"


class RestAuthorization(StrEnum):
    """What the gateway asks of whoever calls."""

    NONE = "none"
    API_KEY = "apiKey"
    """The header `x-api-key` with a key of a usage plan."""
    LAMBDA = "lambda"
    """The header `Authorization`, judged by a function."""


@dataclass(frozen=True)
class Authorizer:
    """The function that judges who calls."""

    uri: str
    result_seconds: int
    """How long its answer counts for the same header, on every path: so its policy must name the whole stage."""


@dataclass(frozen=True)
class GatewayOptions:
    """What the gateway adds to an API's documentation."""

    integration: str
    """What the gateway calls: `lambda_uri`."""
    cors_origin: str
    """Whose pages may read answers; `*` for everybody's."""
    authorization: RestAuthorization = RestAuthorization.NONE
    authorizer: Authorizer | None = None
    bodies_validated: bool = True
    """Whether bodies without the form are refused before anything is called. Which field is wrong, only a function says."""

    @property
    def validator(self) -> str:
        """The one that all operations have."""
        return BOTH if self.bodies_validated else PARAMETERS


def lambda_uri(partition: str, region: str, alias_arn: str) -> str:
    """How the gateway names a function that it calls."""
    return f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{alias_arn}/invocations"


def gateway_document(document: Document, gateway: GatewayOptions) -> Document:
    """The document that is imported."""
    made: Document = {
        "openapi": "3.0.1",
        "info": dict(document["info"]),
        "paths": {path: _path(path, operations, gateway) for path, operations in document["paths"].items()},
        "components": {
            "schemas": to_gateway_schemas(dict(_bodies(document))),
            "securitySchemes": dict(_schemes(gateway)),
        },
        "x-amazon-apigateway-request-validators": {
            gateway.validator: {"validateRequestBody": gateway.bodies_validated, "validateRequestParameters": True}
        },
        "x-amazon-apigateway-gateway-responses": gateway_responses(gateway.cors_origin),
    }
    # The greedy path does not take the root.
    for path in ("/", PROXY):
        parameters = _path_parameters(path)
        made["paths"].setdefault(path, {ANY: {**parameters, **refusing(UNKNOWN_PATH, gateway.cors_origin)}})
    return made


def _path(path: str, operations: Document, gateway: GatewayOptions) -> Document:
    """The operations of a path, its preflight, and the answer to every other method."""
    methods = [method.upper() for method in operations]
    made = {method: _operation(one, gateway) for method, one in operations.items()}
    parameters = _path_parameters(path)
    made["options"] = {**parameters, **preflight(methods, gateway.cors_origin)}
    made[ANY] = {**parameters, **refusing(UNKNOWN_METHOD, gateway.cors_origin)}
    return made


def _operation(one: Document, gateway: GatewayOptions) -> Document:
    made: Document = {
        "operationId": one["operationId"],
        "responses": {
            status: {"description": "See the documentation."} for status in one["responses"] if status.isdigit()
        },
        "x-amazon-apigateway-request-validator": gateway.validator,
        "x-amazon-apigateway-integration": {
            "type": "aws_proxy",
            "httpMethod": "POST",
            "uri": gateway.integration,
            "timeoutInMillis": TIMEOUT_MILLISECONDS,
            "passthroughBehavior": "when_no_match",
        },
    }
    if parameters := [_parameter(given) for given in one.get("parameters", ())]:
        made["parameters"] = parameters
    if "requestBody" in one:
        name = _body_name(one)
        made["requestBody"] = {"required": True, "content": {JSON: {"schema": {"$ref": SCHEMAS + model_name(name)}}}}
    if gateway.authorization is not RestAuthorization.NONE:
        made["security"] = [{gateway.authorization.value: []}]
    return made


def _parameter(given: Document) -> Document:
    """Of parameters the gateway sees no more than whether they are there."""
    return {"name": given["name"], "in": given["in"], "required": given["required"], "schema": {"type": "string"}}


def _path_parameters(path: str) -> Document:
    names = [part[1:-1].removesuffix("+") for part in path.split("/") if part.startswith("{")]
    found = [_parameter({"name": name, "in": "path", "required": True}) for name in names]
    return {"parameters": found} if found else {}


def _body_name(operation: Document) -> str:
    return str(operation["requestBody"]["content"][JSON]["schema"]["$ref"]).removeprefix(SCHEMAS)


def _bodies(document: Document) -> Iterator[tuple[str, Schema]]:
    """The schemas of all bodies that are asked for, and those that they are made of."""
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    operations = [one for path in document["paths"].values() for one in path.values()]
    waiting = sorted({_body_name(one) for one in operations if "requestBody" in one})
    seen: set[str] = set()
    while waiting:
        name = waiting.pop(0)
        if name not in seen:
            seen.add(name)
            yield name, schemas[name]
            waiting += _names_in(schemas[name])


def _names_in(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [value["$ref"].removeprefix(SCHEMAS)] if isinstance(value.get("$ref"), str) else []
        return own + [name for inner in value.values() for name in _names_in(inner)]
    return [name for inner in value for name in _names_in(inner)] if isinstance(value, list) else []


def _schemes(gateway: GatewayOptions) -> Iterator[tuple[str, Document]]:
    authorizer = gateway.authorizer
    if gateway.authorization is RestAuthorization.API_KEY:
        yield gateway.authorization.value, {"type": "apiKey", "name": "x-api-key", "in": "header"}
    elif authorizer is not None:
        yield (
            gateway.authorization.value,
            {
                "type": "apiKey",
                "name": "Authorization",
                "in": "header",
                "x-amazon-apigateway-authtype": "custom",
                "x-amazon-apigateway-authorizer": {
                    "type": "token",
                    "authorizerUri": authorizer.uri,
                    "identitySource": "method.request.header.Authorization",
                    "authorizerResultTtlInSeconds": authorizer.result_seconds,
                },
            },
        )

"""OpenAPI 3.0.1 document that API Gateway imports as a REST API, built from the document that
`public_openapi_document.py` makes for the API's users.

The imported document contains only what the gateway acts on: paths, parameters, request bodies and authorization.
Response schemas are left out, because the handlers are responsible for responses.

It adds operations that call no function. They answer CORS preflights, an unknown path (with 404), and an
unsupported method of a path (with 405). Without its own operation, an unsupported method would be answered with 404,
because the gateway does not distinguish it from an unknown path.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from components.blocks.api.gateway_responses import (
    UNKNOWN_METHOD,
    UNKNOWN_PATH,
    gateway_responses,
    preflight_operation,
    refusal_operation,
)
from components.blocks.api.gateway_schema import Schema, model_name, to_gateway_schemas
from components.blocks.api.public_openapi_document import JSON, SCHEMAS, Document, referenced_names
from components.settings.settings_base import GATEWAY_SECONDS

ANY = "x-amazon-apigateway-any-method"
"""Key of the operation that serves all methods of a path that have no operation of their own."""
TIMEOUT_MILLISECONDS = 1000 * GATEWAY_SECONDS
"""Time limit of a function's response, which is also API Gateway's default maximum."""
BODY_AND_PARAMETERS, PARAMETERS = "body-and-parameters", "parameters"
"""Names of the request validators, by the parts of a request that they validate."""
AUTHORIZER_SCHEME = "lambda"
"""Name of the security scheme in which an authorizer function checks the header `Authorization`."""
PROXY = "/{proxy+}"
"""Path that matches every request path that no other path matches, except the root."""


@dataclass(frozen=True)
class Authorizer:
    uri: str
    """URI with which the gateway calls the authorizer's alias, as `lambda_uri` returns it."""
    result_seconds: int
    """Time for which the gateway caches a result for the same header. It uses the cached result for every path, so the
    policy that the authorizer returns must cover the whole stage."""


@dataclass(frozen=True)
class GatewayOptions:
    """Parts of the imported document that the description for the API's users does not contain."""

    integration: str
    """URI with which the gateway calls the function of all operations, as `lambda_uri` returns it."""
    cors_origin: str
    """Origin whose pages may read responses; `*` for all origins."""
    authorizer: Authorizer | None = None
    """Authorizer that checks the header `Authorization`; None if the gateway admits all callers."""
    bodies_validated: bool = True
    """True if the gateway refuses bodies that do not match their schema. It cannot name the wrong field; the handlers
    can."""

    @property
    def validator(self) -> str:
        """Name of the validator of all operations."""
        return BODY_AND_PARAMETERS if self.bodies_validated else PARAMETERS


def lambda_uri(partition: str, region: str, alias_arn: str) -> str:
    """Return the integration URI of a function's alias."""
    return f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{alias_arn}/invocations"


def gateway_document(document: Document, gateway: GatewayOptions) -> Document:
    """Return the document that API Gateway imports."""
    imported: Document = {
        "openapi": "3.0.1",
        "info": dict(document["info"]),
        "paths": {path: _path(path, operations, gateway) for path, operations in document["paths"].items()},
        "components": {
            "schemas": to_gateway_schemas(dict(_body_schemas(document))),
            "securitySchemes": dict(_security_schemes(gateway)),
        },
        "x-amazon-apigateway-request-validators": {
            gateway.validator: {"validateRequestBody": gateway.bodies_validated, "validateRequestParameters": True}
        },
        "x-amazon-apigateway-gateway-responses": gateway_responses(gateway.cors_origin),
    }
    # PROXY does not match the root path, so both paths need an operation that answers with 404.
    for path in ("/", PROXY):
        parameters = _path_parameters(path)
        imported["paths"].setdefault(
            path, {ANY: {**parameters, **refusal_operation(UNKNOWN_PATH, gateway.cors_origin)}}
        )
    return imported


def _path(path: str, operations: Document, gateway: GatewayOptions) -> Document:
    """Return the operations of a path, its CORS preflight, and the response to all other methods."""
    methods = [method.upper() for method in operations]
    imported = {method: _operation(operation, gateway) for method, operation in operations.items()}
    parameters = _path_parameters(path)
    imported["options"] = {**parameters, **preflight_operation(methods, gateway.cors_origin)}
    imported[ANY] = {**parameters, **refusal_operation(UNKNOWN_METHOD, gateway.cors_origin)}
    return imported


def _operation(operation: Document, gateway: GatewayOptions) -> Document:
    imported: Document = {
        "operationId": operation["operationId"],
        "responses": {
            status: {"description": "See the documentation."} for status in operation["responses"] if status.isdigit()
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
    if parameters := [_parameter(parameter) for parameter in operation.get("parameters", ())]:
        imported["parameters"] = parameters
    if "requestBody" in operation:
        name = _body_name(operation)
        imported["requestBody"] = {
            "required": True,
            "content": {JSON: {"schema": {"$ref": SCHEMAS + model_name(name)}}},
        }
    if gateway.authorizer is not None:
        imported["security"] = [{AUTHORIZER_SCHEME: []}]
    return imported


def _parameter(parameter: Document) -> Document:
    """Return a parameter with type string, because the gateway only checks that it is present."""
    return {
        "name": parameter["name"],
        "in": parameter["in"],
        "required": parameter["required"],
        "schema": {"type": "string"},
    }


def _path_parameters(path: str) -> Document:
    names = [part[1:-1].removesuffix("+") for part in path.split("/") if part.startswith("{")]
    parameters = [_parameter({"name": name, "in": "path", "required": True}) for name in names]
    return {"parameters": parameters} if parameters else {}


def _body_name(operation: Document) -> str:
    return str(operation["requestBody"]["content"][JSON]["schema"]["$ref"]).removeprefix(SCHEMAS)


def _body_schemas(document: Document) -> Iterator[tuple[str, Schema]]:
    """Yield the schemas of all request bodies and of the models that they refer to."""
    schemas: Mapping[str, Schema] = document["components"]["schemas"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    pending_names = sorted({_body_name(operation) for operation in operations if "requestBody" in operation})
    visited: set[str] = set()
    while pending_names:
        name = pending_names.pop(0)
        if name not in visited:
            visited.add(name)
            yield name, schemas[name]
            pending_names += referenced_names(schemas[name])


def _security_schemes(gateway: GatewayOptions) -> Iterator[tuple[str, Document]]:
    """Yield the security scheme that all operations require, if there is one."""
    authorizer = gateway.authorizer
    if authorizer is not None:
        yield (
            AUTHORIZER_SCHEME,
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

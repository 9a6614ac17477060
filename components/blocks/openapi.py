"""The two OpenAPI documents of a REST API, built from the list of its operations.

`public_document` describes the API to its users, in OpenAPI 3.1: pydantic's schemas of requests and answers, and the
body that every error has. `local/generate` writes it to docs/reference.

`gateway_document` is what API Gateway imports, in OpenAPI 3.0.1. The block `RestApi` builds it. It has the same
operations, but only the parts that the gateway acts on: which function to call, who may call, and which requests to
refuse. The functions check their answers themselves. It has further operations that call no function. They answer CORS
preflights, an unknown path with 404, and an unsupported method of a path with 405, which the gateway would otherwise
answer like an unknown path.

A token in the header `Authorization` is verified by one of two functions. An API may have an authorizer, a function that
verifies the token for all operations. In an API without one, the API's own function verifies the token for the
operations that are declared with `takes_token`. Neither document treats a token in a body as authentication.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from pydantic.json_schema import models_json_schema

from components.blocks.gateway_responses import (
    JSON,
    UNKNOWN_METHOD,
    UNKNOWN_PATH,
    error_operation,
    gateway_responses,
    preflight_operation,
)
from handlers.common.errors import Error
from handlers.common.json_models import Message
from handlers.common.rest import AnyRestOperation

Document = dict[str, Any]
Use = Literal["validation", "serialization"]
"""Use of a model, for pydantic: it validates a request, or is serialized to an answer."""
SCHEMAS = "#/components/schemas/"
"""Prefix of a reference to a schema of the same document."""
PATH_PARAMETER = re.compile(r"\{([^}]*)\}")
"""A parameter in a path, such as `{episodeId}`."""
STATUS_DESCRIPTIONS = {200: "Done.", 201: "Created.", 202: "Accepted.", 204: "Done; the response has no body."}
ANY = "x-amazon-apigateway-any-method"
"""Key of the operation that serves all methods of a path that have no operation of their own."""
PROXY = "/{proxy+}"
"""Path that matches every request path that no other path matches, except the root."""
AUTHORIZER_SCHEME = "lambda"
"""Name, in the gateway's document, of the security scheme in which the authorizer checks the header `Authorization`."""
TOKEN_SCHEME = "jwt"  # noqa: S105 - not a secret
"""Name, in the document for users, of the security scheme of a token in the header `Authorization`. Users send the same
token, whichever function verifies it."""


class Authorizer(NamedTuple):
    """Function that checks the header `Authorization` before the gateway calls the API's own function."""

    uri: str
    """URI with which the gateway calls the authorizer's alias, as `lambda_uri` returns it."""
    result_seconds: int
    """Time for which the gateway caches a result for the same header. It uses the cached result for every path, so the
    policy that the authorizer returns must cover the whole stage."""


def lambda_uri(partition: str, region: str, alias_arn: str) -> str:
    """Return the URI with which API Gateway calls a function's alias."""
    return f"arn:{partition}:apigateway:{region}:lambda:path/2015-03-31/functions/{alias_arn}/invocations"


def public_document(
    title: str,
    version: str,
    operations: Sequence[AnyRestOperation],
    *,
    description: str,
    servers: Sequence[Document],
    security: Sequence[Document],
    security_schemes: Document,
) -> Document:
    """Return the OpenAPI document for the API's users.

    The keyword arguments are parts of the document that do not follow from the operations. The description is Markdown,
    the others are as OpenAPI defines them. `security` lists alternatives, of which `{}` means no authentication. It
    applies to all operations, except those that are declared with `takes_token`, which always require a token.
    """
    schemas = _Schemas(operations, answers=[Error, *(operation.answer for operation in operations)])
    paths: dict[str, Document] = {}
    for operation in operations:
        answer = {"content": schemas.content(operation.answer, "serialization")} if operation.answer else {}
        answers = {str(status): {"description": STATUS_DESCRIPTIONS[status], **answer} for status in operation.statuses}
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            "operationId": operation.name,
            "summary": operation.summary,
            **schemas.request(operation),
            **({"security": [{TOKEN_SCHEME: []}]} if operation.takes_token else {}),
            "responses": {**answers, "default": {"$ref": "#/components/responses/Error"}},
        }
    error = {"description": "The request failed.", "content": schemas.content(Error, "serialization")}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "description": description},
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.by_name.items())),
            "responses": {"Error": error},
            "securitySchemes": security_schemes,
        },
        "servers": servers,
        "security": security,
    }


def gateway_document(
    title: str,
    version: str,
    operations: Sequence[AnyRestOperation],
    *,
    integration: str,
    cors_origin: str,
    authorizer: Authorizer | None = None,
    bodies_validated: bool = True,
) -> Document:
    """Return the document that API Gateway imports.

    `integration` is the URI of the function that performs all operations, as `lambda_uri` returns it. Pages of
    `cors_origin` may read the answers; `*` means all origins. Without an authorizer, the gateway admits all callers. If
    `bodies_validated`, it refuses bodies with another structure than their schema. An API may leave that to its
    function, whose error names the invalid field.
    """
    schemas = _Schemas(operations)
    if refused := [name for name in schemas.by_name if not name.isalnum()]:
        raise ValueError(f"rename {', '.join(refused)}: API Gateway accepts only letters and digits in a model's name")
    validator = "body-and-parameters" if bodies_validated else "parameters"
    paths: dict[str, Document] = {"/": {}, PROXY: {}}
    for operation in operations:
        request = schemas.request(operation)
        for parameter in request.get("parameters", ()):
            parameter["schema"] = {"type": "string"}  # the gateway only checks that it is present
        paths.setdefault(operation.path, {})[operation.method.lower()] = {
            "operationId": operation.name,
            **request,
            "responses": {str(status): {"description": "See the documentation."} for status in operation.statuses},
            **({"security": [{AUTHORIZER_SCHEME: []}]} if authorizer else {}),
            "x-amazon-apigateway-request-validator": validator,
            "x-amazon-apigateway-integration": {
                "type": "aws_proxy",
                "httpMethod": "POST",
                "uri": integration,
                "passthroughBehavior": "when_no_match",
            },
        }
    for path, methods in paths.items():
        names = [name.removesuffix("+") for name in PATH_PARAMETER.findall(path)]
        declared = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
        parameters = {"parameters": declared} if declared else {}
        error = UNKNOWN_METHOD if methods else UNKNOWN_PATH
        if methods:
            methods["options"] = {**parameters, **preflight_operation(methods, cors_origin)}
        methods[ANY] = {**parameters, **error_operation(error, cors_origin)}
    security_schemes: Document = {}
    if authorizer:
        security_schemes[AUTHORIZER_SCHEME] = {
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
        }
    return {
        "openapi": "3.0.1",
        "info": {"title": title, "version": version},
        "paths": paths,
        "components": {
            "schemas": {name: _structure(schema) for name, schema in schemas.by_name.items()},
            "securitySchemes": security_schemes,
        },
        "x-amazon-apigateway-request-validators": {
            validator: {"validateRequestBody": bodies_validated, "validateRequestParameters": True}
        },
        "x-amazon-apigateway-gateway-responses": gateway_responses(cors_origin),
    }


class _Schemas:
    """Schemas of the models of all requests and of some answers, and the parts of operations that refer to them."""

    def __init__(self, operations: Sequence[AnyRestOperation], answers: Iterable[type[Message] | None] = ()) -> None:
        pairs = ((operation.parameters, operation.query) for operation in operations)
        parameters = list(dict.fromkeys(model for pair in pairs for model in pair if model))
        models: list[tuple[type[Message], Use]] = [(model, "validation") for model in parameters]
        models += [(operation.body, "validation") for operation in operations if operation.body]
        models += [(model, "serialization") for model in answers if model]
        references, definitions = models_json_schema(list(dict.fromkeys(models)), ref_template=SCHEMAS + "{model}")
        self._references: Mapping[tuple[type[Message], Use], Document] = references  # type: ignore[assignment]
        self.by_name: dict[str, Document] = definitions.get("$defs", {})
        """Schemas to which the document refers, by name. The schemas of parameters are removed from them below, because
        the document lists each parameter of a path or a query by itself."""
        self._parameters = {
            model: self.by_name.pop(references[model, "validation"]["$ref"].removeprefix(SCHEMAS))
            for model in parameters
        }

    def content(self, model: type[Message], use: Use) -> Document:
        """Return the content of a body: the reference to its schema."""
        return {JSON: {"schema": dict(self._references[model, use])}}

    def request(self, operation: AnyRestOperation) -> Document:
        """Return parameters and body of an operation, as far as it has any."""
        path_parameters = self._list_parameters("path", operation.parameters)
        parameters = [*path_parameters, *self._list_parameters("query", operation.query)]
        body = {"required": True, "content": self.content(operation.body, "validation")} if operation.body else None
        return {**({"parameters": parameters} if parameters else {}), **({"requestBody": body} if body else {})}

    def _list_parameters(self, location: str, model: type[Message] | None) -> Iterator[Document]:
        schema = self._parameters[model] if model else {}
        for name, field in schema.get("properties", {}).items():
            yield {
                "name": name,
                "in": location,
                "required": name in schema.get("required", ()),
                **{key: field[key] for key in ("description",) if key in field},
                "schema": {key: value for key, value in field.items() if key != "description"},
            }


def _structure(schema: Document) -> Document:
    """Return the structure of a schema: required fields and types, in the JSON Schema draft 4 that the gateway reads.

    The function checks all other rules, and its error names the field and the rule, which the gateway's cannot. The
    gateway may accept what the model refuses, but never the other way round. OpenAPI 3.0 has no type `null`, so the
    gateway does not check a field that may be null.
    """
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    result: Document = {
        keyword: schema[keyword] for keyword in ("type", "description", "required") if keyword in schema
    }
    if "properties" in schema:
        result["properties"] = {name: _structure(field) for name, field in schema["properties"].items()}
    if "items" in schema:
        result["items"] = _structure(schema["items"])
    if "anyOf" in schema and {"type": "null"} not in schema["anyOf"]:
        result["anyOf"] = [_structure(choice) for choice in schema["anyOf"]]
    return result

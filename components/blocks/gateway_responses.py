"""Responses that API Gateway gives without calling a function: errors, preflights, and unknown paths and methods.

They are parts of the OpenAPI document that API Gateway imports (`openapi.py`). Errors have the same body as the errors of the handlers. They do not use the message of API Gateway's request validator
(`$context.error.validationErrorString`), because it quotes the refused value, and these templates cannot escape the
value for JSON. docs/reference/errors.md explains the codes to the API's users.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

JSON = "application/json"
GATEWAY_MESSAGE = "$context.error.messageString"
"""The gateway's own error message, quoted as a JSON string. It may name missing parameters."""
ERRORS: dict[str, tuple[str, str | None, int | None]] = {
    "DEFAULT_4XX": ("REFUSED", None, None),
    "DEFAULT_5XX": ("INTERNAL", "Something went wrong on our side.", None),
    # The authorizer function denies a request whose token is not valid. The status is 401, because the client may get a
    # new token.
    "ACCESS_DENIED": ("UNAUTHORIZED", "The token is invalid or has expired.", 401),
    # The authorizer function raises an exception if it cannot fetch the identity provider's keys.
    "AUTHORIZER_FAILURE": ("UNAVAILABLE", "The identity provider does not respond. Try again.", 503),
    "BAD_REQUEST_BODY": (
        "MALFORMED",
        (
            "The body does not match the schema in the API's documentation. It is not valid JSON, a required field is "
            "missing, or a field has the wrong type."
        ),
        None,
    ),
    "BAD_REQUEST_PARAMETERS": ("MALFORMED", None, None),
    "EXPIRED_TOKEN": ("UNAUTHORIZED", "The token has expired.", 401),
    # The gateway reports an unknown path as a missing authentication token.
    "MISSING_AUTHENTICATION_TOKEN": ("NOT_FOUND", "This path does not exist.", 404),
    "REQUEST_TOO_LARGE": ("TOO_LARGE", "The request is too large.", None),
    "THROTTLED": ("THROTTLED", "Too many requests. Try again in a moment.", None),
    "UNAUTHORIZED": ("UNAUTHORIZED", "The header Authorization is missing or invalid.", None),
    "UNSUPPORTED_MEDIA_TYPE": (
        "UNSUPPORTED_MEDIA_TYPE",
        "The content type is not supported. Send application/json.",
        None,
    ),
}
"""Code, message and HTTP status of each error, by API Gateway's response type. None keeps the gateway's own message or
status."""
UNKNOWN_PATH = ("NOT_FOUND", "This path does not exist.", 404)
UNKNOWN_METHOD = ("METHOD_NOT_ALLOWED", "This path does not support this method.", 405)
MOCK_REQUEST_TYPES = (
    JSON,
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data",
    "text/plain",
)
"""Content types that a mock operation accepts. A request of any other content type gets the status 415."""


def gateway_responses(origin: str) -> dict[str, Any]:
    """Return the gateway response of each error, whose CORS header permits an origin."""
    return {
        response_type: {
            **({"statusCode": str(status)} if status else {}),
            "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": f"'{origin}'"},
            "responseTemplates": {JSON: _error_body(code, message)},
        }
        for response_type, (code, message, status) in ERRORS.items()
    }


def preflight_operation(methods: Iterable[str], origin: str) -> dict[str, Any]:
    """Return the OPTIONS operation that answers a browser's CORS preflight."""
    headers = {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Headers": "Content-Type,Authorization,X-Amz-Date,X-Amz-Security-Token",
        "Access-Control-Allow-Methods": ",".join(sorted({*(method.upper() for method in methods), "OPTIONS"})),
        "Access-Control-Max-Age": "3600",  # seconds for which a browser may cache the response
    }
    return _mock_operation(200, "{}", headers)


def error_operation(error: tuple[str, str, int], origin: str) -> dict[str, Any]:
    """Return an operation that answers every request with an error: code, message and HTTP status."""
    code, message, status = error
    return _mock_operation(status, _error_body(code, message), {"Access-Control-Allow-Origin": origin})


def _error_body(code: str, message: str | None) -> str:
    """Return the template of an error's body, into which the gateway inserts the request's id."""
    text = GATEWAY_MESSAGE if message is None else json.dumps(message)
    return f'{{"code":"{code}","message":{text},"fields":[],"requestId":"$context.requestId"}}'


def _mock_operation(status: int, body: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """Return an operation that the gateway answers itself. It must declare each header that it sets.

    The status in the request template selects an entry of the integration's `responses`. The only entry is `default`,
    which applies to every status.
    """
    return {
        "responses": {
            str(status): {
                "description": "Answered by API Gateway.",
                "headers": {name: {"schema": {"type": "string"}} for name in headers},
            }
        },
        "x-amazon-apigateway-integration": {
            "type": "mock",
            "passthroughBehavior": "never",
            "requestTemplates": dict.fromkeys(MOCK_REQUEST_TYPES, json.dumps({"statusCode": status})),
            "responses": {
                "default": {
                    "statusCode": str(status),
                    "responseParameters": {
                        f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()
                    },
                    "responseTemplates": {JSON: body},
                }
            },
        },
    }

"""Responses that API Gateway gives without calling a function: errors, preflights, and unknown paths and methods.

Errors have the same body as the errors of the handlers. They do not use the message of API Gateway's request validator
(`$context.error.validationErrorString`), because it quotes the refused value, and these templates cannot escape the
value for JSON. Without this message, a client does not learn which field is wrong. So the gateway validates only the
structure of a body (`gateway_schema.py`), and the handlers report which field has a wrong value.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.blocks.api.public_openapi_document import JSON, Document
from handlers.common.api_error_codes import ErrorCode

REQUEST_ID = "$context.requestId"
GATEWAY_MESSAGE = "$context.error.messageString"
"""The gateway's own error message, quoted as a JSON string."""
ALLOWED_HEADERS = "Content-Type,Authorization,X-Amz-Date,X-Amz-Security-Token"
"""Request headers that pages of the allowed origin may send."""
MAX_AGE_SECONDS = 3600
"""Time for which a browser may cache the response to a preflight."""
MOCK_REQUEST_TYPES = (
    JSON,
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data",
    "text/plain",
)
"""Content types of requests that a mock operation (an operation that the gateway answers itself) accepts. A request of
any other content type gets the status 415."""


class GatewayErrorCode(ErrorCode):
    """Error code of a response that the gateway gives without calling a function. The handlers have further codes."""

    # Each member has its code, the reason for the error, advice for the client's developer, and the HTTP status. The
    # default of the status is 400.
    INTERNAL = (
        "INTERNAL",
        "The platform failed.",
        "Send the request again later. Give `requestId` to support if it fails again.",
        500,
    )
    MALFORMED = (
        "MALFORMED",
        (
            "A required field is missing, a field has another type, or the body is not JSON. The gateway cannot name the "
            "field, so `fields` is empty."
        ),
        "Compare the request with the OpenAPI document.",
    )
    METHOD_NOT_ALLOWED = (
        "METHOD_NOT_ALLOWED",
        "The path does not support this method.",
        "Correct the method.",
        405,
    )
    NOT_FOUND = (
        "NOT_FOUND",
        "The path does not exist.",
        "Correct the URL. The base URL in the stack output ends with the name of the stage.",
        404,
    )
    REFUSED = ("REFUSED", "The gateway refuses the request for another reason.", "Read `message`.")
    THROTTLED = (
        "THROTTLED",
        "Too many requests, from all callers together.",
        "Send the request again, with increasing pauses.",
        429,
    )
    TOO_LARGE = ("TOO_LARGE", "The request is too large.", "Send a smaller request.", 413)
    UNAUTHORIZED = (
        "UNAUTHORIZED",
        "The token is missing, invalid, or has expired.",
        "Get a new token from the identity provider, and send the request again.",
        401,
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "The token cannot be checked. Usually, the identity provider does not answer.",
        "Send the request again after a few seconds.",
        503,
    )
    UNSUPPORTED_MEDIA_TYPE = (
        "UNSUPPORTED_MEDIA_TYPE",
        "The content type of the request is not supported.",
        "Send `Content-Type: application/json`.",
        415,
    )


@dataclass(frozen=True)
class GatewayRefusal:
    """Response to one kind of refused request."""

    code: GatewayErrorCode
    message: str | None = None
    """Message for the client. None sends the gateway's own message, which may name missing parameters."""
    status: int | None = None
    """HTTP status; None keeps the gateway's own status."""


INTERNAL_ERROR = GatewayRefusal(GatewayErrorCode.INTERNAL, "Something went wrong on our side.")
REFUSALS: Mapping[str, GatewayRefusal] = {
    "DEFAULT_4XX": GatewayRefusal(GatewayErrorCode.REFUSED),
    "DEFAULT_5XX": INTERNAL_ERROR,
    # The authorizer function denies a request whose token is not valid. The status is 401, because the client may get a
    # new token.
    "ACCESS_DENIED": GatewayRefusal(GatewayErrorCode.UNAUTHORIZED, "The token is invalid or has expired.", 401),
    # The authorizer function raises an exception if it cannot fetch the identity provider's keys.
    "AUTHORIZER_FAILURE": GatewayRefusal(
        GatewayErrorCode.UNAVAILABLE, "The identity provider does not respond. Try again.", 503
    ),
    "BAD_REQUEST_BODY": GatewayRefusal(
        GatewayErrorCode.MALFORMED,
        "The body does not match the schema in the API's documentation. It is not valid JSON, a required field is "
        "missing, or a field has the wrong type.",
        400,
    ),
    "BAD_REQUEST_PARAMETERS": GatewayRefusal(GatewayErrorCode.MALFORMED, None, 400),
    "EXPIRED_TOKEN": GatewayRefusal(GatewayErrorCode.UNAUTHORIZED, "The token has expired.", 401),
    "MISSING_AUTHENTICATION_TOKEN": GatewayRefusal(GatewayErrorCode.NOT_FOUND, "This path does not exist.", 404),
    "REQUEST_TOO_LARGE": GatewayRefusal(GatewayErrorCode.TOO_LARGE, "The request is too large.", 413),
    "THROTTLED": GatewayRefusal(GatewayErrorCode.THROTTLED, "Too many requests. Try again in a moment.", 429),
    "UNAUTHORIZED": GatewayRefusal(
        GatewayErrorCode.UNAUTHORIZED, "The header Authorization is missing or invalid.", 401
    ),
    "UNSUPPORTED_MEDIA_TYPE": GatewayRefusal(
        GatewayErrorCode.UNSUPPORTED_MEDIA_TYPE, "The content type is not supported. Send application/json.", 415
    ),
}
"""Responses by API Gateway's response type. The gateway reports an unknown path as a missing authentication token."""
UNKNOWN_PATH = GatewayRefusal(GatewayErrorCode.NOT_FOUND, "This path does not exist.", 404)
UNKNOWN_METHOD = GatewayRefusal(GatewayErrorCode.METHOD_NOT_ALLOWED, "This path does not support this method.", 405)


def gateway_responses(origin: str) -> Document:
    """Return the gateway responses for all kinds of refusals, with the CORS header for an origin."""
    headers = {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in cors_headers(origin).items()}
    return {
        kind: {
            **({"statusCode": str(refusal.status)} if refusal.status else {}),
            "responseParameters": headers,
            "responseTemplates": {JSON: error_body(refusal)},
        }
        for kind, refusal in REFUSALS.items()
    }


def error_body(refusal: GatewayRefusal) -> str:
    """Return the template of the common error body, into which the gateway inserts the request's id."""
    message_template = GATEWAY_MESSAGE if refusal.message is None else json.dumps(refusal.message)
    return f'{{"code":"{refusal.code}","message":{message_template},"fields":[],"requestId":"{REQUEST_ID}"}}'


def cors_headers(origin: str) -> dict[str, str]:
    """Return the header with which pages of an origin may read a response."""
    return {"Access-Control-Allow-Origin": origin}


def preflight_operation(methods: Sequence[str], origin: str) -> Document:
    """Return the OPTIONS operation that answers a browser's CORS preflight."""
    allowed = {
        **cors_headers(origin),
        "Access-Control-Allow-Headers": ALLOWED_HEADERS,
        "Access-Control-Allow-Methods": ",".join(sorted({*methods, "OPTIONS"})),
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
    return mock_operation(200, "{}", allowed)


def refusal_operation(refusal: GatewayRefusal, origin: str) -> Document:
    """Return an operation that refuses every request."""
    return mock_operation(refusal.status or 400, error_body(refusal), cors_headers(origin))


def mock_operation(status: int, body: str, headers: Mapping[str, str]) -> Document:
    """Return an operation that the gateway answers itself, with a mock integration."""
    response_parameters = {f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()}
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
                    "responseParameters": response_parameters,
                    "responseTemplates": {JSON: body},
                }
            },
        },
    }

"""What API Gateway answers by itself: refusals with the common error body, preflights, unknown paths and methods. Pure.

Nothing of a request is in any of it. The validator's own text would be (`$context.error.validationErrorString` quotes
the value that it refuses, and what it quotes need not be JSON, for such templates know no escaping). So it is asked for
the form alone (`gateway_schema.py`), and the handlers say which field has a value that is wrong.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

Answer = dict[str, Any]

JSON = "application/json"
REQUEST_ID = "$context.requestId"
GATEWAYS_WORDS = "$context.error.messageString"
"""The gateway's own sentence, quoted as JSON wants it."""
HEADERS = "Content-Type,Authorization,X-Api-Key,X-Amz-Date,X-Amz-Security-Token"
MAX_AGE_SECONDS = 3600
ANSWERED_TYPES = (
    JSON,
    "application/octet-stream",
    "application/x-www-form-urlencoded",
    "application/xml",
    "multipart/form-data",
    "text/plain",
)
"""Content types for which what the gateway answers by itself has a template; it refuses any other with a 415."""


class GatewayErrorCode(StrEnum):
    """What the gateway says happened, beside what the handlers say."""

    INTERNAL = "INTERNAL"
    INVALID_API_KEY = "INVALID_API_KEY"
    MALFORMED = "MALFORMED"
    METHOD_NOT_ALLOWED = "METHOD_NOT_ALLOWED"
    NOT_FOUND = "NOT_FOUND"
    QUOTA_EXCEEDED = "QUOTA_EXCEEDED"
    REFUSED = "REFUSED"
    THROTTLED = "THROTTLED"
    TOO_LARGE = "TOO_LARGE"
    UNAUTHORIZED = "UNAUTHORIZED"
    UNSUPPORTED_MEDIA_TYPE = "UNSUPPORTED_MEDIA_TYPE"


@dataclass(frozen=True)
class GatewayRefusal:
    """How one kind of refusal is answered."""

    code: GatewayErrorCode
    message: str | None = None
    """None repeats the gateway's own sentence, which may name parameters of ours that are missing."""
    status: int | None = None
    """None leaves each kind its own."""


BROKEN = GatewayRefusal(GatewayErrorCode.INTERNAL, "Something went wrong on our side.")
REFUSALS: Mapping[str, GatewayRefusal] = {
    "DEFAULT_4XX": GatewayRefusal(GatewayErrorCode.REFUSED),
    "DEFAULT_5XX": BROKEN,
    # By a judging function alone: whoever has no token that holds gets a policy that denies, and may get another token.
    "ACCESS_DENIED": GatewayRefusal(GatewayErrorCode.UNAUTHORIZED, "The token is not valid, or has expired.", 401),
    "BAD_REQUEST_BODY": GatewayRefusal(
        GatewayErrorCode.MALFORMED,
        "The body has not the form that the API's document gives it: something is missing or of another type, or it is "
        "no JSON.",
        400,
    ),
    "BAD_REQUEST_PARAMETERS": GatewayRefusal(GatewayErrorCode.MALFORMED, None, 400),
    "EXPIRED_TOKEN": GatewayRefusal(GatewayErrorCode.UNAUTHORIZED, "The token has expired.", 401),
    "INVALID_API_KEY": GatewayRefusal(GatewayErrorCode.INVALID_API_KEY, "The header x-api-key has no valid key.", 403),
    "MISSING_AUTHENTICATION_TOKEN": GatewayRefusal(GatewayErrorCode.NOT_FOUND, "There is nothing at this path.", 404),
    "QUOTA_EXCEEDED": GatewayRefusal(
        GatewayErrorCode.QUOTA_EXCEEDED, "The key has been used as often as it may be.", 429
    ),
    "REQUEST_TOO_LARGE": GatewayRefusal(GatewayErrorCode.TOO_LARGE, "The request is too large.", 413),
    "THROTTLED": GatewayRefusal(GatewayErrorCode.THROTTLED, "Too many requests: try again in a moment.", 429),
    "UNAUTHORIZED": GatewayRefusal(
        GatewayErrorCode.UNAUTHORIZED, "Say who asks: the header Authorization is missing or wrong.", 401
    ),
    "UNSUPPORTED_MEDIA_TYPE": GatewayRefusal(GatewayErrorCode.UNSUPPORTED_MEDIA_TYPE, "Send JSON.", 415),
    # The one rule of the firewall counts requests.
    "WAF_FILTERED": GatewayRefusal(
        GatewayErrorCode.THROTTLED, "Too many requests from one address: try again in a while.", 429
    ),
}
"""By the gateway's kinds. What nothing asks for by IAM's signature, it calls a missing token: an unknown path."""
UNKNOWN_PATH = GatewayRefusal(GatewayErrorCode.NOT_FOUND, "There is nothing at this path.", 404)
UNKNOWN_METHOD = GatewayRefusal(GatewayErrorCode.METHOD_NOT_ALLOWED, "This path does not have this method.", 405)


def gateway_responses(origin: str) -> Answer:
    """Every refusal of the gateway, readable by pages of an origin."""
    headers = {f"gatewayresponse.header.{name}": f"'{value}'" for name, value in cors_headers(origin).items()}
    return {
        kind: {
            **({"statusCode": str(one.status)} if one.status else {}),
            "responseParameters": headers,
            "responseTemplates": {JSON: error_body(one)},
        }
        for kind, one in REFUSALS.items()
    }


def error_body(refusal: GatewayRefusal) -> str:
    """The common error body, with the request's id where the gateway puts it."""
    said = GATEWAYS_WORDS if refusal.message is None else json.dumps(refusal.message)
    return f'{{"code":"{refusal.code}","message":{said},"fields":[],"requestId":"{REQUEST_ID}"}}'


def cors_headers(origin: str) -> dict[str, str]:
    """What lets a page of an origin read an answer."""
    return {"Access-Control-Allow-Origin": origin}


def preflight(methods: Sequence[str], origin: str) -> Answer:
    """OPTIONS: what a browser asks before it asks."""
    allowed = {
        **cors_headers(origin),
        "Access-Control-Allow-Headers": HEADERS,
        "Access-Control-Allow-Methods": ",".join(sorted({*methods, "OPTIONS"})),
        "Access-Control-Max-Age": str(MAX_AGE_SECONDS),
    }
    return mock(200, "{}", allowed)


def refusing(refusal: GatewayRefusal, origin: str) -> Answer:
    """An operation that refuses whatever comes."""
    return mock(refusal.status or 400, error_body(refusal), cors_headers(origin))


def mock(status: int, body: str, headers: Mapping[str, str]) -> Answer:
    """An operation that the gateway answers without asking anybody."""
    given = {f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()}
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
            "requestTemplates": dict.fromkeys(ANSWERED_TYPES, json.dumps({"statusCode": status})),
            "responses": {
                "default": {
                    "statusCode": str(status),
                    "responseParameters": given,
                    "responseTemplates": {JSON: body},
                }
            },
        },
    }

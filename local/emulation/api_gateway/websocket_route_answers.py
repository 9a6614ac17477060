"""Reads what a Lambda function returned for a route of a WebSocket API, for example for `$connect`.

AWS does not document which answers are malformed. Here, an answer is valid if it is an object with an integer
`statusCode` from 200 to 599, and its `body` is a text, null or absent.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

BAD_GATEWAY = 502
SUBPROTOCOL_HEADER = "sec-websocket-protocol"


@dataclass(frozen=True)
class RouteAnswer:
    """Answer of a route's function, or an error status if the call failed."""

    status: int
    body: str = ""
    subprotocol: str | None = None
    """Subprotocol that the function selected for the connection, or None."""
    failed: bool = False
    """True if there is no valid answer of the function. The client does not get the cause."""


FAILED = RouteAnswer(BAD_GATEWAY, failed=True)
"""The function raised an exception, timed out, does not exist, or returned a malformed answer."""
NOT_ADMITTED = RouteAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, failed=True)
"""The function's resource policy does not allow API Gateway to call it."""


def parse_answer(result: Mapping[str, Any]) -> RouteAnswer:
    """Return the answer from the emulator's result of an invocation."""
    returned = result.get("body")
    if result.get("error") or result.get("throttle") or not isinstance(returned, Mapping):
        return FAILED
    status, body = returned.get("statusCode"), returned.get("body") or ""
    if not isinstance(status, int) or not 200 <= status < 600 or not isinstance(body, str):
        return FAILED
    headers = {str(name).lower(): str(value) for name, value in (returned.get("headers") or {}).items()}
    return RouteAnswer(status, body, headers.get(SUBPROTOCOL_HEADER))


def refusal_message(status: int) -> str:
    """Return the text for a client whose connection or message got this error status."""
    return "Internal server error" if status >= 500 else HTTPStatus(status).phrase


def capitalise_header(name: str) -> str:
    """Return a header's name in the capitalisation that functions get, for example `Sec-WebSocket-Protocol`."""
    return "-".join("WebSocket" if part == "websocket" else part.capitalize() for part in name.split("-"))

"""Interpretation of the answers of a WebSocket API's route functions, also of `$connect`, as API Gateway does it.

The developer guide does not define a malformed answer. Here, an answer is valid if it is an object with an integer
`statusCode` from 200 to 599 and a text as `body`, which may be absent.
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
    """The answer of a function, or its failure. A client never gets the cause of a failure."""

    status: int
    body: str = ""
    subprotocol: str | None = None
    """Subprotocol that the function selected for the connection, or None."""
    failed: bool = False


FAILED = RouteAnswer(BAD_GATEWAY, failed=True)
"""The function raised an exception, timed out, does not exist, or returned a malformed answer."""
NOT_ADMITTED = RouteAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, failed=True)
"""API Gateway may not call the function."""


def parse_answer(result: Mapping[str, Any]) -> RouteAnswer:
    """Return the answer in an invocation's result."""
    returned = result.get("body")
    if result.get("error") or result.get("throttle") or not isinstance(returned, Mapping):
        return FAILED
    status, body = returned.get("statusCode"), returned.get("body") or ""
    if not isinstance(status, int) or not 200 <= status < 600 or not isinstance(body, str):
        return FAILED
    headers = {str(name).lower(): str(value) for name, value in (returned.get("headers") or {}).items()}
    return RouteAnswer(status, body, headers.get(SUBPROTOCOL_HEADER))


def refusal_message(status: int) -> str:
    """Return the text for a client whose connection is refused."""
    return "Internal server error" if status >= 500 else HTTPStatus(status).phrase


def capitalise_header(name: str) -> str:
    """Return a header's name in the capitalisation that functions get, for example `Sec-WebSocket-Protocol`."""
    return "-".join("WebSocket" if part == "websocket" else part.capitalize() for part in name.split("-"))

"""What API Gateway makes of what a WebSocket route's function returned. Pure.

https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html; read strictly where it is
silent: an answer that is no object with a whole `statusCode` and a text as `body` counts as malformed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

FRAME_BYTES = 32 * 1024
MESSAGE_BYTES = 128 * 1024
BAD_GATEWAY = 502
ERROR = 500
MESSAGES = {BAD_GATEWAY: "Internal server error", ERROR: "Internal server error"}
PROTOCOL = "sec-websocket-protocol"


@dataclass(frozen=True)
class Answer:
    """What a function returned, or that it failed."""

    status: int
    body: str = ""
    subprotocol: str | None = None
    failed: bool = False
    """The client is told that it did, never why."""


FAILED = Answer(BAD_GATEWAY, failed=True)
"""The function raised, timed out, was not to be had, or returned what is no answer."""
NOT_LET_IN = Answer(ERROR, failed=True)
"""API Gateway may not call the function."""


def answer_of(result: Mapping[str, Any]) -> Answer:
    """An invocation's result as an answer."""
    returned = result.get("body")
    if result.get("error") or result.get("throttle") or not isinstance(returned, Mapping):
        return FAILED
    status, body = returned.get("statusCode"), returned.get("body") or ""
    if not isinstance(status, int) or not 200 <= status < 600 or not isinstance(body, str):
        return FAILED
    headers = returned.get("headers")
    named = {str(name).lower(): str(value) for name, value in headers.items()} if isinstance(headers, Mapping) else {}
    return Answer(status, body, named.get(PROTOCOL))


def refusal_message(status: int) -> str:
    """What a client is told whose connection is refused."""
    try:
        return MESSAGES.get(status) or HTTPStatus(status).phrase
    except ValueError:
        return ""


def header_name(name: str) -> str:
    """A header's name as clients write it and functions see it: `Sec-WebSocket-Protocol`."""
    return "-".join("WebSocket" if part == "websocket" else part.capitalize() for part in name.split("-"))


@dataclass
class FrameCount:
    """The bytes of one client's messages, frame by frame, as they come in."""

    frame: int = 0
    message: int = 0

    def fits(self, size: int, *, frame_ends: bool) -> bool:
        """Whether `size` more bytes are still within what one frame, and one message, may have."""
        self.frame += size
        self.message += size
        fits = self.frame <= FRAME_BYTES and self.message <= MESSAGE_BYTES
        if frame_ends:
            self.frame = 0
        return fits

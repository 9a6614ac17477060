"""Refuses some requests to the invoke URL of an API, as API Gateway does.

The emulator calls a function of a WebSocket API even for a plain HTTP request, without IAM. It accepts a WebSocket
handshake for an unknown stage. Here, the answers are:

- For an unknown API or stage: status 403 and the message `Forbidden`, so that a client does not learn what exists.
  https://repost.aws/knowledge-center/api-gateway-troubleshoot-403-forbidden.
- For a path below a stage of a WebSocket API: the same answer. The path `@connections`, through which a backend sends
  messages to clients, is not refused. https://robanderson.dev/blog/cloudfront-url-transform.html.
- For a plain HTTP request to a stage of a WebSocket API: status 426 with the header `Upgrade` (RFC 9110, section
  15.5.22). AWS does not document its answer.

`install` applies these answers to plain HTTP requests. For handshakes, `websocket_api_corrections.py` calls
`find_handshake_refusal`.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from ministack import app
from ministack.services import apigateway, apigateway_v1

from local.emulation import get_private, wrap_function

Response = tuple[int, dict[str, str], bytes]
CONNECTIONS_PATH = "/@connections/"


@dataclass(frozen=True)
class InvokeRefusal:
    """Answer of API Gateway itself, without a call of a function."""

    status: HTTPStatus
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        body = json.dumps({"message": self.status.phrase}, separators=(",", ":")).encode()
        return self.status.value, {"Content-Type": "application/json", **self.headers}, body


FORBIDDEN = InvokeRefusal(HTTPStatus.FORBIDDEN, {"x-amzn-ErrorType": "ForbiddenException"})
UPGRADE_REQUIRED = InvokeRefusal(HTTPStatus.UPGRADE_REQUIRED, {"Upgrade": "websocket"})


def install() -> None:
    """Replace `app._handle_execute_api_request`."""
    wrap_function(app, "_handle_execute_api_request", _answer_request)


async def _answer_request(
    original: Callable[..., Awaitable[Response | None]], host: str, path: str, *arguments: Any, **keywords: Any
) -> Response | None:
    """Answer an HTTP request. Return None if its URL is not the invoke URL of an API."""
    invoked = get_private(app, "_parse_execute_api_url")(host, path)
    refusal = None if invoked is None else _find_http_refusal(*invoked)
    return refusal.response() if refusal else await original(host, path, *arguments, **keywords)


def _find_http_refusal(api_id: str, stage: str, path: str) -> InvokeRefusal | None:
    """Return the refusal of an HTTP request, or None if the emulator answers it."""
    if get_private(apigateway_v1, "find_api_scope")(api_id) is not None:
        return None  # a REST API, for whose unknown stages the emulator already answers 403
    owner = get_private(apigateway, "_api_owner")(api_id)
    if owner is None:
        return FORBIDDEN
    if owner[0] != "WEBSOCKET" or path.startswith(CONNECTIONS_PATH):
        return None
    return find_handshake_refusal(api_id, f"/{stage}{path}") or UPGRADE_REQUIRED


def find_handshake_refusal(api_id: str, path: str) -> InvokeRefusal | None:
    """Return the refusal of a WebSocket handshake, or None if the path is exactly a stage of a WebSocket API."""
    protocol, account, region = get_private(apigateway, "_api_owner")(api_id) or (None, None, None)
    if protocol != "WEBSOCKET":
        return FORBIDDEN
    stages = get_private(apigateway, "_stages").get_scoped(account, region, api_id, {})
    return None if path.strip("/") in stages else FORBIDDEN

"""A client's message over a WebSocket, parsed and answered: one answer whatever happens, and the connection stays.

Which actions there are and what they do is the subsystem's business.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from handlers.common.errors import HandlerError, malformed, socket_error
from handlers.common.logging import EventLog
from handlers.common.websocket.messages import Answer, Request

Response = dict[str, Any]
"""What a function returns to API Gateway."""
LONGEST_NAME = 64


class SocketCode(StrEnum):
    """What can be wrong with a message before anything looks at what it asks."""

    MALFORMED_MESSAGE = "MALFORMED_MESSAGE"
    UNKNOWN_ACTION = "UNKNOWN_ACTION"


class Talk:
    """Speaks with clients in one protocol."""

    def __init__(self, requests: Mapping[str, type[Request]], log: EventLog) -> None:
        """`requests`: what an action's message looks like."""
        self._requests = requests
        self._log = log

    def answer(self, body: str, context: Mapping[str, Any], act: Callable[[str, Any], Answer]) -> Response:
        """The answer to a message; `act` does what its action asks, given the parsed message."""
        name: str | None = None
        try:
            content = _content(body)
            name = _named(content)
            action, message = self._parsed(content)
            answer = act(action, message)
        except HandlerError as error:
            self._log.info("message_refused", code=error.code, route=context["routeKey"])
            return _sent(socket_error(error, context["requestId"], name))
        except Exception as error:  # noqa: BLE001 - the client gets one clear answer, and the connection stays
            self._log.error("message_failed", error_type=type(error).__name__, route=context["routeKey"])
            return _sent(socket_error(error, context["requestId"], name))
        named = answer.model_copy(update={"id": name})
        return _sent(named.model_dump(mode="json", by_alias=True, exclude_none=True))

    def _parsed(self, content: Mapping[str, Any]) -> tuple[str, Request]:
        action = content.get("action")
        model = self._requests.get(action) if isinstance(action, str) else None
        if model is None:
            raise HandlerError(SocketCode.UNKNOWN_ACTION, f"action must be one of {', '.join(self._requests)}.")
        try:
            return str(action), model.model_validate(content)
        except ValidationError as error:
            raise malformed(error) from None


def _content(body: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HandlerError(SocketCode.MALFORMED_MESSAGE, "A message is one JSON object.")
    return content


def _named(content: Mapping[str, Any]) -> str | None:
    """The client's name for its message, if it is one that may be given back."""
    name = content.get("id")
    return name if isinstance(name, str) and len(name) <= LONGEST_NAME and name.isprintable() else None


def _sent(message: Mapping[str, Any]) -> Response:
    return {"statusCode": 200, "body": json.dumps(message)}

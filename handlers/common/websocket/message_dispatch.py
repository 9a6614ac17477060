"""Dispatch of WebSocket messages: parse a client's message, call the subsystem's function for it, and answer.

Every message gets exactly one answer, and no error closes the connection. The subsystem defines the actions.
"""

import json
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

from pydantic import ValidationError

from handlers.common.error_responses import HandlerError, to_malformed_error, to_websocket_error
from handlers.common.logging import EventLog
from handlers.common.websocket.messages import MAX_MESSAGE_ID_LENGTH, ClientMessage, ReplyMessage

ProxyResponse = dict[str, Any]
"""Lambda proxy response for API Gateway."""


class WebSocketErrorCode(StrEnum):
    """Error codes of messages that are rejected before their action is performed."""

    MALFORMED_MESSAGE = "MALFORMED_MESSAGE"
    UNKNOWN_ACTION = "UNKNOWN_ACTION"


class MessageDispatcher:
    """Dispatcher for the messages of one WebSocket API."""

    def __init__(self, requests: Mapping[str, type[ClientMessage]], log: EventLog) -> None:
        """`requests` maps each action to the model of its message."""
        self._requests = requests
        self._log = log

    def answer(self, body: str, context: Mapping[str, Any], act: Callable[[str, Any], ReplyMessage]) -> ProxyResponse:
        """Return the answer to a message. `act` performs an action, given its name and the parsed message."""
        message_id: str | None = None
        try:
            content = _parse_json_object(body)
            message_id = _find_message_id(content)
            action, message = self._parse_message(content)
            answer = act(action, message)
        except HandlerError as error:
            self._log.info("message_refused", code=error.code, route=context["routeKey"])
            return _to_response(to_websocket_error(error, context["requestId"], message_id))
        except Exception as error:  # noqa: BLE001 - the client gets an answer, and the connection stays open
            self._log.error("message_failed", error_type=type(error).__name__, route=context["routeKey"])
            return _to_response(to_websocket_error(error, context["requestId"], message_id))
        identified = answer.model_copy(update={"id": message_id})
        return _to_response(identified.model_dump(mode="json", by_alias=True, exclude_none=True))

    def _parse_message(self, content: Mapping[str, Any]) -> tuple[str, ClientMessage]:
        action = content.get("action")
        model = self._requests.get(action) if isinstance(action, str) else None
        if model is None:
            raise HandlerError(WebSocketErrorCode.UNKNOWN_ACTION, f"action must be one of {', '.join(self._requests)}.")
        try:
            return str(action), model.model_validate(content)
        except ValidationError as error:
            raise to_malformed_error(error) from None


def _parse_json_object(body: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HandlerError(WebSocketErrorCode.MALFORMED_MESSAGE, "The message must be one JSON object.")
    return content


def _find_message_id(content: Mapping[str, Any]) -> str | None:
    """Return the client's message id if it is short and printable. Only such an id is repeated in the answer.

    An id with characters that `MessageId` forbids makes the message invalid. The error answer still repeats it, so that
    the client knows which message is invalid.
    """
    message_id = content.get("id")
    if isinstance(message_id, str) and len(message_id) <= MAX_MESSAGE_ID_LENGTH and message_id.isprintable():
        return message_id
    return None


def _to_response(message: Mapping[str, Any]) -> ProxyResponse:
    return {"statusCode": 200, "body": json.dumps(message)}

"""WebSocket APIs: messages, the dispatch of a client's messages and handshakes, and sending to connected clients.

A message names an action, which the subsystem performs. Every message gets exactly one answer, and no error closes the
connection. If an AWS call failed and another attempt may succeed, for example after a timeout or throttling, the error
for the client has the code `UNAVAILABLE`.

boto3's client `apigatewaymanagementapi` sends messages to the connections. It takes its endpoint from the environment
variable `AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI`, which the deployment sets, not from the events of API Gateway.
"""

import json
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal

from handlers.common.aws import is_transient_failure
from handlers.common.errors import (
    Error,
    ErrorCode,
    HandlerError,
    ProxyResponse,
    request_validation,
    to_handler_error,
    to_http_response,
)
from handlers.common.json_models import Message, TextForm
from handlers.common.logging import EventLog, name_for_log
from handlers.common.records import TooManyWriters

MAX_MESSAGE_ID_LENGTH = 64
MessageId = Annotated[
    str,
    TextForm(
        rf"^[A-Za-z0-9_.:-]{{1,{MAX_MESSAGE_ID_LENGTH}}}$",
        f"must have 1 to {MAX_MESSAGE_ID_LENGTH} characters of A-Z, a-z, 0-9, _, ., : and -",
    ),
]
"""Id that a client may give a message."""


class ClientMessage(Message):
    """Base of messages from WebSocket clients."""

    id: MessageId | None = None
    """Id that the client chooses for this message. The answer repeats it."""


class ReplyMessage(Message):
    """Base of answers to messages from WebSocket clients. They repeat the message's id, even if it is no `MessageId`."""

    id: str | None = None


class ErrorMessage(ReplyMessage, Error):
    """Answer to a message that failed."""

    type: Literal["error"] = "error"


class WebSocketConnections:
    """The WebSocket connections of the clients of one API."""

    def __init__(self, client: Any) -> None:
        """`client` is boto3's client `apigatewaymanagementapi`."""
        self._client = client

    def post(self, connection_id: str, message: Message) -> bool:
        """Send a message. Return False if the connection is closed."""
        try:
            self._client.post_to_connection(
                ConnectionId=connection_id, Data=message.model_dump_json(by_alias=True, exclude_none=True).encode()
            )
        except self._client.exceptions.GoneException:
            return False
        return True


class WebSocketErrorCode(ErrorCode):
    """Error codes that all WebSocket APIs use."""

    MALFORMED_MESSAGE = (
        "MALFORMED_MESSAGE",
        "The message is not one JSON object, or the handshake does not offer the required subprotocols.",
        "Correct the client. `message` states the expected form.",
    )
    UNKNOWN_ACTION = (
        "UNKNOWN_ACTION",
        "The message has no `action`, or an action that the API does not have.",
        "Use an action that `message` lists.",
    )
    UNAVAILABLE = (
        "UNAVAILABLE",
        "A transient failure: a service is busy or does not answer.",
        "Send the same message again a little later, or connect again if the handshake failed.",
        503,
    )


class WebSocketDispatcher:
    """Dispatcher for the events of one WebSocket API."""

    def __init__(self, requests: Mapping[str, type[ClientMessage]], log: EventLog) -> None:
        """`requests` maps each action to the model of its message."""
        self._requests = requests
        self._log = log

    def connect(self, context: Mapping[str, Any], accept: Callable[[], ProxyResponse]) -> ProxyResponse:
        """Return the answer to a handshake. `accept` stores the connection, or raises HandlerError to refuse it.

        If the answer has a status other than 2xx, API Gateway does not establish the connection, and the status is the
        response to the handshake. A transient failure has the status 503, so that the client connects again.
        https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-route-keys-connect-disconnect.html
        """
        with self._log.request(context["requestId"]):
            try:
                return accept()
            except Exception as error:  # noqa: BLE001 - the client gets a clear status
                return to_http_response(self._log_and_explain(error, context["routeKey"]), context["requestId"])

    def answer(self, body: str, context: Mapping[str, Any], act: Callable[[str, Any], ReplyMessage]) -> ProxyResponse:
        """Return the answer to a message. `act` performs the action, given its name and the parsed message."""
        message_id: str | None = None
        route = context["routeKey"]
        with self._log.request(context["requestId"]):
            try:
                content = _parse_json_object(body)
                message_id = _find_message_id(content)
                route = action = self._find_action(content)
                with request_validation():
                    message = self._requests[action].model_validate(content)
                answer = act(action, message)
            except Exception as error:  # noqa: BLE001 - the client gets an answer, and the connection stays open
                refused = self._log_and_explain(error, route)
                answer = ErrorMessage(
                    code=refused.code, message=refused.message, fields=refused.fields, request_id=context["requestId"]
                )
        identified = answer.model_copy(update={"id": message_id})
        return {"statusCode": 200, "body": json.dumps(identified.model_dump(by_alias=True, exclude_none=True))}

    def _log_and_explain(self, error: Exception, route: str) -> HandlerError:
        """Log an exception, and return the error for the client: `UNAVAILABLE` if another attempt may succeed."""
        if isinstance(error, HandlerError):
            self._log.info("message_refused", code=error.code, route=name_for_log(route))
            return error
        self._log.failure("message_failed", error, route=name_for_log(route))
        if is_transient_failure(error) or isinstance(error, TooManyWriters):
            return HandlerError(WebSocketErrorCode.UNAVAILABLE, "The service is busy. Try again a little later.")
        return to_handler_error(error)

    def _find_action(self, content: Mapping[str, Any]) -> str:
        action = content.get("action")
        if not isinstance(action, str) or action not in self._requests:
            raise HandlerError(WebSocketErrorCode.UNKNOWN_ACTION, f"action must be one of {', '.join(self._requests)}.")
        return action


def _parse_json_object(body: str) -> Mapping[str, Any]:
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HandlerError(WebSocketErrorCode.MALFORMED_MESSAGE, "The message must be one JSON object.")
    return content


def _find_message_id(content: Mapping[str, Any]) -> str | None:
    """Return the id that the client gave its message, or None if the id is not a short, printable text.

    The answer repeats the id. This includes the error answer to a message whose id has characters that `MessageId` does
    not allow, so that the client knows which message is invalid.
    """
    message_id = content.get("id")
    if isinstance(message_id, str) and len(message_id) <= MAX_MESSAGE_ID_LENGTH and message_id.isprintable():
        return message_id
    return None

"""Corrects WebSocket APIs, so that clients and functions see the behaviour of AWS.

The emulator drops the subprotocol that `$connect` returned, so browsers close the socket. It hides the status of a
refused `$connect`, and the signer of the handshake. It calls functions without logs, reserved concurrency and
permission check, sends tracebacks to clients, returns answers on routes without a route response, and accepts messages
of any size.
"""

import contextvars
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypercorn.protocol import ws_stream  # type: ignore[import-not-found] # the emulator's server
from ministack.core import concurrency
from ministack.services import apigateway, apigateway_v1, lambda_svc

from local.emulation import get_private, wrap_function
from local.emulation.api_gateway.websocket_message_rules import (
    FAILED,
    NOT_ADMITTED,
    FrameCount,
    RouteAnswer,
    header_name,
    parse_answer,
    refusal_message,
)
from local.emulation.lambda_.function_permissions import admits_api_gateway

Message = dict[str, Any]
IDENTITY = (
    "accessKey",
    "accountId",
    "caller",
    "cognitoAuthenticationProvider",
    "cognitoAuthenticationType",
    "cognitoIdentityId",
    "cognitoIdentityPoolId",
    "principalOrgId",
    "user",
    "userArn",
)
"""On AWS, every `$connect` event has these fields. They are null unless API Gateway has verified a signature."""


@dataclass
class ServedConnection:
    """The connection that is being served."""

    offered: tuple[str, ...]
    """Subprotocols that the client offered."""
    since: int
    """Start of the connection, in milliseconds."""
    id: str = ""
    request_id: str = ""
    answer: RouteAnswer | None = None
    """The answer to `$connect`."""
    open: bool = False


_connection: contextvars.ContextVar[ServedConnection] = contextvars.ContextVar("websocket_connection")


def install() -> None:
    """Replace two functions of `apigateway`, and the server's `ws_stream.WebsocketBuffer`."""
    wrap_function(apigateway, "handle_websocket", _handle)
    wrap_function(apigateway, "_invoke_ws_lambda", _invoke)
    _limit_sizes()


async def _handle(
    handle: Any,
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
    *rest: Any,
    **named: Any,
) -> None:
    connection = ServedConnection(tuple(scope.get("subprotocols") or ()), int(time.time() * 1000))
    _connection.set(connection)

    async def send_corrected(message: Message) -> None:
        answer = connection.answer
        if message["type"] == "websocket.accept":
            connection.open = True
            if answer is not None and answer.subprotocol:
                message = {**message, "subprotocol": answer.subprotocol}
        elif message["type"] == "websocket.close" and not connection.open and answer is not None:
            text = refusal_message(answer.status)
            refuse = get_private(apigateway, "_refuse_ws_handshake")
            await refuse(scope, send, answer.status, text, connection.id, connection.request_id)
            return
        await send(message)

    async def receive_complete() -> Message:
        message = await receive()
        while message["type"] == "websocket.receive" and message.get("bytes") is message.get("text") is None:
            message = await receive()  # skip the rest of a message that was too long
        return message

    await handle(scope, receive_complete, send_corrected, *rest, **named)


def _limit_sizes() -> None:
    buffer = get_private(ws_stream, "WebsocketBuffer")
    too_large = get_private(ws_stream, "FrameTooLargeError")

    class Limited(buffer):  # type: ignore[misc, valid-type]
        """Buffer that limits frames and messages in bytes. The server's own buffer limits only messages, in characters.

        The server closes the connection with code 1009 if `extend` raises.
        """

        def __init__(self, max_length: int) -> None:
            super().__init__(max_length)
            self._count = FrameCount()
            self._over = False

        def extend(self, event: Any) -> None:
            if self._over:
                return  # a second error would prevent the server from handling the client's close frame
            size = len(event.data.encode() if isinstance(event.data, str) else event.data)
            self._over = not self._count.fits(size, frame_ends=event.frame_finished)
            if self._over:
                super().clear()
                raise too_large
            super().extend(event)

        def clear(self) -> None:
            super().clear()
            self._count = FrameCount()

    ws_stream.WebsocketBuffer = Limited


async def _invoke(  # noqa: PLR0917 - the emulator's signature
    _invoke: Any,
    api_id: str,
    account: str,
    region: str,
    route: Message,
    stage: str,
    connection_id: str,
    event_type: str,
    request_id: str,
    body: str | None,
    source_ip: str,
    headers: Mapping[str, str],
    **named: Any,
) -> Message:
    """Call a route's function as any other caller does. All routes of this project have a Lambda proxy integration."""
    connection = _connection.get()
    integration = get_private(apigateway, "_integrations")[api_id][route["target"].rpartition("/")[2]]
    function = get_private(apigateway, "_extract_lambda_ref_from_integration_uri")(integration["integrationUri"])
    find = get_private(lambda_svc, "_get_func_record_for_ref_in_scope")
    record, config, name = find(function, account_id=account, region=region)
    source = get_private(apigateway, "execute_api_route_arn")(region, account, api_id, stage, route["routeKey"])
    if config is None or not admits_api_gateway(name, function, source):
        answer = NOT_ADMITTED
    else:
        context = get_private(apigateway, "_ws_request_context")(
            api_id, route["routeKey"], stage, connection_id, event_type, request_id, source_ip, headers
        )
        context |= {"connectedAt": connection.since, "messageDirection": "IN"}
        result = await get_private(concurrency, "run_reentrant")(
            get_private(lambda_svc, "_execute_function_with_config_scope"),
            get_private(lambda_svc, "_execution_record_for_config")(record, config),
            _event(event_type, context, route, body, headers, named),
            thread_name="websocket-invoke",
        )
        answer = parse_answer(result)
    if event_type == "CONNECT":
        if answer.subprotocol and answer.subprotocol not in connection.offered:
            answer = FAILED  # a client closes a connection with a subprotocol that it did not offer
        connection.id, connection.request_id, connection.answer = connection_id, request_id, answer
        return {"statusCode": answer.status}
    if answer.failed:
        failure = {"message": refusal_message(answer.status), "connectionId": connection_id, "requestId": request_id}
        return {"statusCode": answer.status, "body": json.dumps(failure)}
    return {"statusCode": answer.status, "body": answer.body if _has_response(api_id, route) else ""}


def _event(
    event_type: str,
    context: Message,
    route: Message,
    body: str | None,
    headers: Mapping[str, str],
    named: Mapping[str, Any],
) -> Message:
    event: Message = {"requestContext": context, "isBase64Encoded": False}
    if event_type == "CONNECT":
        query = named.get("query_params")
        signed: Mapping[str, Any] = {}
        if route.get("authorizationType") == "AWS_IAM":
            # The emulator verifies the signature before it calls a function.
            signed = get_private(apigateway_v1, "_iam_caller_identity")(headers, query) or {}
        context["identity"] |= {name: signed.get(name) for name in IDENTITY}
        function_headers = {header_name(name): value for name, value in headers.items()}
        fields: Message = get_private(apigateway, "_ws_connect_fields")(function_headers, query)
        return event | fields
    if event_type == "DISCONNECT":
        context["disconnectStatusCode"] = int(named.get("disconnect_code", 1005))
        context["disconnectReason"] = named.get("disconnect_reason", "")
        return event
    context["messageId"] = context["requestId"]
    return event | {"body": body or ""}


def _has_response(api_id: str, route: Mapping[str, Any]) -> bool:
    """Return True if the route has a route response and selects it, so that the client gets the function's answer."""
    responses = get_private(apigateway, "_route_responses").get(api_id, {}).get(route["routeId"], {})
    return bool(route.get("routeResponseSelectionExpression")) and any(
        response["routeResponseKey"] == "$default" for response in responses.values()
    )

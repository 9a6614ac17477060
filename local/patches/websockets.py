"""WebSocket APIs as clients and functions meet them on AWS.

The emulator forgets the subprotocol that `$connect` returned (browsers then close), hides the status of a refused
`$connect`, calls functions past their logs, their concurrency and the permission to be called, sends tracebacks to
clients, answers from routes that have no response, takes messages of any size, and does not say who signed a handshake.
"""

import contextvars
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hypercorn.protocol import ws_stream  # type: ignore[import-not-found] # the emulator's server
from ministack.core import concurrency
from ministack.services import apigateway, lambda_svc

from local.patches import reached
from local.patches.function_permission import let_in
from local.patches.socket_answers import (
    FAILED,
    MESSAGE_BYTES,
    NOT_LET_IN,
    Answer,
    FrameCount,
    answer_of,
    header_name,
    refusal_message,
)
from local.patches.websocket_identity import signer

UNSUPPORTED_DATA = 1003
Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Receive = Callable[[], Awaitable[Message]]


@dataclass
class Connection:
    """What is known of the connection that is being served."""

    offered: tuple[str, ...]
    """Subprotocols."""
    since: int
    """Milliseconds."""
    id: str = ""
    request_id: str = ""
    answer: Answer | None = None
    """What `$connect` answered."""
    open: bool = False
    closed: bool = False


_connection: contextvars.ContextVar[Connection] = contextvars.ContextVar("websocket_connection")


def install() -> None:
    """Replaces three functions of `apigateway`, and the server's own `ws_stream.WebsocketBuffer`."""
    _install_limits()
    handle = reached(apigateway, "handle_websocket")
    refuse = reached(apigateway, "_refuse_ws_handshake")
    call = reached(apigateway, "_invoke_ws_lambda")
    connections = reached(apigateway, "handle_connections_api")

    async def handled(scope: Message, receive: Receive, send: Send, *rest: Any, **named: Any) -> None:
        connection = Connection(tuple(scope.get("subprotocols") or ()), int(time.time() * 1000))
        _connection.set(connection)

        async def sent(message: Message) -> None:
            answer = connection.answer
            kind = message["type"]
            if kind == "websocket.accept":
                connection.open = True
                if answer is not None and answer.subprotocol:
                    message = {**message, "subprotocol": answer.subprotocol}
            elif kind == "websocket.close" and not connection.open and answer is not None:
                told = refusal_message(answer.status)
                await refuse(scope, send, answer.status, told, connection.id, connection.request_id)
                return
            elif connection.closed:
                return
            await send(message)

        async def received() -> Message:
            message = await receive()
            while message["type"] == "websocket.receive" and message.get("bytes") is message.get("text") is None:
                message = await receive()  # the rest of a message that was too long
            if message["type"] == "websocket.receive" and message.get("bytes") is not None:
                await send({"type": "websocket.close", "code": UNSUPPORTED_DATA})
                connection.closed = True
                return {"type": "websocket.disconnect", "code": UNSUPPORTED_DATA}
            return message

        await handle(scope, received, sent, *rest, **named)

    async def invoked(api_id: str, account: str, region: str, route: Message, *rest: Any, **named: Any) -> Any:
        integration = _integration(api_id, route)
        if integration is None:
            return await call(api_id, account, region, route, *rest, **named)
        return await _invoked(api_id, (account, region), route, integration, rest, named)

    async def posted(method: str, api_id: str, stage: str, connection_id: str, body: bytes, headers: Any) -> Any:
        if method == "POST" and len(body) > MESSAGE_BYTES:
            kind = {"Content-Type": "application/json", "x-amzn-ErrorType": "PayloadTooLargeException"}
            return 413, kind, b'{"message": "Message too long"}'
        return await connections(method, api_id, stage, connection_id, body, headers)

    apigateway.handle_websocket = handled
    apigateway._invoke_ws_lambda = invoked  # noqa: SLF001
    apigateway.handle_connections_api = posted


def _install_limits() -> None:
    buffer = reached(ws_stream, "WebsocketBuffer")
    too_large = reached(ws_stream, "FrameTooLargeError")

    class Limited(buffer):  # type: ignore[misc, valid-type]
        """Hypercorn closes with 1009 where this raises; by itself it counts messages alone, and in letters."""

        def __init__(self, max_length: int) -> None:
            super().__init__(max_length)
            self._count = FrameCount()
            self._over = False

        def extend(self, event: Any) -> None:
            if self._over:
                return  # raised again, it would keep the server from hearing that the client closes too
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


async def _invoked(
    api_id: str,
    owner: tuple[str, str],
    route: Message,
    integration: Mapping[str, Any],
    rest: tuple[Any, ...],
    named: Mapping[str, Any],
) -> Message:
    """Calls a route's function as any other caller does, and answers as the emulator expects it."""
    stage, connection_id, event_type, request_id, body, source_ip, headers = rest
    connection = _connection.get()
    function = reached(apigateway, "_extract_lambda_ref_from_integration_uri")(integration.get("integrationUri", ""))
    account, region = owner
    record, config, name = reached(lambda_svc, "_get_func_record_for_ref_in_scope")(
        function, account_id=account, region=region
    )
    source = reached(apigateway, "execute_api_route_arn")(region, account, api_id, stage, route["routeKey"])
    if config is None or not let_in(name, function, source):
        answer = NOT_LET_IN
    else:
        context = reached(apigateway, "_ws_request_context")(
            api_id, route["routeKey"], stage, connection_id, event_type, request_id, source_ip, headers
        )
        if event_type == "CONNECT":
            context["identity"] |= signer(route, headers, named.get("query_params"))
        event = _event(event_type, {**context, "connectedAt": connection.since}, body, headers, named)
        result = await reached(concurrency, "run_reentrant")(
            reached(lambda_svc, "_execute_function_with_config_scope"),
            reached(lambda_svc, "_execution_record_for_config")(record, config),
            event,
            thread_name="websocket-invoke",
        )
        answer = answer_of(result)
    if event_type == "CONNECT":
        if answer.subprotocol and answer.subprotocol not in connection.offered:
            answer = FAILED  # a client closes that is given what it did not ask for
        connection.id, connection.request_id, connection.answer = connection_id, request_id, answer
        return {"statusCode": answer.status}
    if answer.failed:
        told = {"message": refusal_message(answer.status), "connectionId": connection_id, "requestId": request_id}
        return {"statusCode": answer.status, "body": json.dumps(told)}
    return {"statusCode": answer.status, "body": answer.body if _answers(api_id, route) else ""}


def _event(
    event_type: str, context: Message, body: str | None, headers: Mapping[str, str], named: Mapping[str, Any]
) -> Message:
    context["messageDirection"] = "IN"
    if named.get("authorizer") is not None:
        context["authorizer"] = named["authorizer"]
    event = {"requestContext": context, "isBase64Encoded": False}
    if event_type == "CONNECT":
        known = {header_name(name): value for name, value in headers.items()}
        fields: Message = reached(apigateway, "_ws_connect_fields")(known, named.get("query_params"))
        return {**event, **fields}
    if event_type == "DISCONNECT":
        context["disconnectStatusCode"] = int(named.get("disconnect_code", 1005))
        context["disconnectReason"] = named.get("disconnect_reason", "")
        return event
    context["messageId"] = context["requestId"]
    return {**event, "body": body or ""}


def _integration(api_id: str, route: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The integration of a route, where it calls a function."""
    known: Mapping[str, Any] = reached(apigateway, "_integrations").get(api_id, {})
    found: Mapping[str, Any] = known.get(route.get("target", "").rpartition("/")[2], {})
    return found if found.get("integrationType") == "AWS_PROXY" else None


def _answers(api_id: str, route: Mapping[str, Any]) -> bool:
    """Whether a route's answer reaches the client: it says where to find its response, and has one."""
    responses = reached(apigateway, "_route_responses").get(api_id, {}).get(route["routeId"], {})
    return bool(route.get("routeResponseSelectionExpression")) and any(
        one["routeResponseKey"] == "$default" for one in responses.values()
    )

"""Corrects the connections of WebSocket APIs in the emulator, MiniStack, and how they call functions.

AWS does not document which answers of a function are malformed. Here, an answer is valid if it is an object with an
integer `statusCode` from 200 to 599, and its `body` is a text, null or absent.
https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api.html

| correction | service | ministack | AWS | needed for |
|---|---|---|---|---|
| `websocket_handshake` | API Gateway | drops the subprotocol and the error status that the function of `$connect` returned | sends them to the client | browsers close a connection without the subprotocol that they offered with their token |
| `websocket_identity` | API Gateway | passes no IAM identity to the function of `$connect` | passes the identity that signed the handshake | voice Q&A recognises its guests by it |
| `websocket_call` | API Gateway | calls functions of WebSocket APIs without a permission, and without logs | needs a permission in the function's policy, and calls the function as any other caller | missing permissions are found, and `make watch` prints logs |
| `websocket_answer` | API Gateway | sends a function's answer without a route response, and its traceback | sends neither | clients of the WebSocket APIs get the same messages |
"""

import contextvars
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ministack.core import concurrency
from ministack.services import apigateway, apigateway_v1, lambda_svc

from local.emulation import get_private, wrap_function
from local.emulation.iam.service_call_permissions import API_GATEWAY, function_admits

Message = dict[str, Any]
IDENTITY_FIELDS = (
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
"""Fields of `requestContext.identity` in every `$connect` event on AWS. They are null unless API Gateway has verified a
signature."""
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


FAILED = RouteAnswer(HTTPStatus.BAD_GATEWAY, failed=True)
"""The function raised an exception, timed out, was throttled, or returned a malformed answer."""
NOT_ADMITTED = RouteAnswer(HTTPStatus.INTERNAL_SERVER_ERROR, failed=True)
"""The function does not exist, or its resource policy does not allow API Gateway to call it."""


@dataclass
class ServedConnection:
    """Connection of a client, beginning with its handshake."""

    offered_subprotocols: tuple[str, ...]
    connected_at_ms: int
    id: str = ""
    """Connection id, or an empty text before `$connect` was answered."""
    request_id: str = ""
    """Id of the `$connect` request, or an empty text before `$connect` was answered."""
    answer: RouteAnswer | None = None
    """Answer to `$connect`, or None before `$connect` was answered."""
    is_open: bool = False
    """True if the handshake was accepted."""


_connection: contextvars.ContextVar[ServedConnection] = contextvars.ContextVar("websocket_connection")
"""Connection that the current task serves. `_serve_connection` sets it, and `_call_route` reads it."""


def install() -> None:
    """Replace functions of the emulator by those below, which get the original. `extended_emulator.py` calls this."""
    wrap_function(apigateway, "handle_websocket", _serve_connection)
    wrap_function(apigateway, "_invoke_ws_lambda", _call_route)


async def _serve_connection(
    original: Any,
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
    api_id: str,
    path_override: str,
) -> None:
    """Serve one connection, and correct the ASGI messages that the emulator's function sends to the web server.

    The emulator accepts a handshake without a subprotocol, and refuses one without the function's status.
    """
    connection = ServedConnection(tuple(scope.get("subprotocols") or ()), int(time.time() * 1000))
    _connection.set(connection)

    async def send_corrected(message: Message) -> None:
        answer = connection.answer
        if message["type"] == "websocket.accept":
            connection.is_open = True
            if answer is not None and answer.subprotocol:
                message = {**message, "subprotocol": answer.subprotocol}
        elif message["type"] == "websocket.close" and not connection.is_open and answer is not None:
            text = _refusal_message(answer.status)
            refuse = get_private(apigateway, "_refuse_ws_handshake")
            await refuse(scope, send, answer.status, text, connection.id, connection.request_id)
            return
        await send(message)

    await original(scope, receive, send_corrected, api_id, path_override=path_override)


async def _call_route(  # noqa: PLR0917 - the emulator's signature
    _original: Any,
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
    **details: Any,
) -> Message:
    """Call a route's function and return the answer for the client. `event_type` is CONNECT, MESSAGE or DISCONNECT.

    The emulator's own WebSocket call is replaced by its general function for invocations, which writes logs and checks
    reserved concurrency. All routes of this project have a Lambda proxy integration. `details` are the query of a
    `$connect`, or code and reason of a `$disconnect`.
    """
    connection = _connection.get()
    # The target of a route is `integrations/<id>`.
    integration = get_private(apigateway, "_integrations")[api_id][route["target"].rpartition("/")[2]]
    function = get_private(apigateway, "_extract_lambda_ref_from_integration_uri")(integration["integrationUri"])
    find_function = get_private(lambda_svc, "_get_func_record_for_ref_in_scope")
    record, config, name = find_function(function, account_id=account, region=region)
    source = get_private(apigateway, "execute_api_route_arn")(region, account, api_id, stage, route["routeKey"])
    if config is None or not function_admits(name, function, API_GATEWAY, {"aws:SourceArn": source}):
        answer = NOT_ADMITTED
    else:
        context = get_private(apigateway, "_ws_request_context")(
            api_id, route["routeKey"], stage, connection_id, event_type, request_id, source_ip, headers
        )
        context |= {"connectedAt": connection.connected_at_ms, "messageDirection": "IN"}
        result = await get_private(concurrency, "run_reentrant")(
            get_private(lambda_svc, "_execute_function_with_config_scope"),
            get_private(lambda_svc, "_execution_record_for_config")(record, config),
            _make_event(event_type, context, route, body, headers, details),
            thread_name="websocket-invoke",
        )
        answer = _parse_answer(result)
    if event_type == "CONNECT":
        if answer.subprotocol and answer.subprotocol not in connection.offered_subprotocols:
            answer = FAILED  # a client closes a connection with a subprotocol that it did not offer
        connection.id, connection.request_id, connection.answer = connection_id, request_id, answer
        return {"statusCode": answer.status}
    if answer.failed:
        failure = {"message": _refusal_message(answer.status), "connectionId": connection_id, "requestId": request_id}
        return {"statusCode": answer.status, "body": json.dumps(failure)}
    return {"statusCode": answer.status, "body": answer.body if _has_route_response(api_id, route) else ""}


def _make_event(
    event_type: str,
    context: Message,
    route: Message,
    body: str | None,
    headers: Mapping[str, str],
    details: Mapping[str, Any],
) -> Message:
    """Return the event for a route's function. The fields that the emulator leaves out of `context` are added to it."""
    event: Message = {"requestContext": context, "isBase64Encoded": False}
    if event_type == "CONNECT":
        query = details.get("query_params")
        identity: Mapping[str, Any] = {}
        if route.get("authorizationType") == "AWS_IAM":
            # The emulator has already verified the signature.
            identity = get_private(apigateway_v1, "_iam_caller_identity")(headers, query) or {}
        context["identity"] |= {name: identity.get(name) for name in IDENTITY_FIELDS}
        function_headers = {_capitalise_header(name): value for name, value in headers.items()}
        fields: Message = get_private(apigateway, "_ws_connect_fields")(function_headers, query)
        return event | fields
    if event_type == "DISCONNECT":
        context["disconnectStatusCode"] = int(details.get("disconnect_code", 1005))  # 1005: closed without a code
        context["disconnectReason"] = details.get("disconnect_reason", "")
        return event
    context["messageId"] = context["requestId"]
    return event | {"body": body or ""}


def _has_route_response(api_id: str, route: Mapping[str, Any]) -> bool:
    """Return True if the route has a route response and uses it. Otherwise, the client does not get the answer."""
    responses = get_private(apigateway, "_route_responses").get(api_id, {}).get(route["routeId"], {})
    return bool(route.get("routeResponseSelectionExpression")) and any(
        response["routeResponseKey"] == "$default" for response in responses.values()
    )


def _parse_answer(result: Mapping[str, Any]) -> RouteAnswer:
    """Return the answer from the emulator's result of an invocation."""
    returned = result.get("body")
    if result.get("error") or result.get("throttle") or not isinstance(returned, Mapping):
        return FAILED
    status, body = returned.get("statusCode"), returned.get("body") or ""
    if not isinstance(status, int) or not 200 <= status < 600 or not isinstance(body, str):
        return FAILED
    headers = {str(name).lower(): str(value) for name, value in (returned.get("headers") or {}).items()}
    return RouteAnswer(status, body, headers.get(SUBPROTOCOL_HEADER))


def _refusal_message(status: int) -> str:
    """Return the text for a client whose connection or message got this error status."""
    return "Internal server error" if status >= 500 else HTTPStatus(status).phrase


def _capitalise_header(name: str) -> str:
    """Return a header's name in the capitalisation that functions get, for example `Sec-WebSocket-Protocol`."""
    return "-".join("WebSocket" if part == "websocket" else part.capitalize() for part in name.split("-"))

"""Router of transcription: the Lambda function behind the WebSocket API, which answers handshakes and client messages.

No other event invokes it.
"""

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG
from handlers.common.errors import HandlerError
from handlers.common.ids import new_id
from handlers.common.logging import EventLog
from handlers.common.websocket import ClientMessage, ProxyResponse, ReplyMessage, WebSocketDispatcher
from handlers.transcription.live_table import ClientConnection, LiveTable, connection_key
from handlers.transcription.messages import REQUESTS, ProcessorEvent, TranscriptionErrorCode
from handlers.transcription.names_shared_with_deployment import PROTOCOL
from handlers.transcription.router.client_message_handler import ClientMessageHandler, ConnectedUser
from handlers.transcription.router.environment import RouterEnvironment
from handlers.transcription.session_table import SessionTable

if TYPE_CHECKING:
    from handlers.transcription.router.connection_authorization import ConnectionAuthorizer


class Router:
    """Dispatcher of the events of API Gateway."""

    def __init__(
        self,
        messages: ClientMessageHandler,
        live: LiveTable,
        create_authorizer: Callable[[], "ConnectionAuthorizer"],
        log: EventLog,
    ) -> None:
        """`create_authorizer` is called only for a handshake, because the token libraries load slowly."""
        self._live = live
        self._create_authorizer = create_authorizer
        self._dispatcher = WebSocketDispatcher(REQUESTS, log)
        self._actions: Mapping[str, Callable[[ConnectedUser, Any], ReplyMessage]] = {
            "open": messages.open_session,
            "audio": messages.accept_utterance,
            "ping": messages.ping,
            "close": messages.close_session,
        }

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse:
        context = event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return self._dispatcher.connect(context, partial(self._accept, event, context))
            case "DISCONNECT":
                return {"statusCode": 200}  # nothing to clean up: the connection's item expires
            case _:
                answer_message = partial(self._answer_message, context["connectionId"])
                return self._dispatcher.answer(event.get("body") or "", context, answer_message)

    def _accept(self, event: Mapping[str, Any], context: Mapping[str, Any]) -> ProxyResponse:
        user = self._create_authorizer().authorize(event.get("headers") or {})
        key = connection_key(context["connectionId"])
        self._live.change(ClientConnection, key, lambda _: (ClientConnection(user=user), None))
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}

    def _answer_message(self, connection_id: str, action: str, message: ClientMessage) -> ReplyMessage:
        user = self._live.read(ClientConnection, connection_key(connection_id)).user
        if not user:
            raise HandlerError(TranscriptionErrorCode.UNAUTHENTICATED, "This connection is unknown. Connect again.")
        return self._actions[action](ConnectedUser(user, connection_id), message)


@cache
def _router() -> Router:
    environment = RouterEnvironment.read()
    session = boto3.Session()
    dynamodb, functions = (
        session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG),
        session.client("lambda", config=SHORT_TIMEOUT_CONFIG),
    )
    log = EventLog(environment.log_level, structured=environment.structured_logging)
    live = LiveTable(dynamodb, environment.live_table_name, ids.now_ms)

    def invoke_processor(event: ProcessorEvent) -> None:
        functions.invoke(
            FunctionName=environment.processor, InvocationType="Event", Payload=event.model_dump_json().encode()
        )

    messages = ClientMessageHandler(
        SessionTable(dynamodb, environment.sessions_table_name),
        live,
        environment,
        invoke_processor=invoke_processor,
        clock_ms=ids.now_ms,
        new_id=new_id,
        log=log,
    )
    return Router(messages, live, cache(lambda: _authorizer(environment)), log)


def _authorizer(environment: RouterEnvironment) -> "ConnectionAuthorizer":
    # The token libraries load slowly, and not every container handles a handshake.
    from handlers.common.tokens import TokenVerifier, signing_keys  # noqa: PLC0415
    from handlers.transcription.router.connection_authorization import ConnectionAuthorizer  # noqa: PLC0415

    if environment.auth == "none":
        return ConnectionAuthorizer(None)
    keys = signing_keys(environment.jwks_url)
    return ConnectionAuthorizer(TokenVerifier(str(environment.issuer), str(environment.audience), keys))


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _router().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _router()  # created while the container starts, which is faster and delays no request

"""The WebSocket API's function: handshakes, messages and their answers; and, called by itself, the sweep.

Each message is parsed before anything looks at it, and gets exactly one answer. Operators and the schedule call it with
`{"kind": …}` instead of an event of API Gateway's: `open` makes a session for somebody, `sweep` tells of what was lost.
"""

import os
import re
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.aws.clients import LIVE_CONFIG
from handlers.common.errors import HandlerError, http_error
from handlers.common.identity import user_ids
from handlers.common.logging import EventLog, hashed
from handlers.common.time_and_ids import clock
from handlers.common.websocket.connections import Connections
from handlers.common.websocket.message_dispatch import Response, Talk
from handlers.common.websocket.messages import Answer, Request
from handlers.transcription.environment import PROTOCOL, RouterEnvironment
from handlers.transcription.live_table import ClientConnection, LiveTable, connection_key
from handlers.transcription.messages import REQUESTS, Again, Open, ProcessorEvent, Resend, TranscriptionErrorCode
from handlers.transcription.router.client_messages import ClientMessageHandler, ConnectedUser
from handlers.transcription.sessions import SessionTable
from handlers.transcription.stream_signing import stream_url_signer
from handlers.transcription.utterance_slots import SessionSlots

if TYPE_CHECKING:
    from handlers.transcription.router.connection_authorization import ConnectionAuthorizer

FLIGHT_PREFIX = "flight#"


class SweepFailed(Exception):
    """Some sessions could not be looked after; the others were."""


class Router:
    """Answers API Gateway."""

    def __init__(
        self,
        routes: ClientMessageHandler,
        live: LiveTable,
        connections: Connections,
        gate: Callable[[], "ConnectionAuthorizer"],
        log: EventLog,
    ) -> None:
        """`gate` is made when somebody first connects: what checks tokens is slow to load."""
        self._routes = routes
        self._live = live
        self._connections = connections
        self._gate = gate
        self._log = log
        self._talk = Talk(REQUESTS, log)
        self._answers: Mapping[str, Callable[[ConnectedUser, Any], Answer]] = {
            "open": routes.open,
            "audio": routes.audio,
            "ping": routes.ping,
            "close": routes.close,
            "direct": routes.direct,
        }

    def handle(self, event: Mapping[str, Any], now_ms: int) -> Response:
        """One event."""
        if "kind" in event:
            return self._operate(event, now_ms)
        context = event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return self._connect(event, context)
            case "DISCONNECT":
                self._routes.left(context["connectionId"])
                return {"statusCode": 200}
            case _:
                act = partial(self._act, context["connectionId"])
                return self._talk.answer(event.get("body") or "", context, act)

    def _connect(self, event: Mapping[str, Any], context: Mapping[str, Any]) -> Response:
        try:
            user = self._gate().user(event.get("headers") or {})
        except HandlerError as error:
            self._log.warning("connection_refused", code=error.code)
            return http_error(error, context["requestId"])
        key = connection_key(context["connectionId"])
        self._live.change(ClientConnection, key, lambda _: (ClientConnection(user=user), None))
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}

    def _act(self, connection_id: str, action: str, message: Request) -> Answer:
        user = self._live.read(ClientConnection, connection_key(connection_id)).user
        if not user:
            raise HandlerError(
                TranscriptionErrorCode.UNAUTHENTICATED, "This connection is not known. Connect again.", 401
            )
        return self._answers[action](ConnectedUser(user, connection_id), message)

    def _operate(self, event: Mapping[str, Any], now_ms: int) -> Response:
        match event["kind"]:
            case "sweep":
                return {"lost": self._sweep(now_ms)}
            case "open":
                asked = {name: value for name, value in event.get("session", {}).items() if name != "sessionId"}
                message = Open.model_validate({**asked, "action": "open"})
                answer = self._routes.open(ConnectedUser(_user(event), ""), message)
                return answer.model_dump(mode="json", by_alias=True)
            case _:
                raise ValueError("kind must be sweep or open")

    def _sweep(self, now_ms: int) -> int:
        """Tells clients of utterances that nobody works on any more; one that cannot be told keeps no other from it."""
        count = failed = 0
        for key in self._live.overdue_keys(now_ms):
            try:
                count += self._swept(key, now_ms)
            except Exception as error:  # noqa: BLE001 - counted, and raised at the end as one
                self._log.error("sweep_failed", error_type=type(error).__name__)
                failed += 1
        if failed:
            raise SweepFailed(f"{failed} sessions could not be swept")
        return count

    def _swept(self, key: str, now_ms: int) -> int:
        def sweep(flight: SessionSlots) -> tuple[SessionSlots, tuple[str, tuple[str, ...]]]:
            swept, lost = flight.remove_overdue(now_ms)
            return swept, (flight.connection, lost)

        connection, lost = self._live.change(SessionSlots, key, sweep)
        if not lost:
            return 0
        session_id = key.removeprefix(FLIGHT_PREFIX)
        self._log.error("utterances_lost", session_hash=hashed(session_id), lost=len(lost))
        again = tuple(Again(utterance=one, from_ms=0) for one in lost)
        try:
            self._connections.post(connection, Resend(session_id=session_id, utterances=again))
        except (ClientError, BotoCoreError) as error:
            # The next ping tells it too.
            self._log.warning("resend_not_told", error_type=type(error).__name__)
        return len(lost)


def _user(event: Mapping[str, Any]) -> str:
    """For whom an operator opens a session: nobody ever connects under another kind of name."""
    user = event.get("user")
    if not isinstance(user, str) or re.fullmatch(user_ids.PATTERN, user) is None:
        raise ValueError("user must be the platform's own name for somebody: docs/transcription.md says how to get it")
    return user


@cache
def _router() -> Router:
    """Made once a container."""
    environment = RouterEnvironment.read()
    session = boto3.Session()
    dynamodb, functions = session.client("dynamodb", config=LIVE_CONFIG), session.client("lambda", config=LIVE_CONFIG)
    log = EventLog(environment.log_level, structured=environment.structured_logging)
    live = LiveTable(dynamodb, environment.live_table_name, clock.now_ms)

    def hand_over(work: ProcessorEvent) -> None:
        functions.invoke(
            FunctionName=environment.processor, InvocationType="Event", Payload=work.model_dump_json().encode()
        )

    routes = ClientMessageHandler(
        SessionTable(dynamodb, environment.sessions_table_name, clock.now_ms),
        live,
        environment,
        hand_over=hand_over,
        presign=stream_url_signer(session, environment.aws_endpoint_url_transcribe_streaming),
        clock_ms=clock.now_ms,
        new_id=clock.new_id,
        log=log,
    )
    connections = Connections(session.client("apigatewaymanagementapi", config=LIVE_CONFIG))
    return Router(routes, live, connections, cache(lambda: _gate(environment)), log)


def _gate(environment: RouterEnvironment) -> "ConnectionAuthorizer":
    # What checks tokens is slow to load, and not every container meets one.
    from handlers.common.identity.oidc_tokens import Verifier  # noqa: PLC0415
    from handlers.common.identity.signing_keys import KeySet  # noqa: PLC0415
    from handlers.transcription.router.connection_authorization import ConnectionAuthorizer  # noqa: PLC0415

    if environment.auth == "none":
        return ConnectionAuthorizer(None)
    keys = KeySet(str(environment.jwks_url))
    return ConnectionAuthorizer(Verifier(str(environment.issuer), str(environment.audience), keys, clock.now))


def handler(event: Mapping[str, Any], _context: object) -> Response:
    """The entry point of the function."""
    return _router().handle(event, clock.now_ms())


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _router()  # while the container starts, which is faster and comes before anybody waits

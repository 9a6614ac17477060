"""Router of transcription: the Lambda function behind the WebSocket API, which answers handshakes and client messages.

No other event invokes it. For each utterance, it takes one of the session's slots before it invokes the audio processor
(see `session`). So a session has no more concurrent streams than slots, and a repeated message starts nothing.
"""

import base64
import binascii
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG
from handlers.common.errors import HandlerError
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket import (
    ClientMessage,
    ProxyResponse,
    ReplyMessage,
    WebSocketDispatcher,
    WebSocketErrorCode,
)
from handlers.transcription.audio import BadAudio, check_utterance
from handlers.transcription.environment import PROTOCOL, RouterEnvironment
from handlers.transcription.messages import (
    REQUESTS,
    Accepted,
    Audio,
    Close,
    Closed,
    Open,
    Opened,
    Ping,
    Pong,
    ProcessorEvent,
    TranscriptionErrorCode,
)
from handlers.transcription.session import (
    ClientConnection,
    OpenedSessions,
    Session,
    SessionStatus,
    SessionUtterances,
    TranscriptionTables,
    connection_key,
    opened_sessions_key,
    session_key,
)

if TYPE_CHECKING:
    from handlers.common.tokens import TokenVerifier


@dataclass(frozen=True)
class ConnectedUser:
    """The user who sent a message, and the connection over which it came."""

    user: str
    connection: str
    """Id of the connection."""


class Router:
    """Dispatcher of the events of API Gateway. The methods for the actions return an answer, or raise HandlerError."""

    def __init__(
        self,
        tables: TranscriptionTables,
        environment: RouterEnvironment,
        *,
        invoke_processor: Callable[[ProcessorEvent], None],
        authorize: Callable[[Mapping[str, Any]], str],
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        """`authorize` returns the id of the user who sends a handshake with these headers, or raises HandlerError."""
        self._tables = tables
        self._environment = environment
        self._invoke_processor = invoke_processor
        self._authorize = authorize
        self._clock_ms = clock_ms
        self._log = log
        self._dispatcher = WebSocketDispatcher(REQUESTS, log)
        self._actions: Mapping[str, Callable[[ConnectedUser, Any], ReplyMessage]] = {
            "open": self._open_session,
            "audio": self._accept_utterance,
            "ping": self._ping,
            "close": self._close_session,
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
        connection = ClientConnection(user=self._authorize(event.get("headers") or {}))
        self._tables.connections.change(connection_key(context["connectionId"]), lambda stored: stored or connection)
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}

    def _answer_message(self, connection_id: str, action: str, message: ClientMessage) -> ReplyMessage:
        connection = self._tables.connections.read(connection_key(connection_id))
        if connection is None:
            raise HandlerError(TranscriptionErrorCode.UNAUTHENTICATED, "This connection is unknown. Connect again.")
        return self._actions[action](ConnectedUser(connection.user, connection_id), message)

    def _open_session(self, caller: ConnectedUser, message: Open) -> Opened:
        """Open a new session, or move one of the user's sessions to this connection."""
        if message.session_id:
            session = self._own_session(caller.user, message.session_id)
        else:
            session = self._create_session(caller.user, message)
        self._tables.change_utterances(session.session_id, lambda utterances: utterances.move(caller.connection))
        return Opened(
            session_id=session.session_id,
            expires_at=_timestamp(session.ends_at * 1000),
            in_flight=self._environment.in_flight,
        )

    def _accept_utterance(self, caller: ConnectedUser, message: Audio) -> Accepted:
        """Take a slot for an attempt at the utterance and invoke the processor, if the attempt may start."""
        session = self._own_session(caller.user, message.session_id)
        _check_audio(message, session)
        now_ms, holder = self._clock_ms(), secrets.token_hex(8)
        lost_counts: list[int] = []

        def take_slot(utterances: SessionUtterances) -> SessionUtterances:
            lost_counts.append(_on_connection(utterances, caller).overdue_count(now_ms))
            return utterances.take_slot(
                message.utterance, message.attempt, holder, now_ms, max_slots=self._environment.in_flight
            )

        utterances = self._tables.change_utterances(session.session_id, take_slot)
        if lost_counts[-1]:
            # Logged as an error, because errors are logged at every log level.
            self._log.error("utterances_lost", session_hash=hash_for_log(session.session_id), lost=lost_counts[-1])
        if utterances.held_slot(holder):
            utterances = self._start_attempt(message, utterances, holder, now_ms)
            return _answer_audio(message, utterances, repeated=False)
        slot, unfinished = (
            utterances.find_slot(message.utterance),
            utterances.find_unfinished(message.utterance),
        )
        is_repeated = message.attempt <= (slot or unfinished).attempt
        if not is_repeated and message.utterance not in utterances.done:
            raise HandlerError(
                TranscriptionErrorCode.BUSY,
                f"{self._environment.in_flight} utterances of this session are in progress, which is the maximum, or an"
                " earlier attempt at this one. Send it again in a second.",
            )
        return _answer_audio(message, utterances, repeated=is_repeated)

    def _start_attempt(
        self, message: Audio, utterances: SessionUtterances, holder: str, accepted_ms: int
    ) -> SessionUtterances:
        """Invoke the processor, and return the state of the utterances, which is a newer one if the call failed."""
        event = ProcessorEvent(
            session_id=message.session_id,
            utterance=message.utterance,
            attempt=message.attempt,
            holder=holder,
            failures=sum(slot.failures for slot in utterances.slots if slot.holder == holder),
            sequence=message.sequence,
            accepted_ms=accepted_ms,
            audio=message.audio,
        )
        try:
            self._invoke_processor(event)
        except (ClientError, BotoCoreError) as error:
            # The invocation may have succeeded. If the attempt has started, another text holds the slot, and the
            # utterance counts as accepted. Otherwise the slot is released, and without it the processor does nothing.
            utterances = self._tables.change_utterances(
                message.session_id, lambda utterances: utterances.cancel(holder)
            )
            if utterances.find_slot(message.utterance) or message.utterance in utterances.done:
                return utterances
            # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
            self._log.failure("processor_not_called", error)
            raise HandlerError(
                WebSocketErrorCode.UNAVAILABLE, "The utterance could not be accepted. Send it again."
            ) from None
        return utterances

    def _ping(self, caller: ConnectedUser, message: Ping) -> Pong:
        """Check that the session is open on this connection, if the message names one."""
        if message.session_id is not None:
            session = self._own_session(caller.user, message.session_id)
            _on_connection(self._tables.read_utterances(session.session_id), caller)
        return Pong()

    def _close_session(self, caller: ConnectedUser, message: Close) -> Closed:
        """Close a session. It may be closed already. Utterances in progress are still transcribed."""

        def close(session: Session | None) -> Session | None:
            is_own = session is not None and session.owner == caller.user
            return session.model_copy(update={"status": SessionStatus.CLOSED}) if session and is_own else session

        session = self._tables.sessions.change(session_key(message.session_id), close)
        if session is None or session.owner != caller.user:
            raise _unknown_session()
        return Closed(session_id=message.session_id)

    def _create_session(self, user: str, message: Open) -> Session:
        languages = self._environment.languages.split(",")
        if message.language not in languages:
            raise HandlerError(
                TranscriptionErrorCode.LANGUAGE_UNKNOWN, f"language must be one of {', '.join(languages)}."
            )
        now_ms, session_id = self._clock_ms(), ids.new_id()
        opened = self._tables.opened_sessions.change(
            opened_sessions_key(user, now_ms), lambda stored: (stored or OpenedSessions()).add(session_id)
        )
        if opened is None or session_id not in opened.session_ids:
            raise HandlerError(
                TranscriptionErrorCode.TOO_MANY_SESSIONS, "You opened too many sessions. Try again in the next hour."
            )
        session = Session(
            session_id=session_id,
            owner=user,
            status=SessionStatus.OPEN,
            language=message.language,
            encoding=message.encoding,
            sample_rate=message.sample_rate,
            settings=message.settings,
            created_at=_timestamp(now_ms),
            ends_at=now_ms // 1000 + self._environment.session_seconds,
        )
        self._tables.sessions.change(session_key(session_id), lambda stored: stored or session)
        return session

    def _own_session(self, user: str, session_id: str) -> Session:
        """Return an open session of this user. Another user's session gives the same error as an unknown one."""
        session = self._tables.sessions.read(session_key(session_id))
        if session is None or session.owner != user:
            raise _unknown_session()
        if not session.is_open(self._clock_ms()):
            raise HandlerError(TranscriptionErrorCode.SESSION_CLOSED, "This session is closed. Open another session.")
        return session


def _on_connection(utterances: SessionUtterances, caller: ConnectedUser) -> SessionUtterances:
    """Return the utterances unchanged, or raise HandlerError if the session was last opened on another connection.

    Without this check, a client could go on over another connection without opening the session there. Its captions
    would still go to the old connection.
    """
    if utterances.connection != caller.connection:
        raise HandlerError(
            TranscriptionErrorCode.SESSION_ELSEWHERE,
            "This session is not open on this connection. Open it with its sessionId.",
        )
    return utterances


def _check_audio(message: Audio, session: Session) -> None:
    """Raise HandlerError for audio that Amazon Transcribe would refuse or misinterpret."""
    try:
        audio = base64.b64decode(message.audio, validate=True)
    except (binascii.Error, ValueError):
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, "audio is not base64.") from None
    try:
        check_utterance(audio, session.encoding, session.sample_rate)
    except BadAudio as error:
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, str(error)) from None


def _answer_audio(message: Audio, utterances: SessionUtterances, *, repeated: bool) -> Accepted:
    return Accepted(
        session_id=message.session_id,
        utterance=message.utterance,
        attempt=message.attempt,
        repeated=repeated,
        done=message.utterance in utterances.done,
        failed=message.utterance in utterances.failed,
    )


def _unknown_session() -> HandlerError:
    return HandlerError(TranscriptionErrorCode.SESSION_UNKNOWN, "You have no session with this id.")


def _timestamp(moment_ms: int) -> str:
    return ids.timestamp(datetime.fromtimestamp(moment_ms / 1000, UTC))


@cache
def _router() -> Router:
    environment = RouterEnvironment.read()
    session = boto3.Session()
    dynamodb, functions = (
        session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG),
        session.client("lambda", config=SHORT_TIMEOUT_CONFIG),
    )

    def authorize(headers: Mapping[str, Any]) -> str:
        # The token libraries load slowly, and not every container handles a handshake.
        from handlers.transcription.router.connection_authorization import authorize_connection  # noqa: PLC0415

        return authorize_connection(headers, _token_verifier())

    def invoke_processor(event: ProcessorEvent) -> None:
        functions.invoke(
            FunctionName=environment.processor, InvocationType="Event", Payload=event.model_dump_json().encode()
        )

    return Router(
        TranscriptionTables(dynamodb, environment.sessions_table_name, environment.live_table_name, ids.now_ms),
        environment,
        invoke_processor=invoke_processor,
        authorize=authorize,
        clock_ms=ids.now_ms,
        log=EventLog(environment.log_level, structured=environment.structured_logging),
    )


@cache
def _token_verifier() -> "TokenVerifier | None":
    from handlers.common.tokens import TokenVerifier, signing_keys  # noqa: PLC0415

    environment = RouterEnvironment.read()
    if environment.auth == "none":
        return None
    keys = signing_keys(environment.jwks_url)
    return TokenVerifier(str(environment.issuer), str(environment.audience), keys)


def handler(event: Mapping[str, Any], _context: object) -> ProxyResponse:
    return _router().handle(event)


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _router()  # created while the container starts, which is faster and delays no request

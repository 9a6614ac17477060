"""Router: the Lambda function behind transcription's WebSocket API, which answers handshakes and client messages.

No other event invokes it. A client opens one session per connection, and sends utterances, a few seconds of speech each.
It sends an utterance again as a further attempt if an attempt fails. For each attempt, the router takes one of the
session's slots, of which there are `in_flight`. Then it invokes the audio processor, which transcribes the utterance and
releases the slot. So a session has no more concurrent streams of Amazon Transcribe than slots.
"""

import base64
import os
from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common import ids
from handlers.common.aws import SHORT_TIMEOUT_CONFIG
from handlers.common.errors import HandlerError, ProxyResponse
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.websocket import (
    ClientMessage,
    ReplyMessage,
    WebSocketDispatcher,
    WebSocketErrorCode,
)
from handlers.transcription.audio import BadAudio, check_utterance
from handlers.transcription.environment import PROTOCOL, RouterEnvironment
from handlers.transcription.messages import (
    REQUESTS,
    TOKEN_PREFIX,
    Accepted,
    Audio,
    Open,
    Opened,
    Pong,
    ProcessorEvent,
    TranscriptionErrorCode,
)
from handlers.transcription.session import Session, SessionTable, UtteranceStatus

if TYPE_CHECKING:
    from handlers.common.tokens import TokenVerifier


class Router:
    """Dispatcher of the events of API Gateway."""

    def __init__(
        self,
        sessions: SessionTable,
        environment: RouterEnvironment,
        *,
        invoke_processor: Callable[[ProcessorEvent], None],
        find_verifier: Callable[[], "TokenVerifier | None"],
        clock_ms: Callable[[], int],
        log: EventLog,
    ) -> None:
        """`find_verifier` is called at a handshake. It returns None with `auth: none`, which needs no token."""
        self._sessions = sessions
        self._environment = environment
        self._invoke_processor = invoke_processor
        self._find_verifier = find_verifier
        self._clock_ms = clock_ms
        self._log = log
        self._dispatcher = WebSocketDispatcher(REQUESTS, log)

    def handle(self, event: Mapping[str, Any]) -> ProxyResponse:
        context = event["requestContext"]
        match context["eventType"]:
            case "CONNECT":
                return self._dispatcher.connect(context, partial(self._accept, event.get("headers") or {}))
            case "DISCONNECT":
                return {"statusCode": 200}  # nothing to clean up: the session's item expires
            case _:
                answer_message = partial(self._answer_message, context["connectionId"])
                return self._dispatcher.answer(event.get("body") or "", context, answer_message)

    def _accept(self, headers: Mapping[str, Any]) -> ProxyResponse:
        """Accept a handshake. API Gateway passes on messages only of connections whose handshake was answered with 200.

        A browser cannot set headers on a WebSocket, so the client offers its token as a subprotocol.
        """
        text = next((str(value) for name, value in headers.items() if name.lower() == "sec-websocket-protocol"), "")
        offers = [offer.strip() for offer in text.split(",")]
        if PROTOCOL not in offers:
            raise HandlerError(
                WebSocketErrorCode.MALFORMED_MESSAGE,
                f"Offer the subprotocol {PROTOCOL}, and the token as {TOKEN_PREFIX}<token>.",
            )
        if verifier := self._find_verifier():
            _verify_token(offers, verifier)
        return {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": PROTOCOL}}

    def _answer_message(self, connection: str, _action: str, message: ClientMessage) -> ReplyMessage:
        match message:
            case Open():
                return self._open_session(connection, message)
            case Audio():
                return self._accept_utterance(connection, message)
            case _:
                return Pong()

    def _open_session(self, connection: str, message: Open) -> Opened:
        languages = self._environment.languages.split(",")
        if message.language not in languages:
            raise HandlerError(
                TranscriptionErrorCode.LANGUAGE_UNKNOWN, f"language must be one of {', '.join(languages)}."
            )
        new = Session(
            language=message.language,
            encoding=message.encoding,
            sample_rate=message.sample_rate,
            settings=message.settings,
        )
        if not self._sessions.create(connection, new):
            raise HandlerError(
                TranscriptionErrorCode.SESSION_OPEN,
                "This connection has a session. Connect again to open another session.",
            )
        return Opened(in_flight=self._environment.in_flight)

    def _accept_utterance(self, connection: str, message: Audio) -> Accepted:
        """Take a slot for an attempt at the utterance and invoke the processor, if the attempt may start."""
        session = self._sessions.read(connection)
        if session is None:
            raise HandlerError(TranscriptionErrorCode.NO_SESSION, "This connection has no session. Send `open` first.")
        _check_audio(message, session)
        now_ms, max_slots = self._clock_ms(), self._environment.in_flight
        if lost := session.list_lost(now_ms):
            # Logged as an error, because errors are logged at every log level.
            self._log.error("utterances_lost", session_hash=hash_for_log(connection), lost=len(lost))
        changed = self._sessions.change(
            connection, lambda current: current.take_slot(message.utterance, message.attempt, now_ms, max_slots)
        )
        state = (changed or session).find(message.utterance)  # `changed` is None if the session has just expired
        if message.attempt > state.attempt and not state.has_ended:  # the attempt has got no slot
            reason = "An earlier attempt at this utterance is in progress."
            if not state.has_slot:
                reason = f"{max_slots} utterances of this session are in progress, which is the maximum."
            raise HandlerError(TranscriptionErrorCode.BUSY, f"{reason} Send it again in a second.")
        if (state.attempt, state.status) == (message.attempt, UtteranceStatus.ACCEPTED):
            # For a repeated message, this may be a second invocation. The processor ignores it, once the first attempt runs.
            self._start_attempt(connection, message, now_ms)
        return Accepted(
            utterance=message.utterance,
            attempt=message.attempt,
            done=state.has_ended,
            failed=state.status is UtteranceStatus.GIVEN_UP,
        )

    def _start_attempt(self, connection: str, message: Audio, accepted_ms: int) -> None:
        """Invoke the processor for an attempt that has a slot. Raises HandlerError if the call fails."""
        event = ProcessorEvent(
            session_id=connection,
            utterance=message.utterance,
            attempt=message.attempt,
            sequence=message.sequence,
            accepted_ms=accepted_ms,
            audio=message.audio,
        )
        try:
            self._invoke_processor(event)
        except (ClientError, BotoCoreError) as error:
            # The slot is kept, because the processor may have been invoked. If not, the client's next message invokes it.
            # Logged as an error, because an alarm counts this event, and errors are logged at every log level.
            self._log.failure("processor_not_called", error)
            raise HandlerError(
                WebSocketErrorCode.UNAVAILABLE, "The utterance could not be accepted. Send it again."
            ) from None


def _verify_token(offers: Sequence[str], verifier: "TokenVerifier") -> None:
    """Raise HandlerError if no offered subprotocol is a valid token."""
    # The token libraries load slowly, and not every container handles a handshake.
    from handlers.common.tokens import ProviderUnavailable, TokenRefused  # noqa: PLC0415

    token = next((offer.removeprefix(TOKEN_PREFIX) for offer in offers if offer.startswith(TOKEN_PREFIX)), None)
    if token is None:
        raise HandlerError(
            TranscriptionErrorCode.UNAUTHENTICATED, f"Offer a token as the subprotocol {TOKEN_PREFIX}<token>."
        )
    try:
        verifier.verify(token)
    except ProviderUnavailable:
        raise HandlerError(
            WebSocketErrorCode.UNAVAILABLE, "The identity provider does not respond. Try again."
        ) from None
    except TokenRefused:
        raise HandlerError(TranscriptionErrorCode.UNAUTHENTICATED, "The token is not valid. Get a new token.") from None


def _check_audio(message: Audio, session: Session) -> None:
    """Raise HandlerError for audio that Amazon Transcribe would refuse or misinterpret."""
    try:
        audio = base64.b64decode(message.audio, validate=True)
    except ValueError:
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, "audio is not base64.") from None
    try:
        check_utterance(audio, session.encoding, session.sample_rate)
    except BadAudio as error:
        raise HandlerError(TranscriptionErrorCode.BAD_AUDIO, str(error)) from None


@cache
def _router() -> Router:
    environment = RouterEnvironment.read()
    session = boto3.Session()
    dynamodb = session.client("dynamodb", config=SHORT_TIMEOUT_CONFIG)
    functions = session.client("lambda", config=SHORT_TIMEOUT_CONFIG)

    def invoke_processor(event: ProcessorEvent) -> None:
        functions.invoke(
            FunctionName=environment.processor, InvocationType="Event", Payload=event.model_dump_json().encode()
        )

    return Router(
        SessionTable(dynamodb, environment.sessions_table_name, ids.now_ms),
        environment,
        invoke_processor=invoke_processor,
        find_verifier=_token_verifier,
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

"""Harness for tests of the router, the Lambda function that answers the clients' WebSocket messages.

It also has the fakes that the audio processor's tests use: a clock, clients, and an Amazon Transcribe that follows a
script. A peer is the other end of a connection.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

import boto3
import pytest
from moto import mock_aws

from handlers.common.ids import new_id
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketConnections
from handlers.transcription.audio_processor.stream import (
    CLOSE_SECONDS,
    SEND_SECONDS,
    StreamFailureCode,
    StreamRequest,
    TranscribeStreamFailed,
)
from handlers.transcription.live_table import LiveTable
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.client_message_handler import ClientMessageHandler
from handlers.transcription.router.connection_authorization import ConnectionAuthorizer
from handlers.transcription.router.environment import RouterEnvironment
from handlers.transcription.router.handler import Router
from handlers.transcription.session_table import SessionTable
from handlers.transcription.session_utterance_state import SessionUtterances
from tests.credentials import credentials
from tests.moto_tables import create_table

LIVE_TABLE_NAME, SESSION_TABLE_NAME = "live", "sessions"
START_MS = 1_760_000_000_000
"""Time of the clock at the start of a test: 2025-10-09T08:53:20Z."""
LIMITS = RouterEnvironment(
    sessions_table_name=SESSION_TABLE_NAME,
    live_table_name=LIVE_TABLE_NAME,
    processor="arn:aws:lambda:us-east-1:123456789012:function:processor:live",
    in_flight=2,
    session_seconds=3600,
    languages="en-US,de-DE",
)
"""Environment variables of the router, with a low limit: two slots in each session."""


@cache
def _client() -> Any:
    """Return the DynamoDB client. It is created once, because its creation takes most of a test's time."""
    return boto3.client("dynamodb")


@contextmanager
def transcription_tables(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Create both tables in moto, without items, and yield a DynamoDB client."""
    credentials(monkeypatch)
    with mock_aws():
        client = _client()
        create_table(client, LIVE_TABLE_NAME, "pk")
        create_table(client, SESSION_TABLE_NAME, "session_id")
        yield client


@dataclass
class Clock:
    """Clock that advances only when a fake or a test advances it, for example when the tested code waits for a fake."""

    now_ms: int = START_MS

    def __call__(self) -> int:
        return self.now_ms


@dataclass(frozen=True)
class PeerDelays:
    """Delays of Amazon Transcribe and of AWS calls. If the tested code has a shorter time limit, it waits only for this
    limit."""

    opening_ms: tuple[int, ...] = ()
    """Time until each stream opens. Later streams open at once."""
    accepting_ms: tuple[int | None, ...] = ()
    """Time for which each stream accepts audio. None means until the end, as for later streams."""
    closing_ms: int = 0
    """Time that Amazon Transcribe needs to answer the closing handshake of a stream."""
    calling_ms: int = 0
    """Duration of each AWS call."""


class SlowAwsClient:
    """AWS client, real or fake, whose calls advance the clock."""

    def __init__(self, client: Any, clock: Clock, milliseconds: int) -> None:
        self._client, self._clock, self._milliseconds = client, clock, milliseconds
        self.exceptions = getattr(client, "exceptions", None)

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **parameters: Any) -> Any:
            self._clock.now_ms += self._milliseconds
            return getattr(self._client, name)(*arguments, **parameters)

        return call


@dataclass
class Clients(WebSocketConnections):
    """API Gateway's WebSocket connections, with fake clients that keep the messages that they receive."""

    gone: set[str] = field(default_factory=set)
    """Closed connections, which accept no message."""
    inbox: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Received messages by connection."""
    before_post: Callable[[str, Any], object] = lambda *_: None
    """Called with the connection and each message before it arrives."""
    after_post: Callable[[str, Any], object] = lambda *_: None
    """Called with the connection and each message after it has arrived."""

    def post(self, connection_id: str, message: Message) -> bool:
        self.before_post(connection_id, message)
        if connection_id in self.gone:
            return False
        sent = json.loads(message.model_dump_json(by_alias=True, exclude_none=True))
        self.inbox.setdefault(connection_id, []).append(sent)
        self.after_post(connection_id, message)
        return True

    def sent_to(self, connection_id: str, kind: str) -> list[dict[str, Any]]:
        """Return the messages of a kind that one client received."""
        return [message for message in self.inbox.get(connection_id, []) if message["type"] == kind]


def transcript_payload(result_id: str, text: str, *, final: bool, at_ms: int = 0, stable: bool | None = True) -> bytes:
    """Return an event with one result, a piece of recognised speech, as Amazon Transcribe sends it.

    The speech begins at `at_ms` of the stream's audio and takes 100 ms for each word. `stable` is the mark of stability
    of each word. With None, the words have no mark.
    """
    stability = {} if stable is None else {"Stable": stable}
    items = [{"Content": word, "Type": "pronunciation", **stability} for word in text.split()]
    result = {
        "ResultId": result_id,
        "StartTime": at_ms / 1000,
        "EndTime": (at_ms + 100 * len(items)) / 1000,
        "IsPartial": not final,
        "Alternatives": [{"Transcript": text, "Items": items}],
    }
    return json.dumps({"Transcript": {"Results": [result]}}).encode()


Step = tuple[int, bytes | StreamFailureCode | None]
"""A step of a stream: its time in milliseconds since the stream opened, and an event, a failure, or None if the service
closes the stream normally."""


@dataclass
class ScriptedStream:
    """Replacement for `TranscribeStream` that follows a script. Waiting for it advances the clock."""

    clock: Clock
    steps: Sequence[Step]
    accepting_ms: int | None = None
    closing_ms: int = 0
    chunks: list[bytes] = field(default_factory=list)
    """Pieces of audio that the processor has sent."""
    chunk_times_ms: list[int] = field(default_factory=list)
    """Time of each chunk since the stream was opened."""
    audio_end_ms: int | None = None
    """Time at which the processor ended the audio, counted since the stream was opened."""
    ended: bool = False
    """True when the service has closed the stream normally."""

    def __post_init__(self) -> None:
        self._remaining_steps = list(self.steps)
        self._opened_ms = self.clock.now_ms

    def send(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        self.chunk_times_ms.append(self.clock.now_ms - self._opened_ms)
        self._wait_until_accepted()

    def end(self) -> None:
        self._wait_until_accepted()
        self.audio_end_ms = self.clock.now_ms - self._opened_ms

    def close(self) -> None:
        if not self.ended:
            self.clock.now_ms += min(self.closing_ms, round(CLOSE_SECONDS * 1000))

    def _wait_until_accepted(self) -> None:
        """If the stream accepts no more audio, block the sender until its time limit, and fail."""
        if self.accepting_ms is not None and self.clock.now_ms - self._opened_ms >= self.accepting_ms:
            self.clock.now_ms += round(SEND_SECONDS * 1000)
            raise TranscribeStreamFailed(StreamFailureCode.BROKEN)

    def receive(self, timeout_seconds: float) -> bytes | None:
        ends_ms = self.clock.now_ms + (max(1, round(timeout_seconds * 1000)) if timeout_seconds > 0 else 0)
        if not self._remaining_steps or self._opened_ms + self._remaining_steps[0][0] > ends_ms:
            self.clock.now_ms = ends_ms
            return None
        step_ms, action = self._remaining_steps.pop(0)
        self.clock.now_ms = max(self.clock.now_ms, self._opened_ms + step_ms)
        if isinstance(action, StreamFailureCode):
            raise TranscribeStreamFailed(action)
        self.ended = action is None
        return action


@dataclass
class ScriptedTranscribe:
    """Fake Amazon Transcribe whose streams follow one script each."""

    clock: Clock
    scripts: list[Sequence[Step] | StreamFailureCode]
    """Scripts of the next streams: the steps of each stream, or the failure to open it."""
    delays: PeerDelays = field(default_factory=PeerDelays)
    requests: list[StreamRequest] = field(default_factory=list)
    """Requests for streams, including those for streams that failed to open."""
    streams: list[ScriptedStream] = field(default_factory=list)
    """Streams that were opened."""

    @contextmanager
    def open(self, request: StreamRequest, seconds: float) -> Iterator[ScriptedStream]:
        self.requests.append(request)
        script = self.scripts.pop(0)
        stream_number = len(self.requests) - 1
        opening_ms = dict(enumerate(self.delays.opening_ms)).get(stream_number, 0)
        accepting_ms = dict(enumerate(self.delays.accepting_ms)).get(stream_number)
        self.clock.now_ms += min(opening_ms, max(0, round(seconds * 1000)))
        if opening_ms > seconds * 1000:
            raise TranscribeStreamFailed(StreamFailureCode.BROKEN)
        if isinstance(script, StreamFailureCode):
            raise TranscribeStreamFailed(script)
        self.streams.append(ScriptedStream(self.clock, script, accepting_ms, self.delays.closing_ms))
        try:
            yield self.streams[-1]
        finally:
            self.streams[-1].close()


@dataclass
class RouterHarness:
    """Router with moto's tables and fakes of everything else that it calls."""

    dynamodb: Any
    clock: Clock = field(default_factory=Clock)
    processor_events: list[ProcessorEvent] = field(default_factory=list)
    """Events with which the router invoked the audio processor, the function that transcribes an utterance."""
    invocation_error: Exception | None = None
    """Error of each invocation of the processor. None if the invocations succeed."""
    authorizer: ConnectionAuthorizer = field(default_factory=lambda: ConnectionAuthorizer(None))
    environment: RouterEnvironment = LIMITS
    level: str = "DEBUG"
    """Log level."""

    def __post_init__(self) -> None:
        self.live = LiveTable(self.dynamodb, LIVE_TABLE_NAME, self.clock)
        self.sessions = SessionTable(self.dynamodb, SESSION_TABLE_NAME)

    @cached_property
    def router(self) -> Router:
        """The router. It is created at its first use in a test, because its logger keeps the standard output of that
        time."""
        log = EventLog(self.level)
        message_handler = ClientMessageHandler(
            self.sessions,
            self.live,
            self.environment,
            invoke_processor=self._invoke_processor,
            clock_ms=self.clock,
            new_id=new_id,
            log=log,
        )
        return Router(message_handler, self.live, lambda: self.authorizer, log)

    def connect(self, connection: str = "c1", *protocols: str) -> dict[str, Any]:
        """Send a handshake with these WebSocket subprotocols; by default, those of the user `ann`."""
        offered = ", ".join(protocols or ("polyphony.transcription.v1", "user.ann"))
        headers = {"Sec-WebSocket-Protocol": offered}
        return self._handle_event(connection, "CONNECT", "$connect", headers=headers)

    def disconnect(self, connection: str = "c1") -> dict[str, Any]:
        """Report the end of a connection."""
        return self._handle_event(connection, "DISCONNECT", "$disconnect")

    def send(self, action: str, connection: str = "c1", **fields: Any) -> dict[str, Any]:
        """Send a message and return its answer."""
        return self.send_text(json.dumps({"action": action, "id": "m1", **fields}), connection)

    def send_text(self, body: str, connection: str = "c1") -> dict[str, Any]:
        """Send any text as a message and return its answer."""
        response = self._handle_event(connection, "MESSAGE", "$default", body=body)
        assert response["statusCode"] == 200, "an error is sent as an answer, so the connection stays open"
        answer: dict[str, Any] = json.loads(response["body"])
        return answer

    def open_session(self, connection: str = "c1", **fields: Any) -> str:
        """Connect as the user `ann`, open a session and return its id."""
        self.connect(connection)
        return str(self.send("open", connection, **fields)["sessionId"])

    def open_other_users_session(self) -> str:
        """Connect as the user `bob` on connection `c2`, open a session and return its id."""
        self.connect("c2", "polyphony.transcription.v1", "user.bob")
        return str(self.send("open", "c2")["sessionId"])

    def send_utterance(self, session: str, utterance: str = "u1", connection: str = "c1") -> dict[str, Any]:
        """Send an utterance, a few seconds of speech, with one second of silence as its audio."""
        return self.send("audio", connection, sessionId=session, utterance=utterance, sequence=1, audio=silence(1))

    def utterances(self, session: str) -> SessionUtterances:
        """Return the session's slots, its ended utterances, and those that the client must send again (`resends`)."""
        return self.live.utterances(session)

    def change_utterances(self, session: str, change: Callable[[SessionUtterances], SessionUtterances]) -> None:
        """Change the session's utterances, as the audio processor does."""
        self.live.change_utterances(session, lambda item: (change(item), None))

    def _handle_event(self, connection: str, kind: str, route: str, **fields: Any) -> dict[str, Any]:
        context = {"connectionId": connection, "eventType": kind, "routeKey": route, "requestId": "r1"}
        return self.router.handle({"requestContext": context, **fields})

    def _invoke_processor(self, event: ProcessorEvent) -> None:
        if self.invocation_error is not None:
            raise self.invocation_error
        self.processor_events.append(event)


def silence(seconds: float) -> str:
    """Return silence as base64 of samples at 16 kHz."""
    return base64.b64encode(bytes(2 * round(16_000 * seconds))).decode()

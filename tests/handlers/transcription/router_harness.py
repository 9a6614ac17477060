"""Harness for tests of transcription: the router and the audio processor over the same table, with fakes of their peers.

The router answers the clients' messages, and invokes the audio processor for each attempt to transcribe an utterance (a
few seconds of speech). The harness keeps the events of these invocations, and a test decides when they are processed.
The fake Amazon Transcribe follows scripts, and the clock advances only when code waits for a fake.
"""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any
from unittest.mock import Mock

from components.settings import TranscriptionSettings
from handlers.common.logging import EventLog
from handlers.common.tokens import TokenVerifier
from handlers.transcription.audio_processor.stream import (
    CLOSE_SECONDS,
    SEND_SECONDS,
    StreamFailureCode,
    StreamRequest,
    TranscribeStreamFailed,
)
from handlers.transcription.audio_processor.utterance_attempt import Outcome, Processor
from handlers.transcription.environment import PROTOCOL, CaptionThresholds, RouterEnvironment
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.router.handler import Router
from handlers.transcription.session import Session, SessionTable
from local.flows.transcription_client import Screen
from tests.handlers.common.fakes import Clients, Clock, MemoryDynamoDb

SESSION_TABLE_NAME = "sessions"
LIMITS = RouterEnvironment(
    sessions_table_name=SESSION_TABLE_NAME,
    structured_logging=True,
    auth="none",
    processor="arn:aws:lambda:us-east-1:123456789012:function:processor:live",
    in_flight=2,
    languages="en-US,de-DE",
)
"""Environment variables of the router, with a low limit: two slots in each session."""
LAST_RESULTS_MS = TranscriptionSettings().last_results_ms
DEFAULT_THRESHOLDS = CaptionThresholds()
Step = tuple[int, bytes | StreamFailureCode | None]
"""A step of a stream: its time in milliseconds since the stream opened, and an event, a failure, or None if the service
closes the stream normally."""
STREAM_END: Step = (1_200, None)
"""Step at which Amazon Transcribe closes the stream normally, 200 ms after the audio of a one-second utterance."""


@dataclass(frozen=True)
class PeerDelays:
    """Delays of Amazon Transcribe and of AWS calls. If the tested code has a shorter time limit, it waits only for this
    limit."""

    opening_ms: int = 0
    """Time until a stream opens."""
    accepting_ms: int | None = None
    """Time for which a stream accepts audio. None means until the end."""
    closing_ms: int = 0
    """Time that Amazon Transcribe needs to answer the closing handshake of a stream."""
    calling_ms: int = 0
    """Duration of each AWS call."""


class ObservedClient:
    """AWS client, real or fake, whose calls advance the clock and call the harness's `on_call` before and afterwards."""

    def __init__(self, client: Any, harness: "TranscriptionHarness") -> None:
        self._client, self._harness = client, harness

    def __getattr__(self, name: str) -> Any:
        def call(*arguments: Any, **parameters: Any) -> Any:
            self._harness.clock.now_ms += self._harness.delays.calling_ms
            self._harness.on_call()
            answer = getattr(self._client, name)(*arguments, **parameters)
            self._harness.on_call()
            return answer

        return call


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


def partial_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a partial, a text of a result that may still change.

    `when_ms` is the time since the stream opened. `fields` are parameters of `transcript_payload`.
    """
    return when_ms, transcript_payload(result_id, text, final=False, **fields)


def final_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a final, the last text of a result. The parameters are those of `partial_at`."""
    return when_ms, transcript_payload(result_id, text, final=True, **fields)


@dataclass
class ScriptedStream:
    """Replacement for `TranscribeStream` that follows a script. Waiting for it advances the clock."""

    clock: Clock
    steps: Sequence[Step]
    delays: PeerDelays
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
        self._check_accepted()

    def end(self) -> None:
        self._check_accepted()
        self.audio_end_ms = self.clock.now_ms - self._opened_ms

    def close(self) -> None:
        if not self.ended:
            self.clock.now_ms += min(self.delays.closing_ms, round(CLOSE_SECONDS * 1000))

    def _check_accepted(self) -> None:
        """If the stream accepts no more audio, block the sender until its time limit."""
        accepting_ms = self.delays.accepting_ms
        if accepting_ms is not None and self.clock.now_ms - self._opened_ms >= accepting_ms:
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
    delays: PeerDelays
    scripts: list[Sequence[Step] | StreamFailureCode] = field(default_factory=list)
    """Scripts of the next streams: the steps of each stream, or the failure to open it."""
    requests: list[StreamRequest] = field(default_factory=list)
    """Requests for streams, including those for streams that failed to open."""
    streams: list[ScriptedStream] = field(default_factory=list)
    """Streams that were opened."""
    before_open: Callable[[], object] = lambda: None

    @contextmanager
    def open(self, request: StreamRequest, seconds: float) -> Iterator[ScriptedStream]:
        self.before_open()
        self.requests.append(request)
        script = self.scripts.pop(0)
        self.clock.now_ms += min(self.delays.opening_ms, max(0, round(seconds * 1000)))
        if isinstance(script, StreamFailureCode):
            raise TranscribeStreamFailed(script)
        if self.delays.opening_ms > seconds * 1000:
            raise TranscribeStreamFailed(StreamFailureCode.BROKEN)
        stream = ScriptedStream(self.clock, script, self.delays)
        self.streams.append(stream)
        try:
            yield stream
        finally:
            stream.close()


@dataclass
class TranscriptionHarness:
    """Router and audio processor over the same table, with fakes of everything else that they call."""

    dynamodb: Any = field(default_factory=lambda: MemoryDynamoDb(**{SESSION_TABLE_NAME: ["session_id"]}))
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    put_metric_data: Mock = field(default_factory=Mock)
    """Operation of CloudWatch."""
    delays: PeerDelays = field(default_factory=PeerDelays)
    events: list[ProcessorEvent] = field(default_factory=list)
    """Events with which the router invoked the audio processor."""
    invocation_error: Exception | None = None
    """Error of each invocation of the processor. None if the invocations succeed."""
    verifier: TokenVerifier | None = None
    on_call: Callable[[], object] = lambda: None
    level: str = "DEBUG"
    """Log level."""

    def __post_init__(self) -> None:
        dynamodb: Any = ObservedClient(self.dynamodb, self)
        self.sessions = SessionTable(dynamodb, SESSION_TABLE_NAME, self.clock)
        self.transcribe = ScriptedTranscribe(self.clock, self.delays)

    @cached_property
    def router(self) -> Router:
        """The router. It is created at its first use in a test, because its logger keeps the standard output of that
        time."""
        return Router(
            self.sessions,
            LIMITS,
            invoke_processor=self.invoke_processor,
            find_verifier=lambda: self.verifier,
            clock_ms=self.clock,
            log=EventLog(self.level),
        )

    @cached_property
    def processor(self) -> Processor:
        """The audio processor, which is created at its first use, like the router."""
        open_stream: Any = self.transcribe.open
        clients: Any = ObservedClient(self.clients, self)
        cloudwatch: Any = ObservedClient(self, self)
        return Processor(
            self.sessions,
            clients,
            cloudwatch,
            function_name="processor",
            thresholds=DEFAULT_THRESHOLDS,
            last_results_ms=LAST_RESULTS_MS,
            open_stream=open_stream,
            clock_ms=self.clock,
            log=EventLog(self.level),
        )

    def connect(self, connection: str = "c1", *protocols: str) -> dict[str, Any]:
        """Send a handshake with these WebSocket subprotocols; by default, the one of the API."""
        headers = {"sec-websocket-protocol": ", ".join(protocols or (PROTOCOL,))}
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

    def open_session(self, connection: str = "c1", **fields: Any) -> None:
        """Connect, and open the session of the connection."""
        self.connect(connection)
        assert self.send("open", connection, **fields)["type"] == "opened"

    def send_utterance(
        self, utterance: str = "u1", attempt: int = 1, connection: str = "c1", audio: str = ""
    ) -> dict[str, Any]:
        """Send an attempt at an utterance, with one second of silence as its audio by default."""
        fields = {"utterance": utterance, "attempt": attempt, "sequence": 1}
        return self.send("audio", connection, **fields, audio=audio or silence(1))

    def session(self, connection: str = "c1") -> Session:
        """Return the session of a connection, with its utterances."""
        session = self.sessions.read(connection)
        assert session is not None
        return session

    def process_utterance(
        self,
        *steps: Step,
        utterance: str = "u1",
        attempt: int = 1,
        audio: str = "",
        **settings: Any,
    ) -> Outcome | None:
        """Send an attempt at an utterance, by default one second of silence, and process it.

        The steps, if there are any, are the script of the next stream. `settings` are fields of the message that opens
        the session.
        """
        if steps:
            self.transcribe.scripts.append(steps)
        if self.sessions.read("c1") is None:
            self.open_session(**settings)
        answer = self.send_utterance(utterance, attempt, audio=audio)
        assert (answer["type"], answer["done"]) == ("accepted", False), answer
        return self.process_event(self.events[-1])

    def process_event(self, event: ProcessorEvent) -> Outcome | None:
        return self.processor.handle(json.loads(event.model_dump_json()))

    def start(self, event: ProcessorEvent) -> None:
        """Start the attempt of an event, as an invocation does that is then killed."""
        start = partial(Session.start, name=event.utterance, attempt=event.attempt, now_ms=self.clock())
        self.sessions.change(event.session_id, start)

    def slow_down_posts(self, milliseconds: int) -> None:
        """Let the delivery of each caption to the client take this time."""

        def advance_clock(_connection: str, message: Any) -> None:
            self.clock.now_ms += milliseconds if message.type == "caption" else 0

        self.clients.before_post = advance_clock

    def messages(self, kind: str, connection: str = "c1") -> list[dict[str, Any]]:
        """Return the messages of a kind that the client received."""
        return self.clients.sent_to(connection, kind)

    def last_messages(self, connection: str = "c1") -> list[dict[str, Any]]:
        """Return the messages about the ends of attempts."""
        return [*self.messages("done", connection), *self.messages("failed", connection)]

    def captions(self, connection: str = "c1") -> list[tuple[str, str]]:
        """Return the captions that the client received: the text, and `partial` or `final`."""
        captions = self.messages("caption", connection)
        return [(caption["text"], "final" if caption["final"] else "partial") for caption in captions]

    def metrics(self) -> dict[str, float]:
        """Return the value of each metric, or the number of its values if it was put with several."""
        data = [datum for call in self.put_metric_data.call_args_list for datum in call.kwargs["MetricData"]]
        return {datum["MetricName"]: datum.get("Value", len(datum.get("Values", ""))) for datum in data}

    def shown_lines(self, connection: str = "c1") -> list[str]:
        """Return the lines that the client shows after it has received all messages."""
        screen = Screen()
        for message in self.clients.inbox.get(connection, []):
            screen.apply(message)
        return screen.text()

    def _handle_event(self, connection: str, kind: str, route: str, **fields: Any) -> dict[str, Any]:
        context = {"connectionId": connection, "eventType": kind, "routeKey": route, "requestId": "r1"}
        return self.router.handle({"requestContext": context, **fields})

    def invoke_processor(self, event: ProcessorEvent) -> None:
        if self.invocation_error is not None:
            raise self.invocation_error
        self.events.append(event)


def silence(seconds: float) -> str:
    """Return silence as base64 of samples at 16 kHz."""
    return base64.b64encode(bytes(2 * round(16_000 * seconds))).decode()

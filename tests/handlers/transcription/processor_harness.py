"""Harness for tests of the audio processor, the Lambda function that transcribes one utterance in each invocation.

An utterance is a few seconds of speech. The router, the function that answers clients, reserves one of the session's
slots for it before it invokes the processor. In the harness, both tables are moto's, and all other peers are fakes.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from components.settings import TranscriptionSettings
from handlers.common.logging import EventLog
from handlers.transcription.audio import Encoding, Utterance
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.utterance_processor import OpenStream, UtteranceProcessor
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import LiveTable
from handlers.transcription.messages import ProcessorEvent
from handlers.transcription.names_shared_with_deployment import LATENCY_METRIC
from handlers.transcription.router.client_message_handler import MAX_START_MS
from handlers.transcription.session_table import Session, SessionStatus, SessionTable
from handlers.transcription.session_utterance_state import SessionUtterances, SlotDecision, SlotOutcome
from local.flows.transcription_client import Screen
from tests.handlers.transcription.caption_samples import DEFAULT_THRESHOLDS
from tests.handlers.transcription.router_harness import (
    LIVE_TABLE_NAME,
    SESSION_TABLE_NAME,
    START_MS,
    Clients,
    Clock,
    PeerDelays,
    ScriptedTranscribe,
    SlowAwsClient,
    Step,
    silence,
    transcript_payload,
)

SESSION_ID = "01M7W8GQNQY865WCQPRM59D2J7"


@dataclass
class CloudWatch:
    """Fake CloudWatch client that keeps the metrics that were put."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    """Error of each call; None if calls succeed."""

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    @property
    def values(self) -> dict[str, float]:
        """Return the value of each metric, or the number of its values if it was put with several."""
        data = [datum for call in self.calls for datum in call["MetricData"]]
        return {datum["MetricName"]: datum.get("Value", sum(datum.get("Counts", []))) for datum in data}

    @property
    def latencies_ms(self) -> list[float]:
        """Return all latencies, sorted."""
        data = [datum for call in self.calls for datum in call["MetricData"] if datum["MetricName"] == LATENCY_METRIC]
        value_counts = [pair for datum in data for pair in zip(datum["Values"], datum["Counts"], strict=True)]
        return [value for value, count in value_counts for _ in range(int(count))]


LAST_RESULTS_MS = TranscriptionSettings().last_results_ms


@dataclass
class ProcessorHarness:
    """Audio processor with one open session of one client, who is connected on connection `c1`."""

    dynamodb: Any
    scripts: list[Any] = field(default_factory=list)
    """Script of each stream of Amazon Transcribe: its steps, or the failure to open it."""
    settings: SessionSettings = field(default_factory=SessionSettings)
    """Settings of the session."""
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    slot: SlotDecision = field(default_factory=lambda: SlotDecision(SlotOutcome.TAKEN, attempt=1))
    """Answer to the last request for a slot. Each attempt to transcribe an utterance needs a slot."""
    accepted_ms: int = START_MS
    """Time at which the utterance got its slot."""
    delays: PeerDelays = field(default_factory=PeerDelays)
    last_results_ms: int = LAST_RESULTS_MS
    open_stream: OpenStream | None = None
    """Function that opens real streams. If it is None, the streams follow the scripts."""

    def __post_init__(self) -> None:
        dynamodb: Any = SlowAwsClient(self.dynamodb, self.clock, self.delays.calling_ms)
        self.live = LiveTable(dynamodb, LIVE_TABLE_NAME, self.clock)
        self.sessions = SessionTable(dynamodb, SESSION_TABLE_NAME)
        self.transcribe = ScriptedTranscribe(self.clock, self.scripts, self.delays)
        self._open_session()

    @cached_property
    def processor(self) -> UtteranceProcessor:
        """The processor. It is created at its first use in a test, because its logger keeps the standard output of that
        time."""
        open_scripted_stream: Any = self.transcribe.open
        clients: Any = SlowAwsClient(self.clients, self.clock, self.delays.calling_ms)
        cloudwatch: Any = SlowAwsClient(self.cloudwatch, self.clock, self.delays.calling_ms)
        return UtteranceProcessor(
            self.sessions,
            self.live,
            clients,
            UtteranceMetrics(cloudwatch, "processor"),
            thresholds=DEFAULT_THRESHOLDS,
            last_results_ms=self.last_results_ms,
            open_stream=self.open_stream or open_scripted_stream,
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
        )

    def _open_session(self) -> None:
        """Store an open session."""
        self.sessions.add(
            Session(
                session_id=SESSION_ID,
                owner="ann",
                status=SessionStatus.OPEN,
                language="en-US",
                encoding=Encoding.PCM,
                sample_rate=16_000,
                settings=self.settings,
                secret="not to be guessed",
                created_at="2026-01-01T00:00:00.000Z",
                ends_at=START_MS // 1000 + 3600,
            )
        )

    def process_utterance(
        self, *steps: Step, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **event_fields: Any
    ) -> UtteranceEnd | None:
        """Take a slot for an utterance of this length and invoke the processor.

        The steps, if there are any, are the script of the next stream. `remaining_ms` is the time until the function's
        timeout. `event_fields` replaces fields of the router's event, for example `utterance_attempt`.
        """
        if steps:
            self.scripts.append(steps)
        self.take_slot(utterance)
        return self.invoke(utterance, seconds, remaining_ms, **event_fields)

    def take_slot(self, utterance: str, connection: str = "c1") -> SlotDecision:
        """Request a slot for an attempt at the utterance, as the router does, and return the answer."""
        self.accepted_ms = now_ms = self.clock()
        self.slot = self.live.change_utterances(
            SESSION_ID,
            lambda item: item.move(connection, ()).take_slot(
                utterance, overdue_ms=now_ms + MAX_START_MS, max_slots=8, now_ms=now_ms
            ),
        )
        return self.slot

    def slow_down_posts(self, milliseconds: int) -> None:
        """Let the delivery of each caption to the client take this time."""

        def advance_clock(_connection: str, message: Any) -> None:
            self.clock.now_ms += milliseconds if message.type == "caption" else 0

        self.clients.before_post = advance_clock

    def invoke(
        self, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **event_fields: Any
    ) -> UtteranceEnd | None:
        """Invoke the processor for the attempt of the last slot, as the router does.

        The audio is silence. `event_fields` replaces fields of the event.
        """
        fields = {
            "session_id": SESSION_ID,
            "utterance": utterance,
            "attempt": self.slot.attempt,
            "utterance_attempt": self.slot.utterance_attempt,
            "from_ms": self.slot.from_ms,
            "accepted_ms": self.accepted_ms,
            "sequence": 1,
            "audio": silence(seconds),
            **event_fields,
        }
        event = json.loads(ProcessorEvent(**fields).model_dump_json())
        return self.processor.handle(event, remaining_ms)

    def messages(self, kind: str, connection: str = "c1") -> list[Any]:
        """Return the messages of a kind that the client received."""
        return self.clients.sent_to(connection, kind)

    def captions(self, connection: str = "c1") -> list[tuple[str, str]]:
        """Return the captions that the client received: the text, and `partial` or `final`."""
        captions = self.messages("caption", connection)
        return [(caption["text"], "final" if caption["final"] else "partial") for caption in captions]

    def retracted_results(self, connection: str = "c1") -> list[str]:
        """Return the id of the result in each message that asks the client to remove a line."""
        return [message["resultId"] for message in self.messages("retract", connection)]

    def resend_requests(self, connection: str = "c1") -> list[Any]:
        """Return the list of utterances in each message that asks the client to send them again."""
        return [message["utterances"] for message in self.messages("resend", connection)]

    def shown_lines(self, connection: str = "c1") -> list[str]:
        """Return the lines that the client shows after it has received all messages."""
        screen = Screen()
        for message in self.clients.inbox.get(connection, []):
            screen.apply(message)
        return screen.text()

    def call_before_each_stream(self, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
        """Call the action right before each stream opens."""
        open_stream = self.transcribe.open

        def act_and_open(*arguments: Any) -> Any:
            action()
            return open_stream(*arguments)

        monkeypatch.setattr(self.transcribe, "open", act_and_open)

    @property
    def utterances(self) -> SessionUtterances:
        """Return the session's slots, its ended utterances, and those that the client must send again (`resends`)."""
        return self.live.utterances(SESSION_ID)

    def change_utterances(self, change: Callable[[SessionUtterances], SessionUtterances]) -> None:
        """Change the session's utterances, as the router or another invocation does."""
        self.live.change_utterances(SESSION_ID, lambda item: (change(item), None))


STREAM_END: Step = (1_200, None)
"""Step at which Amazon Transcribe closes the stream normally, 200 ms after the audio of a one-second utterance."""


def partial_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a partial, a text of a result that may still change.

    `when_ms` is the time since the stream opened. `fields` are parameters of `transcript_payload`.
    """
    return when_ms, transcript_payload(result_id, text, final=False, **fields)


def final_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a final, the last text of a result. The parameters are those of `partial_at`."""
    return when_ms, transcript_payload(result_id, text, final=True, **fields)


def use_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str, seconds: int = 1) -> None:
    """Replace the audio of every utterance by ten chunks for each second, in this encoding, without validation."""
    chunks = (b"x",) * 10 * seconds
    audio = Utterance(Encoding(encoding), 1_000 * seconds, chunks)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_processor.check_utterance", lambda *_: audio)

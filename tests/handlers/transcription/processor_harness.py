"""Audio processor with fakes for everything that it calls, and one session with an utterance."""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from handlers.common.logging import EventLog
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.utterance_processor import OpenStream, UtteranceProcessor
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.live_table import LiveTable
from handlers.transcription.names_shared_with_deployment import LATENCY_METRIC
from handlers.transcription.session_table import Session, SessionStatus, SessionTable
from handlers.transcription.session_utterance_state import SessionUtterances, SlotDecision
from handlers.transcription.utterance_audio_validation import Encoding, Utterance
from local.flows.transcription_client import Screen
from tests.handlers.transcription.caption_samples import DEPLOYED
from tests.handlers.transcription.router_harness import (
    LIVE,
    SESSIONS,
    START_MS,
    Clients,
    Clock,
    PeerDelays,
    ScriptedTranscribe,
    SlowAwsClient,
    Step,
    silence,
    transcript,
)

SESSION = "01M7W8GQNQY865WCQPRM59D2J7"


@dataclass
class CloudWatch:
    """Fake CloudWatch client that keeps the metrics."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    failing: Exception | None = None

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self.failing is not None:
            raise self.failing

    @property
    def values(self) -> dict[str, float]:
        """Return the sum of each metric, or its number of values."""
        data = [datum for call in self.calls for datum in call["MetricData"]]
        return {datum["MetricName"]: datum.get("Value", sum(datum.get("Counts", []))) for datum in data}

    @property
    def latencies_ms(self) -> list[float]:
        """Return all latencies, sorted."""
        data = [datum for call in self.calls for datum in call["MetricData"] if datum["MetricName"] == LATENCY_METRIC]
        counted = [pair for datum in data for pair in zip(datum["Values"], datum["Counts"], strict=True)]
        return [value for value, times in counted for _ in range(int(times))]


@dataclass
class ProcessorHarness:
    """One client on connection `c1` with one session."""

    dynamodb: Any
    scripts: list[Any] = field(default_factory=list)
    settings: SessionSettings = field(default_factory=SessionSettings)
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    attempt: int = 1
    accepted_ms: int = START_MS
    """Time at which the utterance got its slot."""
    delays: PeerDelays = field(default_factory=PeerDelays)
    """Delays of all peers."""
    open_stream: OpenStream | None = None
    """Opens streams instead of the scripts."""
    session_open: bool = True

    def __post_init__(self) -> None:
        dynamodb: Any = SlowAwsClient(self.dynamodb, self.clock, self.delays.calling_ms)
        self.live = LiveTable(dynamodb, LIVE, self.clock)
        self.sessions = SessionTable(dynamodb, SESSIONS)
        self.transcribe = ScriptedTranscribe(self.clock, self.scripts, self.delays)
        if self.session_open:
            self._open()

    @cached_property
    def processor(self) -> UtteranceProcessor:
        """Created in the test that first uses it, because a logger keeps the standard output that it finds."""
        scripted: Any = self.transcribe.open
        clients: Any = SlowAwsClient(self.clients, self.clock, self.delays.calling_ms)
        cloudwatch: Any = SlowAwsClient(self.cloudwatch, self.clock, self.delays.calling_ms)
        return UtteranceProcessor(
            self.sessions,
            self.live,
            clients,
            UtteranceMetrics(cloudwatch, "processor"),
            thresholds=DEPLOYED,
            open_stream=self.open_stream or scripted,
            clock_ms=self.clock,
            log=EventLog("DEBUG"),
        )

    def _open(self) -> None:
        """Store an open session."""
        self.sessions.add(
            Session(
                session_id=SESSION,
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
        self, *steps: Step, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **work: Any
    ) -> UtteranceEnd | None:
        """Process an utterance. The next stream follows these steps, if any are given."""
        if steps:
            self.scripts.append(steps)
        self.take(utterance)
        return self.call(utterance, seconds, remaining_ms, **work)

    def take(self, utterance: str, connection: str = "c1") -> SlotDecision:
        """Take a slot for the utterance, as the router does, and return the decision."""
        overdue_ms = self.clock() + 20_000

        def offer(slots: SessionUtterances) -> tuple[SessionUtterances, SlotDecision]:
            return slots.note_message(connection, self.clock()).take_slot(utterance, overdue_ms, 8, self.clock())

        taken = self.live.change_utterances(SESSION, offer)
        self.attempt, self.accepted_ms = taken.attempt, self.clock()
        return taken

    def slow_down_posts(self, milliseconds: int) -> None:
        """Let each post of a caption take some time."""

        def wait(_connection: str, message: Any) -> None:
            self.clock.now_ms += milliseconds if message.type == "caption" else 0

        self.clients.before_post = wait

    def call(
        self, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **work: Any
    ) -> UtteranceEnd | None:
        """Invoke the processor."""
        event = {
            "session_id": SESSION,
            "utterance": utterance,
            "attempt": self.attempt,
            "accepted_ms": self.accepted_ms,
            "sequence": 1,
            "audio": silence(seconds),
            **work,
        }
        return self.processor.handle(event, remaining_ms)

    def sent_messages(self, kind: str = "caption", connection: str = "c1") -> list[Any]:
        """Return the messages that the client received; captions as pairs of text and final."""
        sent = self.clients.sent_to(connection, kind)
        return [(message["text"], message["final"]) for message in sent] if kind == "caption" else sent

    def shown_lines(self, connection: str = "c1") -> Screen:
        """Return the lines that the client shows."""
        made = Screen()
        for message in self.clients.inbox.get(connection, []):
            made.apply(message)
        return made

    def before_stream(self, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
        """Call the action right before each stream opens."""
        open_stream = self.transcribe.open

        def opening(*given: Any) -> Any:
            action()
            return open_stream(*given)

        monkeypatch.setattr(self.transcribe, "open", opening)

    @property
    def utterances(self) -> SessionUtterances:
        """Return the session's slots, ended utterances and pending resends."""
        return self.live.utterances(SESSION)

    def change_utterances(self, change: Callable[[SessionUtterances], SessionUtterances]) -> None:
        """Change the session's utterances, as the router or another invocation does."""
        self.live.change_utterances(SESSION, lambda item: (change(item), None))


ENDED: Step = (1_200, None)
"""Step at which the service closes the stream, a moment after a second of audio."""


def partial(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    """Return a step with a partial result."""
    return when_ms, transcript(result_id, text, final=False, **more)


def final(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    """Return a step with a final."""
    return when_ms, transcript(result_id, text, final=True, **more)


def use_recording(monkeypatch: pytest.MonkeyPatch, encoding: str, seconds: int = 1) -> None:
    """Let the processor use this audio for every utterance."""
    spoken = Utterance(Encoding(encoding), 16_000, 1_000 * seconds, (b"x",) * 10 * seconds)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_processor.check_utterance", lambda *_: spoken)

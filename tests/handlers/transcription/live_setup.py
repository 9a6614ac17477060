"""A processor with everything that it talks to, and one session with an utterance on its way to it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pytest

from handlers.common.logging import EventLog
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from handlers.transcription.audio_processor.utterance_processor import OpenStream, UtteranceProcessor
from handlers.transcription.audio_processor.utterance_transcription import UtteranceEnd
from handlers.transcription.caption_thresholds import SessionSettings
from handlers.transcription.environment import LATENCY_METRIC
from handlers.transcription.live_table import LiveTable, session_slots_key
from handlers.transcription.sessions import Session, SessionStatus, SessionTable
from handlers.transcription.utterance_audio import Encoding, Utterance
from handlers.transcription.utterance_slots import SessionSlots, SlotDecision
from local.flows.transcription_client import Screen
from tests.handlers.transcription.captioning import DEPLOYED
from tests.handlers.transcription.router_setup import (
    LIVE,
    SESSIONS,
    START_MS,
    Calling,
    Clients,
    Clock,
    Pace,
    Step,
    Transcribe,
    silence,
    transcript,
)

SESSION = "01M7W8GQNQY865WCQPRM59D2J7"


@dataclass
class CloudWatch:
    """Keeps what it is told."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    failing: Exception | None = None

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self.failing is not None:
            raise self.failing

    @property
    def values(self) -> dict[str, float]:
        """Metric → its sum, or how many values it has."""
        data = [one for call in self.calls for one in call["MetricData"]]
        return {one["MetricName"]: one.get("Value", sum(one.get("Counts", []))) for one in data}

    @property
    def latencies_ms(self) -> list[float]:
        """How late captions were, in the order of lateness."""
        data = [one for call in self.calls for one in call["MetricData"] if one["MetricName"] == LATENCY_METRIC]
        counted = [pair for one in data for pair in zip(one["Values"], one["Counts"], strict=True)]
        return [value for value, times in counted for _ in range(int(times))]


@dataclass
class Booth:
    """One client, `c1`, with one session."""

    dynamodb: Any
    scripts: list[Any] = field(default_factory=list)
    settings: SessionSettings = field(default_factory=SessionSettings)
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    attempt: int = 1
    accepted_ms: int = START_MS
    """When the utterance got its place."""
    pace: Pace = field(default_factory=Pace)
    """Of everybody that the processor talks to."""
    open_stream: OpenStream | None = None
    """Instead of scripts."""

    def __post_init__(self) -> None:
        dynamodb: Any = Calling(self.dynamodb, self.clock, self.pace.calling_ms)
        self.live = LiveTable(dynamodb, LIVE, self.clock)
        self.sessions = SessionTable(dynamodb, SESSIONS, self.clock)
        self.transcribe = Transcribe(self.clock, self.scripts, self.pace)

    @cached_property
    def processor(self) -> UtteranceProcessor:
        """Made by the test that first uses it: a logger holds on to the standard output that it finds."""
        scripted: Any = self.transcribe.open
        clients: Any = Calling(self.clients, self.clock, self.pace.calling_ms)
        cloudwatch: Any = Calling(self.cloudwatch, self.clock, self.pace.calling_ms)
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

    def open(self) -> None:
        """The session."""
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

    def hears(
        self, *steps: Step, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **work: Any
    ) -> UtteranceEnd | None:
        """An utterance is handed over; the next stream goes by these steps, if any are given."""
        if steps:
            self.scripts.append(steps)
        self.take(utterance)
        return self.call(utterance, seconds, remaining_ms, **work)

    def take(self, utterance: str, connection: str = "c1") -> SlotDecision:
        """Gives the utterance its place, as the router does; what is known of earlier attempts at it."""
        overdue_ms = self.clock() + 20_000

        def offer(flight: SessionSlots) -> tuple[SessionSlots, SlotDecision]:
            return flight.note_message(connection, self.clock()).take_slot(utterance, overdue_ms, 8, self.clock())

        taken = self.live.change(SessionSlots, session_slots_key(SESSION), offer)
        self.attempt, self.accepted_ms = taken.attempt, self.clock()
        return taken

    def shows_slowly(self, monkeypatch: pytest.MonkeyPatch, milliseconds: int) -> None:
        """Each caption takes so long to be posted."""
        post = self.clients.post

        def slow(connection: str, message: Any) -> bool:
            self.clock.now_ms += milliseconds if message.type == "caption" else 0
            return post(connection, message)

        monkeypatch.setattr(self.clients, "post", slow)

    def call(
        self, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **work: Any
    ) -> UtteranceEnd | None:
        """Calls the processor."""
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

    def said(self, kind: str = "caption", connection: str = "c1") -> list[Any]:
        """What the client was sent; captions as (text, final)."""
        sent = self.clients.of(connection, kind)
        return [(one["text"], one["final"]) for one in sent] if kind == "caption" else sent

    def screen(self, connection: str = "c1") -> Screen:
        """What the client shows of it."""
        made = Screen()
        for message in self.clients.inbox.get(connection, []):
            made.take(message)
        return made

    @property
    def flight(self) -> SessionSlots:
        """What is in the air."""
        return self.live.read(SessionSlots, session_slots_key(SESSION))


ENDED: Step = (1_200, None)
"""The service closes the stream, a moment after a second of audio."""


def partial(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    """A partial result, and when it comes."""
    return when_ms, transcript(result_id, text, final=False, **more)


def final(when_ms: int, text: str, result_id: str = "r1", **more: Any) -> Step:
    """A final, and when it comes."""
    return when_ms, transcript(result_id, text, final=True, **more)


def recorded(monkeypatch: pytest.MonkeyPatch, encoding: str, seconds: int = 1) -> None:
    """Whatever audio an utterance has, it is taken for this."""
    spoken = Utterance(Encoding(encoding), 16_000, 1_000 * seconds, (b"x",) * 10 * seconds)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_processor.check_utterance", lambda *_: spoken)

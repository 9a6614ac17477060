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
    """Fake CloudWatch client that keeps the metrics."""

    calls: list[dict[str, Any]] = field(default_factory=list)
    error: Exception | None = None
    """Error of each call; None if calls succeed."""

    def put_metric_data(self, **call: Any) -> None:
        self.calls.append(call)
        if self.error is not None:
            raise self.error

    @property
    def values(self) -> dict[str, float]:
        """Return the sum of each metric, or the number of its values if it has several."""
        data = [datum for call in self.calls for datum in call["MetricData"]]
        return {datum["MetricName"]: datum.get("Value", sum(datum.get("Counts", []))) for datum in data}

    @property
    def latencies_ms(self) -> list[float]:
        """Return all latencies, sorted."""
        data = [datum for call in self.calls for datum in call["MetricData"] if datum["MetricName"] == LATENCY_METRIC]
        value_counts = [pair for datum in data for pair in zip(datum["Values"], datum["Counts"], strict=True)]
        return [value for value, count in value_counts for _ in range(int(count))]


@dataclass
class ProcessorHarness:
    """Audio processor with real tables and fakes of all other peers. One client on connection `c1` has one session."""

    dynamodb: Any
    scripts: list[Any] = field(default_factory=list)
    """What Amazon Transcribe does with each stream: steps, or the failure to open the stream."""
    settings: SessionSettings = field(default_factory=SessionSettings)
    """Settings of the session."""
    clock: Clock = field(default_factory=Clock)
    clients: Clients = field(default_factory=Clients)
    cloudwatch: CloudWatch = field(default_factory=CloudWatch)
    attempt: int = 1
    """Attempt of the last slot that was taken."""
    accepted_ms: int = START_MS
    """Time at which the utterance got its slot."""
    delays: PeerDelays = field(default_factory=PeerDelays)
    open_stream: OpenStream | None = None
    """Opens streams instead of the scripts."""
    has_session: bool = True

    def __post_init__(self) -> None:
        dynamodb: Any = SlowAwsClient(self.dynamodb, self.clock, self.delays.calling_ms)
        self.live = LiveTable(dynamodb, LIVE_TABLE_NAME, self.clock)
        self.sessions = SessionTable(dynamodb, SESSION_TABLE_NAME)
        self.transcribe = ScriptedTranscribe(self.clock, self.scripts, self.delays)
        if self.has_session:
            self._open_session()

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
            thresholds=DEFAULT_THRESHOLDS,
            open_stream=self.open_stream or scripted,
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
        """Take a slot and invoke the processor. The steps, if there are any, are the script of the next stream."""
        if steps:
            self.scripts.append(steps)
        self.take_slot(utterance)
        return self.invoke(utterance, seconds, remaining_ms, **event_fields)

    def take_slot(self, utterance: str, connection: str = "c1") -> SlotDecision:
        """Take a slot for the utterance, as the router does, and return the decision."""
        overdue_ms = self.clock() + 20_000

        def take(utterances: SessionUtterances) -> tuple[SessionUtterances, SlotDecision]:
            return utterances.note_message(connection, self.clock()).take_slot(utterance, overdue_ms, 8, self.clock())

        decision = self.live.change_utterances(SESSION_ID, take)
        self.attempt, self.accepted_ms = decision.attempt, self.clock()
        return decision

    def slow_down_posts(self, milliseconds: int) -> None:
        """Let each post of a caption take some time."""

        def wait(_connection: str, message: Any) -> None:
            self.clock.now_ms += milliseconds if message.type == "caption" else 0

        self.clients.before_post = wait

    def invoke(
        self, utterance: str = "u1", seconds: float = 1, remaining_ms: int = 60_000, **event_fields: Any
    ) -> UtteranceEnd | None:
        """Invoke the processor with an utterance of silence, unless `event_fields` contains other audio."""
        event = {
            "session_id": SESSION_ID,
            "utterance": utterance,
            "attempt": self.attempt,
            "accepted_ms": self.accepted_ms,
            "sequence": 1,
            "audio": silence(seconds),
            **event_fields,
        }
        return self.processor.handle(event, remaining_ms)

    def messages(self, kind: str, connection: str = "c1") -> list[Any]:
        """Return the messages of a kind that the client received."""
        return self.clients.sent_to(connection, kind)

    def captions(self, connection: str = "c1") -> list[tuple[str, str]]:
        """Return the captions that the client received: the text, and `partial` or `final`."""
        captions = self.messages("caption", connection)
        return [(caption["text"], "final" if caption["final"] else "partial") for caption in captions]

    def retracted_results(self, connection: str = "c1") -> list[str]:
        """Return the ids of the results whose lines the client was asked to remove."""
        return [message["resultId"] for message in self.messages("retract", connection)]

    def resend_requests(self, connection: str = "c1") -> list[Any]:
        """Return the list of utterances in each message that asks the client to send them again."""
        return [message["utterances"] for message in self.messages("resend", connection)]

    def shown_lines(self, connection: str = "c1") -> list[str]:
        """Return the lines that the client shows after all messages."""
        screen = Screen()
        for message in self.clients.inbox.get(connection, []):
            screen.apply(message)
        return screen.text()

    def before_stream(self, monkeypatch: pytest.MonkeyPatch, action: Callable[[], object]) -> None:
        """Call the action right before each stream opens."""
        open_stream = self.transcribe.open

        def act_and_open(*arguments: Any) -> Any:
            action()
            return open_stream(*arguments)

        monkeypatch.setattr(self.transcribe, "open", act_and_open)

    @property
    def utterances(self) -> SessionUtterances:
        """Return the session's slots, ended utterances and pending resends."""
        return self.live.utterances(SESSION_ID)

    def change_utterances(self, change: Callable[[SessionUtterances], SessionUtterances]) -> None:
        """Change the session's utterances, as the router or another invocation does."""
        self.live.change_utterances(SESSION_ID, lambda item: (change(item), None))


STREAM_END: Step = (1_200, None)
"""Step at which the service closes the stream, a moment after a second of audio."""


def partial_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a partial at this time of the stream."""
    return when_ms, transcript_payload(result_id, text, final=False, **fields)


def final_at(when_ms: int, text: str, result_id: str = "r1", **fields: Any) -> Step:
    """Return a step that delivers a final at this time of the stream."""
    return when_ms, transcript_payload(result_id, text, final=True, **fields)


def use_encoding(monkeypatch: pytest.MonkeyPatch, encoding: str, seconds: int = 1) -> None:
    """Let every utterance have this encoding and length, and ten chunks in each second."""
    audio = Utterance(Encoding(encoding), 16_000, 1_000 * seconds, (b"x",) * 10 * seconds)
    monkeypatch.setattr("handlers.transcription.audio_processor.utterance_processor.check_utterance", lambda *_: audio)

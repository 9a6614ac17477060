"""In-memory fakes of the gateways that the fact-check agent's worker uses, and a harness with the worker.

The worker analyzes one window of a transcript for each queue message. A window is a section of the transcript, and its
findings are claims and clips. Texts with "canary" must not be logged.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.common.aws import RetryTiming, ServiceFailed, ServiceFault
from handlers.common.bedrock import ConverseRequest, ModelReply, TokenUsage
from handlers.common.logging import EventLog
from handlers.common.text import WindowSizes
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.fact_check_agent.answer_verification import VerifiedAnswer
from handlers.livestream.fact_check_agent.model_request import MemoryEvent, RequestSettings
from handlers.livestream.fact_check_agent.transcript_window_analysis import AgentServices, WindowWorker
from handlers.livestream.findings_table import WindowFailure
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.transcript_window_queue import WindowMessage, window_messages
from tests.handlers.livestream.transcript_file_writers import srt

OWNER, EPISODE, UPLOAD = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X", "01HZXW3V9K8Q2M4N6P8R0T2V4Y"
KEY = f"transcripts/{OWNER}/{EPISODE}/{UPLOAD}.srt"
CUES = (
    Cue(0, 6_000, "We ran 600 ferries last spring."),
    Cue(6_000, 12_000, "Nobody in the canary islands did more."),
    Cue(12_000, 20_000, "It is the largest fleet that ever was."),
)
SIZES = WindowSizes(characters=60, milliseconds=60_000, overlap_characters=10)
"""Sizes that give two windows. Each has one cue in its core and the next one as overlap."""
REMAINING_MS = 120_000
"""Remaining time of an invocation, by default."""
MEMORY_EVENT = MemoryEvent("0000000001#ab", "The report that was read has 410 ferries, so 600 is refuted.")

AnswerFunction = Callable[[dict[str, Any]], str]
"""Function that returns the model's answer, given the window line of the request."""


def request_lines(request: ConverseRequest) -> list[dict[str, Any]]:
    """Return the JSON lines of a request: the window, the memories and the cues."""
    blocks = [block["text"] for block in request["messages"][0]["content"]]
    return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


def claim(quote: str, **changes: Any) -> dict[str, Any]:
    """Return a claim as the model states it in its answer."""
    values = {"quote": quote, "statement": "They say so.", "verdict": "unverified", "confidence": 0.5, "sources": []}
    return {**values, **changes}


def answer_with(
    *claims: dict[str, Any], clips: Sequence[dict[str, Any]] = (), window: str | None = None
) -> AnswerFunction:
    """Return a function that answers with these claims and clips."""

    def build_answer(window_line: dict[str, Any]) -> str:
        return json.dumps({"window": window or window_line["window"], "claims": claims, "clips": list(clips)})

    return build_answer


@dataclass
class FakeTranscripts:
    """Bucket with transcripts by key and version. A test sets the objects."""

    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def read(self, key: str, version: str) -> bytes | None:
        return self.objects.get((key, version))


@dataclass
class FakeMemory:
    """AgentCore memory with the events that `recall` returns. A test inspects the stored windows."""

    events: list[MemoryEvent] = field(default_factory=list)
    stored_windows: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    """Actor, session, text of the window, and its findings, by window id."""
    faults: list[ServiceFault | None] = field(default_factory=list)
    """Faults of the next calls; None lets a call succeed."""

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        assert (actor, session) == (OWNER, EPISODE)
        self._fail()
        return list(self.events)

    def store_window(self, actor: str, session: str, window_id: str, window_text: str, findings: str) -> None:
        self._fail()
        self.stored_windows.setdefault(window_id, (actor, session, window_text, findings))

    def _fail(self) -> None:
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise ServiceFailed(fault)


@dataclass
class FakeModel:
    """Model that follows a script. Each entry is an answer, an answer together with a stop reason, or a fault. The last
    entry is repeated.
    """

    script: list[AnswerFunction | ServiceFault | tuple[AnswerFunction, str]] = field(
        default_factory=lambda: [answer_with()]
    )
    requests: list[ConverseRequest] = field(default_factory=list)

    def converse(self, request: ConverseRequest) -> ModelReply:
        self.requests.append(request)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, ServiceFault):
            raise ServiceFailed(entry)
        build_answer, stop_reason = entry if isinstance(entry, tuple) else (entry, "end_turn")
        return ModelReply(build_answer(request_lines(request)[0]), TokenUsage(100, 10, 1_000, 1), stop_reason)


@dataclass
class FakeFindings:
    """Store of findings by id, and of outcomes by window id. Existing entries stay unchanged."""

    claims: dict[str, Claim] = field(default_factory=dict)
    clips: dict[str, Clip] = field(default_factory=dict)
    outcomes: dict[str, WindowFailure | None] = field(default_factory=dict)
    fails_to_save: bool = False
    faults: list[ServiceFault] = field(default_factory=list)
    """Faults of the next calls."""

    def finish_if_done(self, window: WindowMessage) -> bool:
        return window.window_id in self.outcomes

    def save_findings(self, window: WindowMessage, result: VerifiedAnswer) -> None:
        if self.fails_to_save:
            raise RuntimeError("canary")
        if self.faults:
            raise ServiceFailed(self.faults.pop(0))
        for finding in result.claims:
            self.claims.setdefault(finding.claim_id, finding)
        for clip in result.clips:
            self.clips.setdefault(clip.clip_id, clip)
        self.outcomes.setdefault(window.window_id, None)

    def save_failure(self, window: WindowMessage, failure: WindowFailure) -> None:
        self.outcomes.setdefault(window.window_id, failure)


@dataclass
class WindowWorkerHarness:
    """Worker with fakes for all gateways, and a clock that advances only during pauses."""

    transcripts: FakeTranscripts = field(default_factory=lambda: FakeTranscripts({(KEY, "v1"): srt(CUES).encode()}))
    memory: FakeMemory = field(default_factory=FakeMemory)
    model: FakeModel = field(default_factory=FakeModel)
    findings: Any = field(default_factory=FakeFindings)
    now: float = 1_000.0
    pauses: list[float] = field(default_factory=list)
    answer_seconds: int = 50

    def worker(self) -> WindowWorker:
        gateways: Any = (self.transcripts, self.memory, self.model, self.findings)  # fakes of concrete classes
        services = AgentServices(*gateways)
        settings = RequestSettings(
            max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000, answer_seconds=self.answer_seconds
        )
        timing = RetryTiming(lambda: self.now, self._wait, lambda: 1.0)
        return WindowWorker(services, settings, EventLog("DEBUG"), timing)

    def _wait(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds


def message_bodies(version: str = "v1", count: int = 2, sizes: WindowSizes = SIZES) -> list[str]:
    """Return the queue messages of all windows of the transcript."""
    return [
        message.model_dump_json(by_alias=True)
        for message in window_messages(OWNER, EPISODE, KEY, version, count, sizes)
    ]

"""Everything that the agent's worker rests on, in memory, and the worker on top of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.common.aws.retry import RetryTiming
from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.bedrock.converse import ConverseRequest, ModelReply, TokenUsage
from handlers.common.logging import EventLog
from handlers.common.text.text_windows import WindowSizes
from handlers.livestream.agent.answer_verification import Checked
from handlers.livestream.agent.model_request import Asking, MemoryEvent
from handlers.livestream.agent.window_worker import AgentWorker, Services
from handlers.livestream.api_models import Claim, Clip
from handlers.livestream.findings import WindowFailure
from handlers.livestream.transcript.cues import Cue
from handlers.livestream.window_queue import WindowMessage, messages
from tests.handlers.livestream.transcript_writers import srt

OWNER, EPISODE = "everybody", "01HZXW3V9K8Q2M4N6P8R0T2V4X"
KEY = f"transcripts/{OWNER}/{EPISODE}/01HZXW3V9K8Q2M4N6P8R0T2V4Y.srt"
SAID = (
    Cue(0, 6_000, "We ran 600 ferries last spring."),
    Cue(6_000, 12_000, "Nobody in the canary islands did more."),
    Cue(12_000, 20_000, "It is the largest fleet that ever was."),
)
SIZES = WindowSizes(characters=60, milliseconds=60_000, overlap_characters=10)
"""Two windows: each has one cue in its core, and the next as its overlap."""
REMAINING_MS = 120_000
RECALLED = MemoryEvent("0000000001#ab", "The report that was read has 410 ferries, so 600 is refuted.")

Answering = Callable[[dict[str, Any]], str]
"""What is answered to the prompt's lines."""


def lines(asked: ConverseRequest) -> list[dict[str, Any]]:
    blocks = [block["text"] for block in asked["messages"][0]["content"]]
    return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


def claim(quote: str, **changed: Any) -> dict[str, Any]:
    whole = {"quote": quote, "statement": "They say so.", "verdict": "unverified", "confidence": 0.5, "sources": []}
    return {**whole, **changed}


def said(*claims: dict[str, Any], clips: Sequence[dict[str, Any]] = (), window: str | None = None) -> Answering:
    """An answer of these claims."""

    def answering(head: dict[str, Any]) -> str:
        return json.dumps({"window": window or head["window"], "claims": claims, "clips": list(clips)})

    return answering


@dataclass
class Shelf:
    objects: dict[tuple[str, str], bytes] = field(default_factory=dict)

    def read(self, key: str, version: str) -> bytes | None:
        return self.objects.get((key, version))


@dataclass
class Notebook:
    """The memory: what is recalled, and what was recorded by window."""

    recalled: list[MemoryEvent] = field(default_factory=list)
    recorded: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)
    faults: list[ServiceFault | None] = field(default_factory=list)
    """Of the calls to come; None lets one through."""

    def recall(self, actor: str, session: str) -> Sequence[MemoryEvent]:
        assert (actor, session) == (OWNER, EPISODE)
        self._fail()
        return list(self.recalled)

    def record(self, actor: str, session: str, window_id: str, asked: str, answered: str) -> None:
        self._fail()
        self.recorded.setdefault(window_id, (actor, session, asked, answered))

    def _fail(self) -> None:
        if self.faults and (fault := self.faults.pop(0)) is not None:
            raise ServiceFailed(fault)


@dataclass
class Oracle:
    """The model: answers, texts or faults, one after the other; the last one stays."""

    script: list[Answering | ServiceFault | tuple[Answering, str]] = field(default_factory=lambda: [said()])
    asked: list[ConverseRequest] = field(default_factory=list)

    def converse(self, request: ConverseRequest) -> ModelReply:
        self.asked.append(request)
        next_one = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(next_one, ServiceFault):
            raise ServiceFailed(next_one)
        answering, stop = next_one if isinstance(next_one, tuple) else (next_one, "end_turn")
        return ModelReply(answering(lines(request)[0]), TokenUsage(100, 10, 1_000, 1), stop)


@dataclass
class Ledger:
    """The findings: what is there already stays."""

    claims: dict[str, Claim] = field(default_factory=dict)
    clips: dict[str, Clip] = field(default_factory=dict)
    ended: dict[str, WindowFailure | None] = field(default_factory=dict)
    broken: bool = False
    faults: list[ServiceFault] = field(default_factory=list)
    """Of the calls to come."""

    def done(self, window: WindowMessage) -> bool:
        return window.window_id in self.ended

    def found(self, window: WindowMessage, found: Checked) -> None:
        if self.broken:
            raise RuntimeError("canary")
        if self.faults:
            raise ServiceFailed(self.faults.pop(0))
        for one in found.claims:
            self.claims.setdefault(one.claim_id, one)
        for clip in found.clips:
            self.clips.setdefault(clip.clip_id, clip)
        self.ended.setdefault(window.window_id, None)

    def failed(self, window: WindowMessage, failure: WindowFailure) -> None:
        self.ended.setdefault(window.window_id, failure)


def fake_services(transcripts: Any, memory: Any, model: Any, findings: Any) -> Services:
    """What the worker rests on, with stand-ins for its gateways."""
    return Services(transcripts, memory, model, findings)


@dataclass
class Booth:
    """The worker, and all that is around it."""

    shelf: Shelf = field(default_factory=lambda: Shelf({(KEY, "v1"): srt(SAID).encode()}))
    notebook: Notebook = field(default_factory=Notebook)
    oracle: Oracle = field(default_factory=Oracle)
    ledger: Any = field(default_factory=Ledger)
    at: float = 1_000.0
    waits: list[float] = field(default_factory=list)
    answer_seconds: int = 50

    def worker(self) -> AgentWorker:
        services = fake_services(self.shelf, self.notebook, self.oracle, self.ledger)
        asking = Asking(max_tokens=3_000, clip_min_ms=5_000, clip_max_ms=20_000, answer_seconds=self.answer_seconds)
        timing = RetryTiming(lambda: self.at, self._wait, lambda: 1.0)
        return AgentWorker(services, asking, EventLog("DEBUG"), timing)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds


def bodies(version: str = "v1", count: int = 2, sizes: WindowSizes = SIZES) -> list[str]:
    return [one.model_dump_json(by_alias=True) for one in messages(OWNER, EPISODE, KEY, version, count, sizes)]

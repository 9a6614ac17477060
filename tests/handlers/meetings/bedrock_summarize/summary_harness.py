"""Harness for tests of the summary function: a bucket, models and metrics in memory.

The function joins the outputs of Amazon Transcribe for the parts of the audio to one transcript of segments. It divides
a long transcript into overlapping windows, and asks a model for a summary and for action items of each window.

A request to the model contains the segments as lines of JSON, with their numbers as `said`. The last line names the
task and an id, `part`. The answer must repeat both.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from handlers.common.aws import ParallelCalls, RetryTiming, ServiceFailed, ServiceFault
from handlers.common.bedrock import ConverseRequest, ModelReply, TokenUsage
from handlers.common.logging import EventLog
from handlers.meetings.bedrock_summarize.stored_answers import ModelAccess
from handlers.meetings.bedrock_summarize.stored_summary_models import Summary
from handlers.meetings.bedrock_summarize.stored_transcript_models import Transcript
from handlers.meetings.bedrock_summarize.summarizer import Summarizer, SummarySettings
from handlers.meetings.bedrock_summarize.workflow_event import SummaryRequest, SummaryResult
from handlers.meetings.meeting_bucket import MeetingBucket
from handlers.meetings.metrics import MeetingMetric, MeetingMetrics
from handlers.meetings.s3_keys import MeetingId, Recording
from handlers.meetings.summary_errors import StorageFailed
from tests.handlers.meetings.sample_transcripts import Turn, audio_milliseconds, create_turns, transcribe_output

RECORDING = Recording(MeetingId("A" * 32, "01HZXW3V9K8Q2M4N6P8R0T2V4X"), "0123456789abcdef" * 2)
SONNET, HAIKU = "us.sonnet", "us.haiku"
REMAINING_MS = 900_000
ANSWER_SECONDS = 100
USAGE = TokenUsage(input_tokens=100, output_tokens=10, cache_read_tokens=1_000, cache_write_tokens=1)
"""Tokens of each answer."""
SPOKEN_MEETING = create_turns(
    ("spk_0", "Good morning. The canary budget is approved."),
    ("spk_1", "Great. Anna will send the report by Friday."),
    ("spk_0", "And I will book the room."),
)

Line = dict[str, Any]
AnswerFunction = Callable[[list[Line]], str]
"""Function that returns the answer to the lines of a prompt."""


def prompt_lines(request: ConverseRequest) -> list[Line]:
    """Return the JSON lines of a prompt: the segments, or the summaries that are to be combined, and then the task."""
    blocks = [block["text"] for block in request["messages"][0]["content"] if "text" in block]
    return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


def action_item(quote: str, **changed: Any) -> Line:
    """Return an action item as the model answers it."""
    return {"text": f"Do as was said: {quote}", "owner": None, "due": None, "quote": quote, **changed}


SEND_REPORT = action_item(
    "Anna will send the report by Friday", text="Send the report", owner="Anna", due="by Friday", said=1
)
BOOK_ROOM = action_item("I will book the room", text="Book the room", owner="spk_0", said=2)


def answer_with(items: Sequence[object] = (), summary: str = "They met.", **changed: Any) -> AnswerFunction:
    """Return a function that answers every task."""

    def answer(lines: list[Line]) -> str:
        task, part = lines[-1]["task"], lines[-1]["part"]
        result = {"items": list(items)} if task == "actionItems" else {"summary": summary}
        return json.dumps({"task": task, "part": part, **result, **changed})

    return answer


@dataclass
class MemoryBucket(MeetingBucket):
    """A bucket in memory. A test can read and change its objects."""

    objects: dict[str, bytes] = field(default_factory=dict)
    written_keys: list[str] = field(default_factory=list)
    """Keys of all writes."""
    failing_prefix: str | None = None
    """Writes of keys with this prefix fail. With `summaries/`, a call stores the model's answers, but no summary."""

    def read(self, key: str, max_bytes: int) -> bytes | None:
        data = self.objects.get(key)
        return None if data is None else data[: max_bytes + 1]

    def write(self, key: str, data: str) -> None:
        if self.failing_prefix is not None and key.startswith(self.failing_prefix):
            raise StorageFailed(ServiceFault.UNAVAILABLE)
        self.written_keys.append(key)
        self.objects[key] = data.encode()

    def write_new(self, key: str, data: str) -> bool:
        if key in self.objects:
            return False
        self.write(key, data)
        return True


ScriptEntry = AnswerFunction | ServiceFault | tuple[AnswerFunction, str]


@dataclass
class ScriptedModel:
    """A model that follows a script of answers, faults, and answers with their stop reason. The last entry repeats."""

    script: list[ScriptEntry] = field(default_factory=lambda: [answer_with([SEND_REPORT, BOOK_ROOM])])
    requests: list[ConverseRequest] = field(default_factory=list)

    def converse(self, request: ConverseRequest) -> ModelReply:
        self.requests.append(request)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, ServiceFault):
            raise ServiceFailed(entry)
        answer, stop = entry if isinstance(entry, tuple) else (entry, "end_turn")
        return ModelReply(answer(prompt_lines(request)), USAGE, stop)

    @property
    def tasks(self) -> list[str]:
        """Task of each request."""
        return [prompt_lines(request)[-1]["task"] for request in self.requests]


@dataclass
class MetricRecorder(MeetingMetrics):
    """Metrics in memory."""

    sent: list[MeetingMetric] = field(default_factory=list)

    def put(self, measures: Sequence[MeetingMetric]) -> None:
        self.sent += measures


@dataclass
class SummaryHarness:
    """The summary function and everything that it uses. The clock stands still except in waits before a retry."""

    bucket: MemoryBucket = field(default_factory=MemoryBucket)
    sonnet: ScriptedModel = field(default_factory=ScriptedModel)
    haiku: ScriptedModel = field(default_factory=ScriptedModel)
    metrics: MetricRecorder = field(default_factory=MetricRecorder)
    now: float = 1_000.0
    waits: list[float] = field(default_factory=list)
    """Seconds of each wait before a retry."""
    parallel_calls: int = 1

    def store_part_transcripts(self, *parts: Sequence[Turn]) -> SummaryRequest:
        """Store the outputs of Amazon Transcribe for the parts of a recording; return the workflow's event."""
        audio, offset_ms = [], 0
        for number, part in enumerate(parts):
            self.bucket.objects[RECORDING.part_transcript_key(number, "en-US")] = transcribe_output(part)
            duration_ms = audio_milliseconds(part)
            audio.append({"key": RECORDING.audio_key(number), "offsetMs": offset_ms, "durationMs": duration_ms})
            offset_ms += duration_ms
        return create_request(audio=audio, durationMs=offset_ms)

    def summarize(self, request: SummaryRequest, remaining_ms: int = REMAINING_MS, **changed: Any) -> SummaryResult:
        log = EventLog("DEBUG")
        timing = RetryTiming(lambda: self.now, self._wait, lambda: 1.0)
        settings: dict[str, Any] = {
            "summary_model": SONNET,
            "action_model": SONNET,
            "max_tokens": 4_000,
            "window_characters": 100_000,
            "overlap_characters": 200,
            **changed,
        }
        models = {SONNET: self.sonnet, HAIKU: self.haiku}
        model_access = ModelAccess(models, ANSWER_SECONDS, log, timing)
        summarizer = Summarizer(
            self.bucket,
            self.metrics,
            model_access,
            SummarySettings(**settings),
            ParallelCalls(self.parallel_calls),
            log,
        )
        return summarizer.summarize(request, remaining_ms)

    def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    @property
    def transcript(self) -> Transcript:
        return Transcript.model_validate_json(self.bucket.objects[RECORDING.transcript_key])

    @property
    def summary(self) -> Summary:
        return Summary.model_validate_json(self.bucket.objects[RECORDING.summary_key])


def create_request(**changed: Any) -> SummaryRequest:
    """Return the workflow's event for a recording with one part, which lasts a minute."""
    meeting = RECORDING.meeting
    event = {
        "user": meeting.user,
        "meetingId": meeting.meeting_id,
        "content": RECORDING.content,
        "language": "en-US",
        "durationMs": 60_000,
        "audio": [{"key": RECORDING.audio_key(0), "offsetMs": 0, "durationMs": 60_000}],
    }
    return SummaryRequest.model_validate({**event, **changed})

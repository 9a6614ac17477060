"""Harness for tests of the summary function through its Lambda handler: S3 by moto, and a scripted model."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from handlers.common.aws import CONFIG
from handlers.meetings.bedrock_summarize import handler
from handlers.meetings.bedrock_summarize.models import Summary, Transcript
from handlers.meetings.s3_keys import MeetingId, Recording
from tests.credentials import credentials
from tests.handlers.converse_shape import is_valid_converse_request
from tests.handlers.meetings.sample_transcripts import Turn, audio_milliseconds, create_turns, transcribe_output

BUCKET = "recordings"
RECORDING = Recording(MeetingId("A" * 32, "01HZXW3V9K8Q2M4N6P8R0T2V4X"), "0123456789abcdef" * 2)
USAGE = {
    "inputTokens": 100,
    "outputTokens": 10,
    "totalTokens": 1_111,
    "cacheReadInputTokens": 1_000,
    "cacheWriteInputTokens": 1,
}
"""Tokens of each answer."""
SPOKEN_MEETING = create_turns(
    ("spk_0", "Good morning. The canary budget is approved."),
    ("spk_1", "Great. Anna will send the report by Friday."),
    ("spk_0", "And I will book the room."),
)
Line = dict[str, Any]
ScriptEntry = Callable[[list[Line]], str] | Exception | str
"""Answer of the model: a function of the prompt's JSON lines, an error of botocore, or a stop reason."""


def prompt_lines(request: dict[str, Any]) -> list[Line]:
    """Return the JSON lines of a prompt: the segments, or the summaries that are to be combined, and then the task."""
    blocks = [block["text"] for block in request["messages"][0]["content"] if "text" in block]
    return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


def action_item(quote: str, **changed: Any) -> Line:
    """Return an action item as the model answers it."""
    return {"text": f"Do as was said: {quote}", "owner": None, "due": None, "quote": quote, **changed}


SEND_REPORT = action_item("anna will send THE report", text="Send the report", owner="Anna", due="by Friday", said=1)
BOOK_ROOM = action_item("I will book the room", text="Book the room", owner="spk_0", said=2)


def answer_with(*items: object, summary: str = "They met.") -> Callable[[list[Line]], str]:
    """Return a function that answers every task."""
    return lambda lines: json.dumps({"items": items} if lines[-1]["task"] == "actionItems" else {"summary": summary})


def client_error(code: str, operation: str = "Converse") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)


@dataclass
class ScriptedModel:
    """Client of Bedrock whose models follow a script, and record the requests. The last entry repeats."""

    script: list[ScriptEntry] = field(default_factory=lambda: [answer_with(SEND_REPORT, BOOK_ROOM)])
    requests: list[dict[str, Any]] = field(default_factory=list)

    def converse(self, **request: Any) -> dict[str, Any]:
        model_id = request.pop("modelId")
        assert is_valid_converse_request(request)
        self.requests.append({"modelId": model_id, **request})
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        content = [] if isinstance(entry, str) else [{"text": entry(prompt_lines(request))}]
        stop_reason = entry if isinstance(entry, str) else "end_turn"
        return {"output": {"message": {"content": content}}, "usage": USAGE, "stopReason": stop_reason}

    @property
    def tasks(self) -> list[tuple[str, str]]:
        """Family of the model and task of each request."""
        return [(request["modelId"].split("-")[1], prompt_lines(request)[-1]["task"]) for request in self.requests]


@dataclass
class MetricRecorder:
    """Client of CloudWatch that records the values."""

    sent: list[tuple[str, float]] = field(default_factory=list)

    def put_metric_data(self, *, MetricData: list[dict[str, Any]], **_: str) -> None:  # noqa: N803 - boto3's name
        self.sent += [(metric["MetricName"], metric["Value"]) for metric in MetricData]


@cache
def _s3_client() -> Any:
    """Return a cached client, because creating it would take most of a test's time."""
    return boto3.client("s3", config=CONFIG)


@dataclass
class SummaryHarness:
    """The summary function with an empty bucket."""

    s3: Any
    model: ScriptedModel = field(default_factory=ScriptedModel)
    metrics: MetricRecorder = field(default_factory=MetricRecorder)

    def store_part_transcripts(self, *parts: Sequence[Turn]) -> dict[str, Any]:
        """Store the outputs of Amazon Transcribe for the parts of a recording; return the workflow's event."""
        audio, offset_ms = [], 0
        for number, part in enumerate(parts):
            self.put(RECORDING.part_transcript_key(number, "en-US"), transcribe_output(part))
            duration_ms = audio_milliseconds(part)
            audio.append({"key": RECORDING.audio_key(number), "offsetMs": offset_ms, "durationMs": duration_ms})
            offset_ms += duration_ms
        return {
            "user": RECORDING.meeting.user,
            "meetingId": RECORDING.meeting.meeting_id,
            "content": RECORDING.content,
            "language": "en-US",
            "durationMs": offset_ms,
            "audio": audio,
            "unknown": 1,
        }

    def put(self, key: str, data: bytes) -> None:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=data)

    def read(self, key: str) -> bytes | None:
        """Return an object's content, or None if it does not exist."""
        try:
            content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        return content

    @property
    def transcript(self) -> Transcript:
        return Transcript.model_validate_json(self.read(RECORDING.transcript_key) or b"")

    @property
    def summary(self) -> Summary:
        return Summary.model_validate_json(self.read(RECORDING.summary_key) or b"")


@contextmanager
def create_summary_harness(monkeypatch: pytest.MonkeyPatch, **variables: str) -> Iterator[SummaryHarness]:
    """Yield a harness whose function has these environment variables in addition to the required ones."""
    credentials(monkeypatch)
    for name, value in {"BUCKET_NAME": BUCKET, "STACK": "test", **variables}.items():
        monkeypatch.setenv(name, value)
    with mock_aws():
        harness = SummaryHarness(_s3_client())
        harness.s3.create_bucket(Bucket=BUCKET)
        clients = {"s3": harness.s3, "bedrock-runtime": harness.model, "cloudwatch": harness.metrics}
        monkeypatch.setattr(boto3, "client", lambda service, **_: clients[service])
        handler._summarizer.cache_clear()
        yield harness
        handler._summarizer.cache_clear()

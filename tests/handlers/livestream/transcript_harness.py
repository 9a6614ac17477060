"""Harness for the way of a transcript: upload, division into windows, analysis of each window, and lists of findings.

Both functions run with their handlers and environments, on moto's S3, DynamoDB and SQS. Only the Bedrock model and the
AgentCore memory are fakes. The transcript's track is its processing state. Texts with "canary" must not be logged.
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from handlers.common.ids import timestamp
from handlers.livestream.fact_check_agent import handler as agent
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.transcript import Cue
from handlers.livestream.transcript_windows import handler as windows
from handlers.livestream.window_messages import WindowMessage
from tests.handlers.livestream.rest_api_harness import ANN, BUCKET, TABLE, ApiHarness
from tests.handlers.livestream.transcript_file_writers import srt
from tests.handlers.livestream.video_chunks.video_processing_harness import envelope
from tests.loggers import own_logger

CUES = (
    Cue(0, 6_000, f"We ran 600 ferries last spring. {'Nobody in the canary islands did more. ' * 3}"),
    Cue(40_000, 46_000, f"The annual report has 410 ferries. {'That is quite another number. ' * 3}"),
    Cue(80_000, 90_000, f"It is the largest fleet that ever was. {'Or so the captain told me. ' * 4}"),
)
"""Cues of two windows. The first has the first cue in its core and the second as its overlap. The second has no overlap."""
ENVIRONMENT = {
    "TABLE_NAME": TABLE,
    "BUCKET_NAME": BUCKET,
    "MEMORY_ID": "memory-1234567890",
    "MODEL_ID": "us.model",
    "WINDOW_SECONDS": "30",
    "WINDOW_CHARACTERS": "500",
    "OVERLAP_CHARACTERS": "100",
    "CLIP_MIN_SECONDS": "5",
    "CLIP_MAX_SECONDS": "20",
}


def claim(quote: str, **changes: Any) -> dict[str, Any]:
    """Return a claim as the model states it in its answer."""
    values = {"quote": quote, "statement": "They say so.", "verdict": "unverified", "confidence": 0.5, "sources": []}
    return {**values, **changes}


def answer(*claims: object, clips: tuple[object, ...] = ()) -> str:
    return json.dumps({"claims": claims, "clips": clips}, ensure_ascii=False)


def error(code: str, operation: str = "Converse") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "canary"}}, operation)


@dataclass
class FakeBedrock:
    """Client of a model that follows a script of answers, answers with their stop reason, and errors.

    The last entry is repeated.
    """

    script: list[str | tuple[str, str] | Exception] = field(default_factory=lambda: [answer()])
    requests: list[dict[str, Any]] = field(default_factory=list)

    def converse(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        entry = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if isinstance(entry, Exception):
            raise entry
        text, stop_reason = entry if isinstance(entry, tuple) else (entry, "end_turn")
        usage = {"inputTokens": 100, "outputTokens": 10, "cacheReadInputTokens": 1_000}
        return {"output": {"message": {"content": [{"text": text}]}}, "usage": usage, "stopReason": stop_reason}


class SessionMissing(Exception):
    """AgentCore's error for a session without events."""


@dataclass
class FakeMemory:
    """Client of AgentCore memory. It stores an event once for each client token, and lists the newest events first."""

    events: dict[str, dict[str, Any]] = field(default_factory=dict)
    exceptions: Any = field(default=type("Exceptions", (), {"ResourceNotFoundException": SessionMissing}))
    create_error: Exception | None = None

    def list_events(self, **request: Any) -> dict[str, Any]:
        own_events = [event for event in self.events.values() if event["sessionId"] == request["sessionId"]]
        if not own_events:
            raise SessionMissing
        return {"events": own_events[: -request["maxResults"] - 1 : -1]}

    def create_event(self, **event: Any) -> None:
        if self.create_error is not None:
            raise self.create_error
        self.events.setdefault(event["clientToken"], {"eventId": f"{len(self.events) + 1}#ab", **event})


@cache
def sqs_client() -> Any:
    return boto3.client("sqs")


@dataclass
class Broadcast:
    """Episode of Ann that expects a transcript."""

    api: ApiHarness
    queue_url: str
    bedrock: FakeBedrock = field(default_factory=FakeBedrock)
    memory: FakeMemory = field(default_factory=FakeMemory)
    episode_id: str = ""
    upload_id: str = ""

    def __post_init__(self) -> None:
        self.episode_id = self.api.create_episode()
        self.request_upload()

    def request_upload(self) -> None:
        """Request an upload. Fails if the track has another one that has not failed."""
        body = {"kind": "transcript", "contentType": "application/x-subrip", "bytes": 1_000}
        response = self.api.call("requestUpload", body, episode_id=self.episode_id)
        assert response.status == 201, response.body
        self.upload_id = response.body["uploadId"]

    def fail_track(self) -> None:
        """Let the analysis fail, so that another upload may be requested."""
        at = timestamp(self.api.now)
        update = TrackUpdate(self.upload_id, TrackState.FAILED, at, TrackReason.ANALYSIS_FAILED)
        assert self.api.table.advance_track(ANN, self.episode_id, TrackKind.TRANSCRIPT, update)

    @property
    def key(self) -> str:
        return f"transcripts/{ANN}/{self.episode_id}/{self.upload_id}.srt"

    def upload(self, data: bytes | str | tuple[Cue, ...] = CUES, key: str | None = None) -> str:
        """Upload a transcript; return the S3 event."""
        text = srt(data) if isinstance(data, tuple) else data
        body = text.encode() if isinstance(text, str) else text
        name = key or self.key
        version = self.api.s3.put_object(Bucket=BUCKET, Key=name, Body=body)["VersionId"]
        object_fields = {"key": name, "size": len(body), "version-id": version}
        return envelope("aws.s3", "Object Created", {"bucket": {"name": BUCKET}, "object": object_fields})

    def divide(self, *events: str) -> list[int]:
        """Process one batch of events; return the indexes of those that SQS must deliver again."""
        return _failed_indexes(windows.handler(_batch(*events), None))

    def queue_windows(self, data: tuple[Cue, ...] = CUES) -> list[WindowMessage]:
        """Upload a transcript, divide it, and return the queued messages."""
        assert self.divide(self.upload(data)) == []
        return self.receive_all()

    def receive_all(self) -> list[WindowMessage]:
        """Receive and return all messages of the agent's queue, in the order of their windows."""
        received: list[WindowMessage] = []
        while batch := sqs_client().receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            received += [WindowMessage.model_validate_json(message["Body"]) for message in batch]
        return sorted(received, key=lambda message: message.index)

    def analyze(self, *messages: WindowMessage | str) -> list[int]:
        """Process one batch of window messages; return the indexes of those that SQS must deliver again."""
        bodies = [
            message if isinstance(message, str) else message.model_dump_json(by_alias=True) for message in messages
        ]
        return _failed_indexes(agent.handler(_batch(*bodies), None))

    def list_findings(self, kind: str = "claims", **parameters: Any) -> list[dict[str, Any]]:
        """Return the first page of the listed claims or clips."""
        operation = {"claims": "listClaims", "clips": "listClips"}[kind]
        findings: list[dict[str, Any]] = self.api.call(operation, episode_id=self.episode_id, **parameters).body[kind]
        return findings

    @property
    def quotes(self) -> list[str]:
        """Quotes of the listed claims."""
        return [finding["quote"] for finding in self.list_findings()]

    @property
    def state(self) -> tuple[str, str | None]:
        """State and failure reason of the transcript."""
        track = self.api.call("getEpisode", episode_id=self.episode_id).body["transcript"]
        return track["state"], track.get("reason")

    @property
    def outcomes(self) -> list[str]:
        """Outcomes of the stored windows of all uploads."""
        return [item["outcome"]["S"] for item in self.api.stored_items() if "outcome" in item]

    def request_lines(self, number: int = -1) -> list[dict[str, Any]]:
        """Return the JSON lines of a request to the model: the window, the memories and the cues."""
        blocks = [block["text"] for block in self.bedrock.requests[number]["messages"][0]["content"]]
        return [json.loads(line) for block in blocks for line in block.split("\n") if line.startswith("{")]


@contextmanager
def failing_call(client: Any, name: str, failure: Exception) -> Iterator[None]:
    """Let one operation of a boto3 client fail in this context."""

    def fail(**_: object) -> None:
        raise failure

    event = f"before-call.{client.meta.service_model.service_id.hyphenize()}.{name}"
    client.meta.events.register(event, fail)
    try:
        yield
    finally:
        client.meta.events.unregister(event, fail)


@contextmanager
def open_broadcast(api: ApiHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[Broadcast]:
    """Create the agent's queue, and give both functions their environment and the clients of the harness."""
    api.s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    broadcast = Broadcast(api, sqs_client().create_queue(QueueName="windows")["QueueUrl"])
    clients: Mapping[str, Any] = {
        "dynamodb": api.dynamodb,
        "s3": api.s3,
        "sqs": sqs_client(),
        "bedrock-runtime": broadcast.bedrock,
        "bedrock-agentcore": broadcast.memory,
    }
    for name, value in {**ENVIRONMENT, "AGENT_QUEUE_URL": broadcast.queue_url}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "client", lambda service, **_: clients[service])
    windows._divider.cache_clear()
    agent._agent.cache_clear()
    with own_logger():
        yield broadcast
    windows._divider.cache_clear()
    agent._agent.cache_clear()


def _batch(*bodies: str) -> dict[str, list[dict[str, str]]]:
    return {"Records": [{"messageId": str(index), "body": body} for index, body in enumerate(bodies)]}


def _failed_indexes(response: Mapping[str, list[dict[str, str]]]) -> list[int]:
    return [int(failure["itemIdentifier"]) for failure in response["batchItemFailures"]]

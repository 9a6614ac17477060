"""Broadcast with a transcript: its files, its way through the functions, and the findings that the API lists.

The transcript's track is its processing state. Texts with "canary" must not be logged.
"""

import json
from collections.abc import Sequence
from typing import Any

from handlers.livestream.fact_check_agent import handler as agent
from handlers.livestream.transcript import Cue
from handlers.livestream.transcript_windows import handler as windows
from handlers.livestream.windows import WindowMessage
from tests.handlers.livestream.harness import ANN, BUCKET, Harness, cached_client, deliver

CUES = (
    Cue(0, 12_000, f"We ran 600 ferries last spring. {'Nobody in the canary islands did more. ' * 20}"),
    Cue(700_000, 712_000, f"The annual report has 410 ferries. {'That is quite another number. ' * 20}"),
    Cue(1_400_000, 1_412_000, f"It is the largest fleet that ever was. {'Or so the captain told me. ' * 20}"),
)
"""Cues of two windows. The first has the first cue in its core and the second as its overlap. The second has no overlap."""
LONG_CUES = tuple(Cue(at * 600_001, at * 600_001 + 900, f"Ferry number {at} sails. " * 30) for at in range(23))
"""Cues of 22 windows. Each has one cue in its core and the next one as overlap, except the last, which has no overlap."""


def format_time(time_ms: int, decimal_mark: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{decimal_mark}{milliseconds:03}"


def srt(cues: Sequence[Cue], line_end: str = "\n") -> str:
    """Return an SRT file."""
    blocks = [
        f"{number}\n{format_time(cue.start_ms, ',')} --> {format_time(cue.end_ms, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, 1)
    ]
    return "\n".join(blocks).replace("\n", line_end)


def webvtt(cues: Sequence[Cue], line_end: str = "\n") -> str:
    """Return a WebVTT file."""
    blocks = ["WEBVTT - a broadcast\n"]
    for cue in cues:
        text = cue.text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        voice = text if cue.speaker is None else f"<v {cue.speaker}>{text}</v>"
        times = f"{format_time(cue.start_ms, '.')} --> {format_time(cue.end_ms, '.')}"
        blocks.append(f"{times} align:start\n{voice}\n")
    return "\n".join(blocks).replace("\n", line_end)


def s3_event(key: str, bucket: str = BUCKET, version: str = "v1", source: str = "aws.s3") -> str:
    """Return the event of S3 about a new object, as a queue message body."""
    detail = {"bucket": {"name": bucket}, "object": {"key": key, "size": 1, "version-id": version}}
    return json.dumps({"source": source, "detail-type": "Object Created", "detail": detail})


def claim(quote: str, **changes: Any) -> dict[str, Any]:
    """Return a claim as the model states it in its answer."""
    values = {"quote": quote, "statement": "They say so.", "verdict": "unverified", "confidence": 0.5, "sources": []}
    return {**values, **changes}


class Broadcast:
    """Episode of Ann that expects a transcript."""

    def __init__(self, api: Harness) -> None:
        self.api = api
        self.episode_id = api.create_episode()
        self.request_upload()

    def request_upload(self) -> None:
        """Request an upload. Fails if the track has another upload that has not failed."""
        self.upload_id = self.api.request_upload(self.episode_id, "transcript")["uploadId"]

    @property
    def key(self) -> str:
        return f"transcripts/{ANN}/{self.episode_id}/{self.upload_id}.vtt"

    def upload(self, data: bytes | str | tuple[Cue, ...] = CUES) -> str:
        """Upload a transcript; return the S3 event."""
        text = srt(data) if isinstance(data, tuple) else data
        body = text.encode() if isinstance(text, str) else text
        version = self.api.s3.put_object(Bucket=BUCKET, Key=self.key, Body=body)["VersionId"]
        return s3_event(self.key, version=version)

    def divide(self, *events: str) -> list[int]:
        """Process one batch of events; return the indexes of those that SQS must deliver again."""
        return deliver(windows.handler, *events)

    def queue_windows(self, data: tuple[Cue, ...] = CUES) -> list[WindowMessage]:
        """Upload a transcript, divide it, and return the queued messages."""
        assert self.divide(self.upload(data)) == []
        return self.receive_all()

    def receive_all(self) -> list[WindowMessage]:
        """Receive and return all messages of the agent's queue, in the order of their windows."""
        received: list[WindowMessage] = []
        request = {"QueueUrl": self.api.windows_url, "MaxNumberOfMessages": 10}
        while batch := cached_client("sqs").receive_message(**request).get("Messages"):
            received += [WindowMessage.model_validate_json(message["Body"]) for message in batch]
        return sorted(received, key=lambda message: message.index)

    def analyze(self, *messages: WindowMessage | str) -> list[int]:
        """Process one batch of window messages; return the indexes of those that SQS must deliver again."""
        bodies = [
            message if isinstance(message, str) else message.model_dump_json(by_alias=True) for message in messages
        ]
        return deliver(agent.handler, *bodies)

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
    def failures(self) -> list[str | None]:
        """Reason of the failure of each stored window of all uploads, None for an analyzed window."""
        return [item.get("failure") for item in self.api.stored_items() if item["sk"].startswith("WINDOW#")]

"""Lambda function `transcript-windows`: divides an uploaded transcript into windows and queues them for the agent.

A window is a section of the transcript that is small enough for one model request. The agent is the function that
analyzes the windows. S3's event about the upload arrives through a queue, at least once. The transcript's track (the
state of its processing) decides whether the event still needs work. Until all windows are queued, the track accepts the
event again, so interrupted work is repeated as a whole. A window that is queued twice is normally analyzed once, because
the agent skips a window that has a result.

An event that fails too often moves to the dead-letter queue. An operator sends it back from there
(`aws sqs start-message-move-task`).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import BatchFailures, parse_object_created_event, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.text import WindowSizes, split_into_windows
from handlers.livestream.environment import TranscriptWindowsEnvironment
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.keys import TRANSCRIPTS, UploadedObject, parse_upload
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.transcript import BadTranscript, TranscriptProblem, fetch_transcript, read_transcript
from handlers.livestream.windows import MAX_WINDOWS, WindowMessage, send_messages, window_messages

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient

TRACK_REASONS = {
    TranscriptProblem.EMPTY: TrackReason.EMPTY,
    TranscriptProblem.TOO_LARGE: TrackReason.TOO_LARGE,
}
"""Failure reason of the track for each problem of a transcript. All other problems become `UNREADABLE`."""


class TranscriptEventOutcome(StrEnum):
    """Result of an event, for the log."""

    QUEUED = "queued"
    INVALID = "bad"
    """The object is not a valid transcript, so the track has failed."""
    UNCHANGED = "unchanged"
    """The track does not accept the event: it has advanced further, or has another upload, or does not exist."""
    GONE = "gone"
    """The object no longer exists."""
    IGNORED = "ignored"
    """The event does not concern an uploaded transcript."""


@dataclass(frozen=True)
class TranscriptDivider:
    """Reaction to the events about uploaded transcripts."""

    environment: TranscriptWindowsEnvironment
    table: EpisodeTable
    s3: "S3Client"
    sqs: "SQSClient"
    log: EventLog

    def handle_event(self, body: str) -> TranscriptEventOutcome:
        """Queue the windows of the transcript that an event announces. The object may have any suffix."""
        created_object = parse_object_created_event(body, self.environment.bucket_name)
        transcript = parse_upload(TRANSCRIPTS, created_object.key, created_object.version_id)
        if transcript is None:
            return TranscriptEventOutcome.IGNORED
        outcome = self._divide(transcript)
        self.log.info("transcript_event", outcome=outcome, key_hash=hash_for_log(transcript.upload_id))
        return outcome

    def _divide(self, transcript: UploadedObject) -> TranscriptEventOutcome:
        if not self._advance_track(transcript, TrackState.UPLOADED):
            return TranscriptEventOutcome.UNCHANGED
        data = fetch_transcript(self.s3, self.environment.bucket_name, transcript.key, transcript.version_id)
        if data is None:
            return TranscriptEventOutcome.GONE
        try:
            messages = self._build_messages(transcript, data)
        except BadTranscript as error:
            self.log.warning("transcript_refused", cause=error.problem)
            reason = TRACK_REASONS.get(error.problem, TrackReason.UNREADABLE)
            self._advance_track(transcript, TrackState.FAILED, reason)
            return TranscriptEventOutcome.INVALID
        send_messages(self.sqs, self.environment.agent_queue_url, messages)
        self._advance_track(transcript, TrackState.ANALYZING, windows=len(messages))
        self.log.info("transcript_queued", windows=len(messages), key_hash=hash_for_log(transcript.upload_id))
        return TranscriptEventOutcome.QUEUED

    def _build_messages(self, transcript: UploadedObject, data: bytes) -> tuple[WindowMessage, ...]:
        settings = self.environment
        sizes = WindowSizes(
            characters=settings.window_characters,
            milliseconds=settings.window_seconds * 1000,
            overlap_characters=settings.overlap_characters,
        )
        windows = split_into_windows(read_transcript(data), sizes)
        if len(windows) > MAX_WINDOWS:
            raise BadTranscript(TranscriptProblem.TOO_LARGE)
        return window_messages(transcript, windows)

    def _advance_track(
        self, transcript: UploadedObject, state: TrackState, reason: TrackReason | None = None, **details: int
    ) -> bool:
        now = ids.timestamp(ids.now())
        update = TrackUpdate(
            upload_id=transcript.upload_id,
            state=state,
            at=now,
            reason=reason,
            version_id=transcript.version_id,
            details=details,
        )
        return self.table.advance_track(transcript.owner, transcript.episode_id, TrackKind.TRANSCRIPT, update)


@cache
def _divider() -> TranscriptDivider:
    environment = TranscriptWindowsEnvironment.read()
    return TranscriptDivider(
        environment,
        EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name),
        boto3.client("s3", config=CONFIG),
        boto3.client("sqs", config=CONFIG),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    divider = _divider()
    return process_batch(event["Records"], divider.handle_event, divider.log, event_kind="transcript")


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    _divider()  # created during initialization, before the first event waits for it

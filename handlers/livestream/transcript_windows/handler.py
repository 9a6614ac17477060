"""Lambda function `transcript-windows`: divides an uploaded transcript into windows and queues them for the agent.

A window is a section of the transcript that is small enough for one model request. The agent is the function
`fact-check-agent`, which analyzes the windows. S3's event about the upload arrives through a queue, at least once. The
transcript's track (the stored state of its processing) decides whether the event still needs work. Until all windows are
queued, the track accepts the event again, so interrupted work is repeated as a whole. A window that is queued twice is
normally analyzed once, because the agent skips a window that has a result.

An event that fails too often moves to the dead-letter queue. An operator sends it back from there
(`aws sqs start-message-move-task`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG
from handlers.common.events import IGNORED, BatchFailures, parse_object_created_event, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.livestream.environment import TranscriptWindowsEnvironment
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.keys import TRANSCRIPTS, parse_upload
from handlers.livestream.tracks import TrackKind, TrackState
from handlers.livestream.transcript import BadTranscript, fetch_windows
from handlers.livestream.windows import WindowMessage

if TYPE_CHECKING:
    from types_boto3_s3.client import S3Client
    from types_boto3_sqs.client import SQSClient


@dataclass(frozen=True)
class TranscriptDivider:
    """Division of the transcripts that S3's events report as uploaded."""

    environment: TranscriptWindowsEnvironment
    table: EpisodeTable
    s3: "S3Client"
    sqs: "SQSClient"
    log: EventLog

    def handle_event(self, body: str) -> str | None:
        """Queue the windows of the transcript that an event reports. A transcript that cannot be read fails its track.

        Return `IGNORED` if the created object is not an uploaded transcript.
        """
        created_object = parse_object_created_event(body, self.environment.bucket_name)
        transcript = parse_upload(TRANSCRIPTS, created_object.key, created_object.version_id)
        if transcript is None:
            return IGNORED
        key_hash = hash_for_log(transcript.upload_id)
        if not self.table.advance_track(TrackKind.TRANSCRIPT, transcript, TrackState.UPLOADED):
            return None  # the track has advanced further, or expects another upload, or does not exist
        bucket, window_characters = self.environment.bucket_name, self.environment.window_characters
        try:
            windows = fetch_windows(self.s3, bucket, transcript.key, transcript.version_id, window_characters)
        except BadTranscript as error:
            self.log.warning("transcript_refused", cause=error.reason, key_hash=key_hash)
            self.table.advance_track(TrackKind.TRANSCRIPT, transcript, TrackState.FAILED, error.reason)
            return None
        for window in windows:
            message = WindowMessage(
                transcript_key=transcript.key,
                transcript_version=transcript.version_id,
                index=window.index,
                count=len(windows),
                window_characters=window_characters,
            )
            message_body = message.model_dump_json(by_alias=True)
            self.sqs.send_message(QueueUrl=self.environment.agent_queue_url, MessageBody=message_body)
        self.table.advance_track(TrackKind.TRANSCRIPT, transcript, TrackState.ANALYZING)
        self.log.info("transcript_queued", windows=len(windows), key_hash=key_hash)
        return None


@cache
def _divider() -> TranscriptDivider:
    environment = TranscriptWindowsEnvironment.read()
    return TranscriptDivider(
        environment,
        EpisodeTable(boto3.client("dynamodb", config=CONFIG), environment.table_name, ids.now),
        boto3.client("s3", config=CONFIG),
        boto3.client("sqs", config=CONFIG),
        EventLog(environment.log_level),
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    divider = _divider()
    return process_batch(event["Records"], divider.handle_event, divider.log, event_kind="transcript")

"""Processing of the events of a video: its upload, and the MediaConvert job that cuts it into chunks.

There are three kinds of events, each with its reaction:
- S3 reports a new video: livestream's own event `Video Upload Completed` is published.
- `Video Upload Completed` arrives: a job is submitted.
- MediaConvert reports a new state of the job: the video's track (its processing state) is updated.

Events may arrive twice or late. The state of the track (see `tracks`) decides whether an event still
needs work. The track accepts a repeated event until a later event has advanced it. So interrupted work is repeated, and
finished work is not. There is one exception: if the function stops after it submitted a job and before it advanced the
track, it may submit the same job again. The repeated job is billed too, but writes the same chunks.

A job may also fail because of a fault of the deployment, for example a missing permission. After the fix, an operator
replays the archived event `Video Upload Completed`, which restarts a video whose job failed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from handlers.common.events import BatchFailures, process_batch
from handlers.common.ids import timestamp
from handlers.common.logging import EventLog, hash_for_log
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.events import UPLOAD_COMPLETED, PublishEvent
from handlers.livestream.keys import UploadedObject
from handlers.livestream.s3_object_reader import ObjectReader
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate, VideoChunks
from handlers.livestream.video_chunks import video_cutting_job
from handlers.livestream.video_chunks.video_and_job_events import (
    ChunkOutput,
    JobChanged,
    ObjectCreated,
    VideoUploadCompleted,
    VideoUploadDetail,
    is_video,
    parse_video_event,
)

SEGMENT_TAG = b"#EXTINF:"
"""Tag that starts one line of the playlist for each chunk."""


class VideoEventOutcome(StrEnum):
    ANNOUNCED = "announced"
    """The event `Video Upload Completed` was published."""
    UNSUPPORTED = "unsupported"
    """The track failed, because MediaConvert does not read files with this suffix."""
    SUBMITTED = "submitted"
    MOVED = "moved"
    """A job's event advanced the track."""
    UNCHANGED = "unchanged"
    """The track does not accept the event: it has advanced further, or has another upload, or does not exist."""
    GONE = "gone"
    """The playlist of a complete job no longer exists."""
    IGNORED = "ignored"
    """The event does not concern a video of this stack."""


@dataclass(frozen=True)
class VideoProcessing:
    table: EpisodeTable
    objects: ObjectReader
    create_job: Callable[..., object]
    """CreateJob of a MediaConvert client."""
    publish: PublishEvent
    _: KW_ONLY
    bucket: str
    """Livestream's bucket. Job events about other buckets are ignored. S3 events about other buckets are invalid."""
    role_arn: str
    """Role with which MediaConvert reads the video and writes the chunks."""
    chunk_seconds: int
    clock: Callable[[], datetime]
    log: EventLog

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """Process a batch of queue messages; return those that SQS must deliver again."""
        return process_batch(messages, self._handle_event, self.log, event_kind="video")

    def _handle_event(self, body: str) -> VideoEventOutcome:
        event = parse_video_event(body, self.bucket)
        match event:
            case ObjectCreated():
                outcome = self._handle_created(event)
            case VideoUploadCompleted():
                outcome = self._handle_completed(event)
            case JobChanged():
                outcome = self._handle_job_change(event)
            case None:
                return VideoEventOutcome.IGNORED
        upload = event.job.upload_id if isinstance(event, JobChanged) else event.video.key_parts.upload_id
        self.log.info("video_event", route=type(event).__name__, outcome=outcome, key_hash=hash_for_log(upload))
        return outcome

    def _handle_created(self, event: ObjectCreated) -> VideoEventOutcome:
        if not is_video(event.video.key_parts):
            is_advanced = self._advance_track(event.video, TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
            return VideoEventOutcome.UNSUPPORTED if is_advanced else VideoEventOutcome.UNCHANGED
        if not self._advance_track(event.video, TrackState.UPLOADED):
            return VideoEventOutcome.UNCHANGED
        self.publish(UPLOAD_COMPLETED, VideoUploadDetail.from_video(event.video).model_dump(by_alias=True))
        return VideoEventOutcome.ANNOUNCED

    def _handle_completed(self, event: VideoUploadCompleted) -> VideoEventOutcome:
        if not self._advance_track(event.video, TrackState.UPLOADED, restart=event.replayed):
            return VideoEventOutcome.UNCHANGED
        job = video_cutting_job.job_request(
            self.bucket, event.video, chunk_seconds=self.chunk_seconds, role_arn=self.role_arn
        )
        self.create_job(**job)
        self._advance_track(event.video, TrackState.CHUNKING)
        return VideoEventOutcome.SUBMITTED

    def _handle_job_change(self, event: JobChanged) -> VideoEventOutcome:
        """Apply the new state of a job to the track."""
        state, reason = TrackState.FAILED, None
        details: dict[str, object] = {}
        if event.status == "PROGRESSING":
            state = TrackState.CHUNKING
        elif event.output is not None:
            playlist = self.objects.read(event.output.playlist)
            if playlist is None:
                return VideoEventOutcome.GONE
            state = TrackState.CHUNKED
            details = {"chunks": _chunk_details(event.output, event.job.chunk_seconds, playlist)}
        else:
            reason = TrackReason.CHUNKING_FAILED
            details = {} if event.error_code is None else {"errorCode": event.error_code}
        job = event.job
        update = TrackUpdate(job.upload_id, state, timestamp(self.clock()), reason, job.version_id, details)
        is_advanced = self.table.advance_track(job.owner, job.episode_id, TrackKind.VIDEO, update)
        if is_advanced and event.status == "ERROR":
            self.log.error("video_failed", code=str(event.error_code), key_hash=hash_for_log(job.upload_id))
        return VideoEventOutcome.MOVED if is_advanced else VideoEventOutcome.UNCHANGED

    def _advance_track(
        self, video: UploadedObject, state: TrackState, reason: TrackReason | None = None, *, restart: bool = False
    ) -> bool:
        upload = video.key_parts
        update = TrackUpdate(
            upload.upload_id, state, timestamp(self.clock()), reason, video.version_id, restart=restart
        )
        return self.table.advance_track(upload.owner, upload.episode_id, TrackKind.VIDEO, update)


def _chunk_details(output: ChunkOutput, chunk_seconds: int, playlist: bytes) -> dict[str, object]:
    """Return the details of the chunks to store with the track.

    The chunks are counted in the playlist. The job's duration gives a wrong number if the audio ends some milliseconds
    after the last frame.
    """
    count = sum(line.startswith(SEGMENT_TAG) for line in playlist.splitlines())
    chunks = VideoChunks(
        prefix=output.prefix,
        playlist=output.playlist,
        count=count,
        seconds=chunk_seconds,
        duration_ms=output.duration_ms,
    )
    return chunks.model_dump(by_alias=True)

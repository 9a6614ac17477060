"""Takes a video from its upload to its chunks: each event is a step of its own, and may come twice or late.

A step does its work first and moves the track after it, or asks the track whether the work is still to be done: the
track says yes to a repeat too, as long as nothing further has happened. So what stops halfway is done again, and what
is done is not. The one exception costs money but changes nothing: a job that was made although nobody could note it.

What a job failed of may be the deployment's, and MediaConvert does not always say so. So our own word that the upload is
there, replayed by a person, has a video done again whose job failed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from handlers.common.aws.sqs_batches import BatchFailures, acted_on
from handlers.common.logging import EventLog, hashed
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.event_names import UPLOAD_COMPLETED
from handlers.livestream.event_publisher import PublishEvent
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.tracks import TrackKind, TrackReason, TrackState, TrackUpdate
from handlers.livestream.upload_keys import UploadedObject
from handlers.livestream.video_chunks import chunk_job
from handlers.livestream.video_chunks.video_events import (
    ChunkOutput,
    JobChanged,
    ObjectCreated,
    VideoUploadCompleted,
    VideoUploadDetail,
    is_video,
    parse_video_event,
)

SEGMENT_TAG = b"#EXTINF:"
"""A playlist has one line that begins with this tag for each chunk."""


class VideoEventOutcome(StrEnum):
    """What an event came to."""

    ANNOUNCED = "announced"
    UNSUPPORTED = "unsupported"
    SUBMITTED = "submitted"
    MOVED = "moved"
    UNCHANGED = "unchanged"
    """The track is further on, about a newer upload, or not there."""
    GONE = "gone"
    """What a job made is there no more."""
    IGNORED = "ignored"
    """The event is not about a video of ours."""


@dataclass(frozen=True)
class VideoProcessing:
    """Acts on events, one by one or as queue messages bring them."""

    table: EpisodeTable
    objects: ObjectReader
    create_job: Callable[..., object]
    """MediaConvert's CreateJob."""
    publish: PublishEvent
    _: KW_ONLY
    bucket: str
    role_arn: str
    chunk_seconds: int
    max_hours: int | None
    """How long a video may be; None for any length."""
    clock: Callable[[], datetime]
    log: EventLog

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        return acted_on(messages, self._handle_event, self.log, about="video")

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
        self.log.info("video_event", route=type(event).__name__, outcome=outcome, key_hash=hashed(upload))
        return outcome

    def _handle_created(self, event: ObjectCreated) -> VideoEventOutcome:
        if not is_video(event.video.key_parts):
            moved = self._advance(event.video, TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
            return VideoEventOutcome.UNSUPPORTED if moved else VideoEventOutcome.UNCHANGED
        if not self._advance(event.video, TrackState.UPLOADED):
            return VideoEventOutcome.UNCHANGED
        self.publish(UPLOAD_COMPLETED, VideoUploadDetail.from_video(event.video).model_dump(by_alias=True))
        return VideoEventOutcome.ANNOUNCED

    def _handle_completed(self, event: VideoUploadCompleted) -> VideoEventOutcome:
        if not self._advance(event.video, TrackState.UPLOADED, again=event.replayed):
            return VideoEventOutcome.UNCHANGED
        return self._submit_job(event.video)

    def _submit_job(self, video: UploadedObject, *, to_its_end: bool = False) -> VideoEventOutcome:
        job = chunk_job.job_request(
            self.bucket,
            video,
            seconds=self.chunk_seconds,
            role_arn=self.role_arn,
            max_hours=self.max_hours,
            to_its_end=to_its_end,
        )
        self.create_job(**job)
        self._advance(video, TrackState.CHUNKING)
        return VideoEventOutcome.SUBMITTED

    def _handle_job_change(self, event: JobChanged) -> VideoEventOutcome:
        if (video := event.video_to_cut_unclipped) is not None:
            # It ends before its clip would have, and is cut to its own end.
            if not self._advance(video, TrackState.CHUNKING):
                return VideoEventOutcome.UNCHANGED
            return self._submit_job(video, to_its_end=True)
        state, reason = TrackState.FAILED, None
        facts: dict[str, object] = {}
        if event.status == "PROGRESSING":
            state = TrackState.CHUNKING
        elif event.is_too_long:
            # What there is of it stays until it expires: half a video would pass for a whole one.
            reason = TrackReason.TOO_LARGE
        elif event.output is not None:
            playlist = self.objects.read(event.output.playlist)
            if playlist is None:
                return VideoEventOutcome.GONE
            state, facts = TrackState.CHUNKED, {"chunks": _chunks(event.output, event.job.chunk_seconds, playlist)}
        else:
            reason = TrackReason.CHUNKING_FAILED
            facts = {} if event.error_code is None else {"errorCode": event.error_code}
        job = event.job
        step = TrackUpdate(job.upload_id, state, timestamp(self.clock()), reason, job.version_id, facts)
        moved = self.table.advance_track(job.owner, job.episode_id, TrackKind.VIDEO, step)
        if moved and event.status == "ERROR":
            self.log.error("video_failed", code=str(event.error_code), key_hash=hashed(job.upload_id))
        return VideoEventOutcome.MOVED if moved else VideoEventOutcome.UNCHANGED

    def _advance(
        self, video: UploadedObject, state: TrackState, reason: TrackReason | None = None, *, again: bool = False
    ) -> bool:
        named = video.key_parts
        step = TrackUpdate(named.upload_id, state, timestamp(self.clock()), reason, video.version_id, again=again)
        return self.table.advance_track(named.owner, named.episode_id, TrackKind.VIDEO, step)


def _chunks(output: ChunkOutput, seconds: int, playlist: bytes) -> dict[str, object]:
    """Return what the track keeps of the chunks.

    They are counted in the playlist. A job's duration does not give their number, because it is that of the longest
    track: a sound that ends some milliseconds after the last picture would count as one more chunk.
    """
    count = sum(line.startswith(SEGMENT_TAG) for line in playlist.splitlines())
    return {"prefix": output.prefix, "count": count, "seconds": seconds, "durationMs": output.duration_ms}

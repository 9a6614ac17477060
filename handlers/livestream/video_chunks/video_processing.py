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

from handlers.common.aws.sqs_batches import BatchFailures, process_batch
from handlers.common.logging import EventLog, hash_for_log
from handlers.common.time_and_ids.timestamps import timestamp
from handlers.livestream.episode_table import EpisodeTable
from handlers.livestream.event_names import UPLOAD_COMPLETED
from handlers.livestream.event_publisher import Publish
from handlers.livestream.object_reader import ObjectReader
from handlers.livestream.tracks import Step, TrackKind, TrackReason, TrackState
from handlers.livestream.upload_keys import StoredUpload
from handlers.livestream.video_chunks import chunk_job
from handlers.livestream.video_chunks.video_events import (
    CompletedDetail,
    JobChanged,
    ObjectCreated,
    Output,
    UploadCompleted,
    is_video,
    parsed,
)

ENTRY = b"#EXTINF:"
"""A playlist has one line that begins with this tag for each chunk."""


class Outcome(StrEnum):
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
    publish: Publish
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
        return process_batch(messages, self._act, self.log, event_kind="video")

    def _act(self, body: str) -> Outcome:
        event = parsed(body, self.bucket)
        match event:
            case ObjectCreated():
                outcome = self._created(event)
            case UploadCompleted():
                outcome = self._completed(event)
            case JobChanged():
                outcome = self._changed(event)
            case None:
                return Outcome.IGNORED
        upload = event.job.upload_id if isinstance(event, JobChanged) else event.video.named.upload_id
        self.log.info("video_event", route=type(event).__name__, outcome=outcome, key_hash=hash_for_log(upload))
        return outcome

    def _created(self, event: ObjectCreated) -> Outcome:
        if not is_video(event.video.named):
            moved = self._moved(event.video, TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
            return Outcome.UNSUPPORTED if moved else Outcome.UNCHANGED
        if not self._moved(event.video, TrackState.UPLOADED):
            return Outcome.UNCHANGED
        self.publish(UPLOAD_COMPLETED, CompletedDetail.of(event.video).model_dump(by_alias=True))
        return Outcome.ANNOUNCED

    def _completed(self, event: UploadCompleted) -> Outcome:
        if not self._moved(event.video, TrackState.UPLOADED, again=event.replayed):
            return Outcome.UNCHANGED
        return self._submitted(event.video)

    def _submitted(self, video: StoredUpload, *, to_its_end: bool = False) -> Outcome:
        job = chunk_job.request(
            self.bucket,
            video,
            seconds=self.chunk_seconds,
            role_arn=self.role_arn,
            max_hours=self.max_hours,
            to_its_end=to_its_end,
        )
        self.create_job(**job)
        self._moved(video, TrackState.CHUNKING)
        return Outcome.SUBMITTED

    def _changed(self, event: JobChanged) -> Outcome:
        if (video := event.shorter) is not None:
            # It ends before its clip would have, and is cut to its own end.
            if not self._moved(video, TrackState.CHUNKING):
                return Outcome.UNCHANGED
            return self._submitted(video, to_its_end=True)
        state, reason = TrackState.FAILED, None
        facts: dict[str, object] = {}
        if event.status == "PROGRESSING":
            state = TrackState.CHUNKING
        elif event.cut_off:
            # What there is of it stays until it expires: half a video would pass for a whole one.
            reason = TrackReason.TOO_LARGE
        elif event.output is not None:
            playlist = self.objects.read(event.output.playlist)
            if playlist is None:
                return Outcome.GONE
            state, facts = TrackState.CHUNKED, {"chunks": _chunks(event.output, event.job.chunk_seconds, playlist)}
        else:
            reason = TrackReason.CHUNKING_FAILED
            facts = {} if event.error_code is None else {"errorCode": event.error_code}
        job = event.job
        step = Step(job.upload_id, state, timestamp(self.clock()), reason, job.version_id, facts)
        moved = self.table.advance(job.owner, job.episode_id, TrackKind.VIDEO, step)
        if moved and event.status == "ERROR":
            self.log.error("video_failed", code=str(event.error_code), key_hash=hash_for_log(job.upload_id))
        return Outcome.MOVED if moved else Outcome.UNCHANGED

    def _moved(
        self, video: StoredUpload, state: TrackState, reason: TrackReason | None = None, *, again: bool = False
    ) -> bool:
        named = video.named
        step = Step(named.upload_id, state, timestamp(self.clock()), reason, video.version_id, again=again)
        return self.table.advance(named.owner, named.episode_id, TrackKind.VIDEO, step)


def _chunks(output: Output, seconds: int, playlist: bytes) -> dict[str, object]:
    """Return what the track keeps of the chunks.

    They are counted in the playlist. A job's duration does not give their number, because it is that of the longest
    track: a sound that ends some milliseconds after the last picture would count as one more chunk.
    """
    count = sum(line.startswith(ENTRY) for line in playlist.splitlines())
    return {"prefix": output.prefix, "count": count, "seconds": seconds, "durationMs": output.duration_ms}

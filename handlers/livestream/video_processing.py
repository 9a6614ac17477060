"""Takes a video from its upload to its chunks: each event is a step of its own, and may come twice or late.

A step does its work first and moves the track after it, or asks the track whether the work is still to be done: the
track says yes to a repeat too, as long as nothing further has happened. So what stops halfway is done again, and what
is done is not. The one exception costs money but changes nothing: a job that was made although nobody could note it.

What a job failed of may be the deployment's, and MediaConvert does not always say so. So our own word that the upload is
there, replayed by a person, has a video done again whose job failed.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any

from handlers.common.event_batches import BatchFailures, acted_on
from handlers.common.logging import EventLog, hashed
from handlers.livestream import chunking
from handlers.livestream.tracks import TrackReason, TrackState
from handlers.livestream.video_events import (
    JobChanged,
    ObjectCreated,
    Output,
    StoredVideo,
    UploadCompleted,
    VideoEvent,
    parsed,
)
from handlers.livestream.video_gateways import Bus, Jobs, Playlists
from handlers.livestream.video_tracks import Chunks, Tracks, VideoMoved


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


class VideoProcessing:
    """Acts on events, one by one or as queue messages bring them."""

    def __init__(
        self,
        tracks: Tracks,
        jobs: Jobs,
        bus: Bus,
        playlists: Playlists,
        *,
        bucket: str,
        role_arn: str,
        chunk_seconds: int,
        max_hours: int | None,
        log: EventLog,
    ) -> None:
        """`max_hours`: how long a video may be; none for any length."""
        self._tracks = tracks
        self._jobs = jobs
        self._bus = bus
        self._playlists = playlists
        self._bucket = bucket
        self._role_arn = role_arn
        self._chunk_seconds = chunk_seconds
        self._max_hours = max_hours
        self._log = log

    def handle(self, messages: Sequence[Mapping[str, Any]]) -> BatchFailures:
        """One batch; the answer names the messages to deliver again."""
        return acted_on(messages, self._act, self._log, about="video")

    def _act(self, body: str) -> Outcome:
        return self.act(parsed(body, self._bucket))

    def act(self, event: VideoEvent | None) -> Outcome:
        """Does what an event asks for."""
        match event:
            case ObjectCreated():
                outcome = self._created(event)
            case UploadCompleted():
                outcome = self._completed(event)
            case JobChanged():
                outcome = self._changed(event)
            case None:
                return Outcome.IGNORED
        upload = event.upload_id if isinstance(event, JobChanged) else event.video.named.upload_id
        self._log.info("video_event", route=type(event).__name__, outcome=outcome, key_hash=hashed(upload))
        return outcome

    def _created(self, event: ObjectCreated) -> Outcome:
        if not event.video.named.supported:
            moved = self._moved(event.video, TrackState.FAILED, TrackReason.UNSUPPORTED_TYPE)
            return Outcome.UNSUPPORTED if moved else Outcome.UNCHANGED
        if not self._moved(event.video, TrackState.UPLOADED):
            return Outcome.UNCHANGED
        self._bus.upload_completed(event.video)
        return Outcome.ANNOUNCED

    def _completed(self, event: UploadCompleted) -> Outcome:
        if not self._moved(event.video, TrackState.UPLOADED, again=event.replayed):
            return Outcome.UNCHANGED
        return self._submitted(event.video)

    def _submitted(self, video: StoredVideo, *, to_its_end: bool = False) -> Outcome:
        job = chunking.request(
            self._bucket,
            video,
            seconds=self._chunk_seconds,
            role_arn=self._role_arn,
            max_hours=self._max_hours,
            to_its_end=to_its_end,
        )
        self._jobs.create(job)
        self._moved(video, TrackState.CHUNKING)
        return Outcome.SUBMITTED

    def _changed(self, event: JobChanged) -> Outcome:
        if (video := event.shorter) is not None:
            # It ends before its clip would have, and is cut to its own end.
            if not self._moved(video, TrackState.CHUNKING):
                return Outcome.UNCHANGED
            return self._submitted(video, to_its_end=True)
        about = (event.upload_id, event.version_id)
        match event.status:
            case "PROGRESSING":
                move = VideoMoved(*about, TrackState.CHUNKING)
            case "COMPLETE" if event.cut_off:
                # What there is of it stays until it expires: half a video would pass for a whole one.
                move = VideoMoved(*about, TrackState.FAILED, TrackReason.TOO_LARGE)
            case "COMPLETE":
                chunks = self._chunks(event, event.output)
                if chunks is None:
                    return Outcome.GONE
                move = VideoMoved(*about, TrackState.CHUNKED, chunks=chunks)
            case _:
                problem = TrackReason.CHUNKING_FAILED
                move = VideoMoved(*about, TrackState.FAILED, problem, event.error_code)
        moved = self._tracks.move(event.owner, event.episode_id, move)
        if moved and event.status == "ERROR":
            self._log.error("video_failed", code=str(event.error_code), key_hash=hashed(event.upload_id))
        return Outcome.MOVED if moved else Outcome.UNCHANGED

    def _chunks(self, event: JobChanged, output: Output | None) -> Chunks | None:
        count = None if output is None else self._playlists.entries(output.playlist)
        if output is None or count is None:
            return None
        return Chunks(output.prefix, count, event.chunk_seconds, output.duration_ms)

    def _moved(
        self, video: StoredVideo, state: TrackState, problem: TrackReason | None = None, *, again: bool = False
    ) -> bool:
        named = video.named
        to = VideoMoved(named.upload_id, video.version_id, state, problem, again=again)
        return self._tracks.move(named.owner, named.episode_id, to)

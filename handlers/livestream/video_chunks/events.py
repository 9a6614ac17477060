"""Parser for the events about uploaded videos and the MediaConvert jobs that cut them.

There are three kinds of events. S3 reports a new object below `videos/`, livestream announces a complete upload, and
MediaConvert reports the state of a job. They arrive on the default event bus, to which any principal of the account may
be allowed to write, so nothing is used without validation. MediaConvert jobs of other programs are reported on the same
bus. A job belongs to this stack if its user metadata names the bucket of this stack; other jobs are ignored.
"""

from enum import StrEnum
from typing import Annotated, Any, Final, NamedTuple

from pydantic import AliasPath, Field

from handlers.common.events import (
    OBJECT_CREATED,
    S3_SOURCE,
    BusEvent,
    EventModel,
    InvalidEvent,
    parse_object_created_detail,
)
from handlers.livestream.keys import VIDEOS, UploadedObject, parse_upload
from handlers.livestream.tracks import TrackState, VideoChunks
from handlers.livestream.video_chunks.job import JobMetadata, VideoVersion, chunk_prefix

SOURCE_SUFFIX: Final = ".livestream"
"""End of the source of livestream's own events. The source begins with the name of the stack, because several stacks
may use the same bus."""
UPLOAD_COMPLETED: Final = "Video Upload Completed"
"""Detail type of the event that makes livestream cut the uploaded video into chunks."""
MEDIACONVERT: Final = "aws.mediaconvert"
"""Source of MediaConvert's events."""
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"
"""Detail type of MediaConvert's events about jobs."""
VIDEO_TYPES = frozenset({"mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "flv", "avi", "mpg", "mpeg"})
"""Lower-case suffixes of the formats that MediaConvert reads."""
JOB_STATES = {
    "PROGRESSING": TrackState.CHUNKING,
    "COMPLETE": TrackState.CHUNKED,
    "ERROR": TrackState.FAILED,
    "CANCELED": TrackState.FAILED,
}
"""State of a video's track by the state of its job. No rule matches the other states of a job."""


class VideoEventKind(StrEnum):
    """Sender of an event, and so the work that it causes."""

    CREATED = "created"
    """S3: an object was created below `videos/`."""
    COMPLETED = "completed"
    """Livestream: a video of a supported format is completely uploaded."""
    JOB = "job"
    """MediaConvert: the state of one of this stack's jobs changed."""


class VideoEvent(NamedTuple):
    """Event about one version of an uploaded video."""

    kind: VideoEventKind
    video: UploadedObject
    is_replayed: bool = False
    """True if an operator replayed the event from the archive."""
    state: TrackState | None = None
    """State of the track that the job's state means; None if the event is of another kind."""
    error_code: int | None = None
    """MediaConvert's code if the job failed, 0 if it gave none. None if the job was cancelled or has not ended."""
    chunks: VideoChunks | None = None
    """Output of a complete job."""


class _JobChangeDetail(EventModel):
    status: str
    error_code: Annotated[int | None, Field(validation_alias="errorCode")] = None
    playlist: Annotated[
        str, Field(validation_alias=AliasPath("outputGroupDetails", 0, "outputDetails", 0, "outputFilePaths", 0))
    ] = ""
    duration_ms: Annotated[
        int, Field(validation_alias=AliasPath("outputGroupDetails", 0, "outputDetails", 0, "durationInMs"), ge=0)
    ] = 0


def parse_video_event(body: str, bucket: str) -> VideoEvent | None:
    """Parse an event. Return None if it does not concern a video of this stack.

    Raise ValidationError or InvalidEvent if it is malformed or of an unexpected kind.
    """
    event = BusEvent.model_validate_json(body)
    kind = event.source, event.detail_type
    if kind == (S3_SOURCE, OBJECT_CREATED):
        created = parse_object_created_detail(event.detail, bucket)
        video = parse_upload(VIDEOS, created.key, created.version_id)
        return None if video is None else VideoEvent(VideoEventKind.CREATED, video)
    if event.source.endswith(SOURCE_SUFFIX) and event.detail_type == UPLOAD_COMPLETED:
        # The stack in the source is not checked, because the event rule has checked it.
        video = VideoVersion.model_validate(event.detail).to_upload()
        if video is None or video.suffix not in VIDEO_TYPES:
            raise InvalidEvent("the key is not the key of a video")
        return VideoEvent(VideoEventKind.COMPLETED, video, is_replayed=event.replay_name is not None)
    if kind == (MEDIACONVERT, JOB_STATE_CHANGE):
        return _parse_job_change(event.detail, bucket)
    raise InvalidEvent("no rule of this queue matches events of this kind")


def _parse_job_change(detail: dict[str, Any], bucket: str) -> VideoEvent | None:
    metadata = JobMetadata.model_validate(detail.get("userMetadata"))
    video = metadata.to_upload()
    change = _JobChangeDetail.model_validate(detail)
    state = JOB_STATES.get(change.status)
    if metadata.bucket != bucket or video is None or state is None:
        return None
    error_code = change.error_code or 0 if change.status == "ERROR" else None
    chunks = _parse_output(change, video, metadata) if state is TrackState.CHUNKED else None
    return VideoEvent(VideoEventKind.JOB, video, state=state, error_code=error_code, chunks=chunks)


def _parse_output(change: _JobChangeDetail, video: UploadedObject, job: JobMetadata) -> VideoChunks:
    """Return the output of a complete job. Raise InvalidEvent if its playlist is not in the folder of the job."""
    folder, _, name = change.playlist.rpartition("/")
    if f"{folder}/" != f"s3://{job.bucket}/{chunk_prefix(video, job)}" or not name.endswith(".m3u8"):
        raise InvalidEvent("the playlist is not in the folder of the job")
    return VideoChunks(playlist=change.playlist.removeprefix(f"s3://{job.bucket}/"), duration_ms=change.duration_ms)

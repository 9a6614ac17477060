"""Parser for the events about uploaded videos and the MediaConvert jobs that cut them.

There are three kinds of events. S3 reports a new object below `videos/`, livestream announces a complete upload, and
MediaConvert reports the state of a job. They arrive on the default event bus, to which any principal of the account may
be allowed to write, so nothing is used without validation. MediaConvert jobs of other programs are reported on the same
bus. A job belongs to this stack if its user metadata names the bucket of this stack; other jobs are ignored.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from handlers.common import events
from handlers.common.events import (
    VERSION_ID_PATTERN,
    EventModel,
    InvalidEvent,
    parse_bus_event,
    parse_object_created_detail,
    to_invalid_event,
)
from handlers.common.ids import Ulid
from handlers.common.json_models import Message
from handlers.livestream import events as livestream_events
from handlers.livestream.keys import (
    CHUNKS,
    EPISODE_ID_PATTERN,
    OWNER_PATTERN,
    VIDEOS,
    UploadedObject,
    UploadKey,
    parse_upload_key,
)

VIDEO_TYPES = frozenset({"mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "flv", "avi", "mpg", "mpeg"})
"""Lower-case suffixes of the formats that MediaConvert reads."""
_PLAYLIST = re.compile(
    rf"s3://(?P<bucket>[a-z0-9.-]+)/(?P<prefix>{CHUNKS}(?P<owner>{OWNER_PATTERN})/(?P<episode>{EPISODE_ID_PATTERN})"
    r"/[A-Za-z0-9_-]+/)[A-Za-z0-9_-]+\.m3u8"
)
"""URI of the HLS playlist that names the chunks of an episode."""


@dataclass(frozen=True)
class UploadedVideo(UploadedObject):
    """Uploaded video that an event announces."""

    size: int


@dataclass(frozen=True)
class ObjectCreated:
    """S3 event: an object was created below `videos/`."""

    video: UploadedVideo


@dataclass(frozen=True)
class VideoUploadCompleted:
    """Event of livestream: a video of a supported format is completely uploaded."""

    video: UploadedVideo
    replayed: bool = False
    """True if an operator replayed the event from the archive."""


@dataclass(frozen=True)
class ChunkOutput:
    """Output of a complete job."""

    playlist: str
    """Key of the HLS playlist that names the chunks."""
    prefix: str
    """Key prefix of the chunks."""
    duration_ms: int


class JobMetadata(Message):
    """User metadata of a job, which each event about the job contains. MediaConvert stores the values as strings."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,63}$")]
    """Bucket of the stack that submitted the job. Several stacks may share an account."""
    owner: Annotated[str, Field(pattern=rf"^{OWNER_PATTERN}$")]
    episode_id: Annotated[str, Field(pattern=rf"^{EPISODE_ID_PATTERN}$")]
    upload_id: Ulid
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]
    chunk_seconds: Annotated[int, Field(ge=1, le=3600)]
    key: Annotated[str, Field(max_length=256)]


@dataclass(frozen=True)
class JobChanged:
    """MediaConvert event: the state of one of this stack's jobs changed."""

    job: JobMetadata
    status: Literal["PROGRESSING", "COMPLETE", "ERROR", "CANCELED"]
    error_code: int | None = None
    output: ChunkOutput | None = None
    """Output if the job is complete, otherwise None."""


class VideoUploadDetail(Message):
    """Detail of the event `Video Upload Completed`."""

    schema_version: Literal[1] = 1
    owner: str
    episode_id: str
    upload_id: str
    key: str
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]
    size: Annotated[int, Field(ge=0)]

    @classmethod
    def from_video(cls, video: UploadedVideo) -> "VideoUploadDetail":
        upload = video.key_parts
        return cls(
            owner=upload.owner,
            episode_id=upload.episode_id,
            upload_id=upload.upload_id,
            key=video.key,
            version_id=video.version_id,
            size=video.size,
        )


class _OutputDetail(EventModel):
    playlists: Annotated[list[str], Field(validation_alias="outputFilePaths", min_length=1)]
    duration_ms: Annotated[int, Field(validation_alias="durationInMs", ge=0)]


class _Group(EventModel):
    outputs: Annotated[list[_OutputDetail], Field(validation_alias="outputDetails", min_length=1)]


class _JobChangeDetail(EventModel):
    status: str
    error_code: Annotated[int | None, Field(validation_alias="errorCode")] = None
    groups: Annotated[list[_Group], Field(validation_alias="outputGroupDetails")] = []


def parse_video_event(body: str, bucket: str) -> ObjectCreated | VideoUploadCompleted | JobChanged | None:
    """Parse an event. Return None if it does not concern a video of this stack.

    Raise InvalidEvent if it is malformed or of an unexpected kind.
    """
    event = parse_bus_event(body)
    try:
        match event.source, event.detail_type:
            case events.S3_SOURCE, events.OBJECT_CREATED:
                return _parse_created(event.detail, bucket)
            case source, livestream_events.UPLOAD_COMPLETED if livestream_events.is_livestream_source(source):
                return _parse_completed(event.detail, replayed=event.replay_name is not None)
            case livestream_events.MEDIACONVERT, livestream_events.JOB_STATE_CHANGE:
                return _parse_job_change(event.detail, bucket)
    except ValidationError as error:
        raise to_invalid_event(error) from None
    raise InvalidEvent("no rule of this queue matches events of this kind")


def is_video(key: UploadKey) -> bool:
    """Return True if the key has the suffix of a video format that MediaConvert reads."""
    return key.suffix in VIDEO_TYPES


def _parse_created(detail: dict[str, Any], bucket: str) -> ObjectCreated | None:
    s3_object = parse_object_created_detail(detail, bucket)
    key_parts = parse_upload_key(VIDEOS, s3_object.key)
    if key_parts is None:
        return None
    return ObjectCreated(UploadedVideo(s3_object.key, s3_object.version_id, key_parts, s3_object.size))


def _parse_completed(detail: dict[str, Any], *, replayed: bool) -> VideoUploadCompleted:
    upload = VideoUploadDetail.model_validate(detail)
    key_parts = parse_upload_key(VIDEOS, upload.key)
    if key_parts is None or not is_video(key_parts):
        raise InvalidEvent("the key is not the key of a video")
    if not key_parts.matches(upload.owner, upload.episode_id, upload.upload_id):
        raise InvalidEvent("the key belongs to another upload")
    return VideoUploadCompleted(UploadedVideo(upload.key, upload.version_id, key_parts, upload.size), replayed)


def _parse_job_change(detail: dict[str, Any], bucket: str) -> JobChanged | None:
    change = _JobChangeDetail.model_validate(detail)
    try:
        job = JobMetadata.model_validate(detail.get("userMetadata") or {})
    except ValidationError:
        return None
    if job.bucket != bucket:
        return None
    match change.status:
        case "PROGRESSING" | "STATUS_UPDATE":
            return JobChanged(job, "PROGRESSING")
        case "COMPLETE":
            return JobChanged(job, "COMPLETE", output=_output(change, job))
        case "ERROR" | "CANCELED" as status:
            return JobChanged(job, status, change.error_code)
        case _:  # INPUT_INFORMATION, NEW_WARNING, QUEUE_HOP and future states
            return None


def _output(change: _JobChangeDetail, job: JobMetadata) -> ChunkOutput:
    """Return the output of a complete job. Raise InvalidEvent if it is not below the episode's own prefix."""
    if len(change.groups) != 1 or len(change.groups[0].outputs) != 1:
        raise InvalidEvent("the job must have one output group with one output")
    [output] = change.groups[0].outputs
    match = _PLAYLIST.fullmatch(output.playlists[0])
    if match is None or match.group("bucket", "owner", "episode") != (job.bucket, job.owner, job.episode_id):
        raise InvalidEvent("the chunks are not below the prefix of the episode")
    return ChunkOutput(match[0].removeprefix(f"s3://{job.bucket}/"), match["prefix"], output.duration_ms)

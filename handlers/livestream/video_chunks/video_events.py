"""Events about videos, parsed into what they say. Pure.

They come from the default bus, on which anybody in the account may put something: nothing of them is believed that has
not been parsed. Three kinds matter: an object that was created below `videos/`, by whatever request of S3's; our own
word that an upload is complete; and what MediaConvert says of a job of ours. A job is ours if its metadata is: jobs of
others are on the same bus, and are nobody's failure.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from handlers.common.aws import event_bus
from handlers.common.aws.event_bus import (
    VERSION_ID_PATTERN,
    EventModel,
    parse_bus_event,
    parse_object_created_detail,
    to_invalid_event,
)
from handlers.common.aws.s3_notifications import InvalidEvent
from handlers.common.name_patterns import Ulid
from handlers.common.websocket.messages import Message
from handlers.livestream import event_names
from handlers.livestream.s3_prefixes import CHUNKS, VIDEOS
from handlers.livestream.upload_keys import EPISODE, OWNER, StoredUpload, UploadKey, upload_key

HOUR_MS = 3_600_000
NO_SUCH_CLIP = 1060
"""MediaConvert's number for a clip whose times its input has not."""
VIDEO_TYPES = frozenset({"mp4", "m4v", "mov", "mkv", "webm", "ts", "m2ts", "flv", "avi", "mpg", "mpeg"})
"""Suffixes, in lower case, of what MediaConvert reads."""
_PLAYLIST = re.compile(rf"s3://([a-z0-9.-]+)/({CHUNKS}({OWNER})/({EPISODE})/[A-Za-z0-9_-]+/)[A-Za-z0-9_-]+\.m3u8")


@dataclass(frozen=True)
class Video(StoredUpload):
    """An uploaded video that has just come."""

    size: int


@dataclass(frozen=True)
class ObjectCreated:
    """An object that was created below `videos/`."""

    video: Video


@dataclass(frozen=True)
class UploadCompleted:
    """Our own word that a video is there, of a type that can be cut."""

    video: Video
    replayed: bool = False
    """Whether a person has it said again."""


@dataclass(frozen=True)
class Output:
    """What a job has made."""

    playlist: str
    """The key of the playlist that names the chunks."""
    prefix: str
    duration_ms: int


class JobMetadata(Message):
    """What a job of ours carries, and gives back with each of its events: strings, as MediaConvert takes no others."""

    bucket: Annotated[str, Field(pattern=r"^[a-z0-9.-]{3,63}$")]
    """Whose job it is: stacks may share an account."""
    owner: Annotated[str, Field(pattern=rf"^{OWNER}$")]
    episode_id: Annotated[str, Field(pattern=rf"^{EPISODE}$")]
    upload_id: Ulid
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]
    chunk_seconds: Annotated[int, Field(ge=1, le=3600)]
    key: Annotated[str, Field(max_length=256)]
    max_hours: Annotated[int, Field(ge=1, le=11)] | None = None
    """How long the video may be: the setting may have changed since."""
    to_its_end: bool | None = None
    """Whether it has no clip, although the video may be only so long."""


@dataclass(frozen=True)
class JobChanged:
    """What MediaConvert says of a job of ours."""

    job: JobMetadata
    status: Literal["PROGRESSING", "COMPLETE", "ERROR", "CANCELED"]
    error_code: int | None = None
    output: Output | None = None
    """Of a job that is complete."""

    @property
    def cut_off(self) -> bool:
        """Whether there is more of the video than it may have: its job ends behind that, and says so by its length."""
        longest = self.job.max_hours
        return longest is not None and self.output is not None and self.output.duration_ms > longest * HOUR_MS

    @property
    def shorter(self) -> StoredUpload | None:
        """The video, where MediaConvert did not take the end of its clip, because the video ends before."""
        job = self.job
        named = upload_key(VIDEOS, job.key)
        if self.error_code != NO_SUCH_CLIP or job.to_its_end or job.max_hours is None or named is None:
            return None
        ours = named.is_of(job.owner, job.episode_id, job.upload_id)
        return StoredUpload(job.key, job.version_id, named) if ours else None


class CompletedDetail(Message):
    """The detail of `Video Upload Completed`."""

    schema_version: Literal[1] = 1
    owner: str
    episode_id: str
    upload_id: str
    key: str
    version_id: Annotated[str, Field(pattern=f"^{VERSION_ID_PATTERN}$")]
    size: Annotated[int, Field(ge=0)]

    @classmethod
    def of(cls, video: Video) -> "CompletedDetail":
        """What is said of a video."""
        named = video.named
        return cls(
            owner=named.owner,
            episode_id=named.episode_id,
            upload_id=named.upload_id,
            key=video.key,
            version_id=video.version_id,
            size=video.size,
        )


class _OutputDetail(EventModel):
    playlists: Annotated[list[str], Field(validation_alias="outputFilePaths", min_length=1)]
    duration_ms: Annotated[int, Field(validation_alias="durationInMs", ge=0)]


class _Group(EventModel):
    outputs: Annotated[list[_OutputDetail], Field(validation_alias="outputDetails", min_length=1)]


class _Changed(EventModel):
    status: str
    error_code: Annotated[int | None, Field(validation_alias="errorCode")] = None
    groups: Annotated[list[_Group], Field(validation_alias="outputGroupDetails")] = []


def parsed(body: str, bucket: str) -> ObjectCreated | UploadCompleted | JobChanged | None:
    """What one event says of the videos in our bucket; none where it says nothing of them.

    Raises InvalidEvent where it should say something and does not.
    """
    event = parse_bus_event(body)
    try:
        match event.source, event.detail_type:
            case event_bus.S3_SOURCE, event_bus.OBJECT_CREATED:
                return _created(event.detail, bucket)
            case source, event_names.UPLOAD_COMPLETED if event_names.ours(source):
                return _completed(event.detail, replayed=event.replay_name is not None)
            case event_names.MEDIACONVERT, event_names.JOB_STATE_CHANGE:
                return _changed(event.detail, bucket)
    except ValidationError as error:
        raise to_invalid_event(error) from None
    raise InvalidEvent("nobody asked for events of this kind")


def is_video(key: UploadKey) -> bool:
    """Return True if the key has the suffix of a video format that MediaConvert reads."""
    return key.suffix in VIDEO_TYPES


def _created(detail: dict[str, Any], bucket: str) -> ObjectCreated | None:
    one = parse_object_created_detail(detail, bucket)
    named = upload_key(VIDEOS, one.key)
    return None if named is None else ObjectCreated(Video(one.key, one.version_id, named, one.size))


def _completed(detail: dict[str, Any], *, replayed: bool) -> UploadCompleted:
    one = CompletedDetail.model_validate(detail)
    named = upload_key(VIDEOS, one.key)
    if named is None or not is_video(named):
        raise InvalidEvent("the key is not a video's")
    if not named.is_of(one.owner, one.episode_id, one.upload_id):
        raise InvalidEvent("the key is another upload's")
    return UploadCompleted(Video(one.key, one.version_id, named, one.size), replayed)


def _changed(detail: dict[str, Any], bucket: str) -> JobChanged | None:
    one = _Changed.model_validate(detail)
    try:
        ours = JobMetadata.model_validate(detail.get("userMetadata") or {})
    except ValidationError:
        return None
    if ours.bucket != bucket:
        return None
    match one.status:
        case "PROGRESSING" | "STATUS_UPDATE":
            return JobChanged(ours, "PROGRESSING")
        case "COMPLETE":
            return JobChanged(ours, "COMPLETE", output=_output(one, ours))
        case "ERROR" | "CANCELED" as status:
            return JobChanged(ours, status, one.error_code)
        case _:  # INPUT_INFORMATION, NEW_WARNING, QUEUE_HOP, and what may come
            return None


def _output(one: _Changed, ours: JobMetadata) -> Output:
    """Where the chunks of a complete job are: below the episode's own prefix, or it is not believed."""
    if len(one.groups) != 1 or len(one.groups[0].outputs) != 1:
        raise InvalidEvent("a job of ours has one group of one output")
    [output] = one.groups[0].outputs
    match = _PLAYLIST.fullmatch(output.playlists[0])
    if match is None or (match[1], match[3], match[4]) != (ours.bucket, ours.owner, ours.episode_id):
        raise InvalidEvent("the chunks are not where a job of ours puts them")
    return Output(match[0].removeprefix(f"s3://{ours.bucket}/"), match[2], output.duration_ms)

"""Models of two files of a recording: the client's `complete.json`, and the media job's `result.json`.

A recording consists of chunks, each of which is a media file that can be decoded without the others. With
`complete.json`, a client completes the upload: it lists the chunks in their order, and describes the meeting. The media
job joins the chunks to a video and extracts the audio. It succeeds even if the recording cannot be processed, because a
failed job has no result.
"""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Final, Literal, Self

from botocore.loaders import Loader
from pydantic import AfterValidator, FailFast, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from handlers.common.ids import timestamp
from handlers.common.json_models import Message, TextForm, WrongField
from handlers.common.text import VISIBLE_TEXT
from handlers.meetings.s3_keys import COMPLETE_FILE_NAME

MAX_COMPLETE_FILE_BYTES = 1024 * 1024
"""Maximum size of `complete.json` itself."""
MAX_CHUNKS = 5_000
"""Maximum number of chunks of a recording."""
LANGUAGES: Final = frozenset(Loader().load_service_model("transcribe", "service-2")["shapes"]["LanguageCode"]["enum"])
"""Language codes that transcription jobs of Amazon Transcribe support, from boto3's description of the service. Its
streaming API supports fewer.
"""
_TIMESTAMP_RULE = "must be an existing date and time, such as 2026-01-31T10:00:00.000Z"


def _validate_timestamp(text: str) -> str:
    try:
        return timestamp(datetime.fromisoformat(text))
    except ValueError:
        raise PydanticCustomError("moment", _TIMESTAMP_RULE) from None


def _validate_language(language: str) -> str:
    """Return the language code; raise PydanticCustomError if Amazon Transcribe does not support it."""
    if language not in LANGUAGES:
        raise PydanticCustomError(
            "language_unknown", "must be a language code that Amazon Transcribe supports, such as en-US or de-DE"
        )
    return language


Sha256 = Annotated[str, TextForm(r"^[0-9a-f]{64}$", "must have 64 hexadecimal digits in lower case")]
ChunkName = Annotated[
    str,
    TextForm(
        r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$",
        "must have 1 to 128 characters of A-Z, a-z, 0-9, ., _ and -, and begin with a letter or digit",
    ),
]
Person = Annotated[str, StringConstraints(min_length=1, max_length=100), VISIBLE_TEXT]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50), VISIBLE_TEXT]
UtcTimestamp = Annotated[
    str,
    TextForm(r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$", _TIMESTAMP_RULE),
    AfterValidator(_validate_timestamp),
]
"""An existing date and time in UTC. The alphabetical order of such texts is their order in time."""
Language = Annotated[str, AfterValidator(_validate_language), Field(json_schema_extra={"enum": [*sorted(LANGUAGES)]})]
"""Spoken language, as a language code of Amazon Transcribe, for example `de-DE`."""


class Chunk(Message):
    """One file of a recording."""

    name: ChunkName
    """Last part of the chunk's S3 key. It is unique within the recording."""
    bytes: Annotated[int, Field(ge=1, le=5 * 1024**3)]
    """Size in bytes. The maximum is 5 GiB, because one PutObject request uploads the chunk."""
    sha256: Sha256
    """SHA-256 hash in lower-case hexadecimal digits."""


class CompleteFile(Message):
    """Content of `complete.json`. Title, start, language, participants and tags describe the meeting."""

    schema_version: Literal[1]
    title: Annotated[str, StringConstraints(min_length=1, max_length=200), VISIBLE_TEXT]
    started_at: UtcTimestamp
    """Start of the meeting in UTC, with milliseconds and `Z`."""
    language: Language = "en-US"
    # FailFast stops at the first error. A megabyte of empty chunks (`{},{},…`) would cause nearly a million errors,
    # which take half a gigabyte of memory.
    participants: Annotated[tuple[Person, ...], FailFast(), Field(max_length=100)] = ()
    tags: Annotated[tuple[Tag, ...], FailFast(), Field(max_length=50)] = ()
    chunks: Annotated[tuple[Chunk, ...], FailFast(), Field(min_length=1, max_length=MAX_CHUNKS)]
    """The recording's chunks, in their order."""

    @model_validator(mode="after")
    def _check_chunk_names(self) -> Self:
        names = [chunk.name for chunk in self.chunks]
        if len(set(names)) != len(names) or COMPLETE_FILE_NAME in names:
            raise PydanticCustomError(
                "chunk_names", "each chunk must have a different name, and none may be named complete.json"
            )
        return self

    @property
    def content(self) -> str:
        """Hash over the chunks' hashes, in their order, which identifies the recording."""
        hashes = json.dumps([chunk.sha256 for chunk in self.chunks]).encode()
        return hashlib.sha256(hashes).hexdigest()[:32]

    @property
    def size(self) -> int:
        """Total size of all chunks in bytes."""
        return sum(chunk.bytes for chunk in self.chunks)


class ChunkProblem(StrEnum):
    """Reason why a chunk, or `complete.json` itself, cannot be used."""

    MISSING = "missing"
    """The object does not exist."""
    SIZE = "size"
    """The chunk does not have the size that `complete.json` states, or `complete.json` is too large."""
    HASH = "hash"
    """The chunk does not have the SHA-256 hash that `complete.json` states, or `complete.json` lists other chunks than
    when the processing began.
    """
    UNREADABLE = "unreadable"
    """S3 cannot return the object, for example because it is archived. Or the object's content is invalid."""


class WrongChunk(Message):
    """A chunk that is missing or cannot be used, or an unusable `complete.json`."""

    name: str
    """Name of the chunk, or `complete.json`."""
    problem: ChunkProblem
    fields: tuple[WrongField, ...] | None = None
    """Invalid fields of a malformed `complete.json`, each with the rule that it breaks. An empty field name means the
    whole file. None for a chunk, and for a `complete.json` that could not be read.
    """


class MeetingReason(StrEnum):
    """Reason for a failure, or for the missing transcript or summary of a ready meeting."""

    MALFORMED = "MALFORMED"
    """`complete.json` cannot be used."""
    INCOMPLETE = "INCOMPLETE"
    """Chunks are missing, cannot be read from S3, or differ from their sizes or hashes in `complete.json`. Or the media
    job found that `complete.json` itself cannot be used or lists other chunks now. `wrong` lists these files.
    """
    UNREADABLE = "UNREADABLE"
    """Chunks with the right hashes cannot be decoded; `wrong` lists them."""
    TOO_LARGE = "TOO_LARGE"
    """The recording exceeds the maximum duration or the media job's disk."""
    NO_AUDIO = "NO_AUDIO"
    """The recording has no audio track, so the meeting is ready without transcript and summary."""
    NOTHING_SAID = "NOTHING_SAID"
    """The transcript is empty, so the meeting is ready without a summary."""
    MEDIA_FAILED = "MEDIA_FAILED"
    TRANSCRIPTION_FAILED = "TRANSCRIPTION_FAILED"
    SUMMARY_FAILED = "SUMMARY_FAILED"


Milliseconds = Annotated[int, Field(ge=0)]


class AudioPart(Message):
    """A part of the audio within the limits of Amazon Transcribe."""

    offset_ms: Milliseconds
    """Start of the part within the whole audio."""
    duration_ms: Milliseconds


class MediaResult(Message):
    """Content of the object `result.json`, which the media job writes (`Recording.media_result_key`)."""

    schema_version: Literal[1] = 1
    reason: MeetingReason | None = None
    """None if the audio for the transcription was made. With `NO_AUDIO`, the job has only made the video. With any other
    reason, the recording was not processed.
    """
    wrong: tuple[WrongChunk, ...] = ()
    """Files that are the reason `INCOMPLETE` or `UNREADABLE`. Empty with any other reason."""
    has_video: bool = False
    """True if the job has made a video."""
    audio: tuple[AudioPart, ...] = ()
    """Parts of the whole audio, in their order. Empty if there is a reason."""
    duration_ms: Milliseconds = 0
    """Duration of the recording. Zero if it was not processed."""
    ffmpeg_ms: Milliseconds = 0
    """Time during which at least one ffmpeg process ran. The metric `FfmpegRatio` is this time divided by the duration.
    """

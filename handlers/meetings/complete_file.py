"""What a client says of a recording: `complete.json`, parsed. Pure.

Each chunk is a file that can be decoded by itself, in the order listed. What it says of the meeting is for people; what
it says of the chunks decides what the recording *is*: the same chunks in the same order are the same content.
"""

import hashlib
import json
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, FailFast, Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from handlers.common.time_and_ids.timestamps import timestamp
from handlers.common.websocket.messages import Message, WrongField
from handlers.meetings.s3_keys import CHUNK_NAME_PATTERN, COMPLETE_FILE_NAME
from handlers.meetings.transcribe_languages import LANGUAGES, validate_language

MAX_COMPLETE_FILE_BYTES = 1024 * 1024
"""Of `complete.json` itself."""
MAX_CHUNKS = 5_000
CONTENT_DIGITS = 32


def _validate_timestamp(said: str) -> str:
    try:
        return timestamp(datetime.fromisoformat(said))
    except ValueError:
        raise PydanticCustomError("moment", "a moment that there is, as in 2026-01-31T10:00:00.000Z") from None


Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
ChunkName = Annotated[str, StringConstraints(pattern=rf"^{CHUNK_NAME_PATTERN}$")]
Title = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Person = Annotated[str, StringConstraints(min_length=1, max_length=100, strip_whitespace=True)]
Tag = Annotated[str, StringConstraints(min_length=1, max_length=50, strip_whitespace=True)]
Participants = Annotated[tuple[Person, ...], FailFast(), Field(max_length=100)]
Tags = Annotated[tuple[Tag, ...], FailFast(), Field(max_length=50)]
UtcTimestamp = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z$"),
    AfterValidator(_validate_timestamp),
]
"""One that there is: meetings are listed by it."""
Language = Annotated[str, AfterValidator(validate_language), Field(json_schema_extra={"enum": [*sorted(LANGUAGES)]})]
"""One that Amazon Transcribe has: another is refused before anything is made of the recording."""


class Chunk(Message):
    """One file of a recording."""

    name: ChunkName
    """What its key ends in; no other of the recording has it."""
    bytes: Annotated[int, Field(ge=1, le=5 * 1024**3)]
    """At most what one request may upload."""
    sha256: Sha256
    """Hexadecimal, in small letters."""


class CompleteFile(Message):
    """Says that a recording is whole."""

    schema_version: Literal[1]
    title: Title
    started_at: UtcTimestamp
    """In UTC, with milliseconds and `Z`."""
    language: Language = "en-US"
    participants: Participants = ()
    tags: Tags = ()
    # A megabyte of empty chunks would be nearly a million errors, and half a gigabyte of memory.
    chunks: Annotated[tuple[Chunk, ...], FailFast(), Field(min_length=1, max_length=MAX_CHUNKS)]
    """In their order."""

    @model_validator(mode="after")
    def _check_chunk_names(self) -> Self:
        names = [chunk.name for chunk in self.chunks]
        if len(set(names)) != len(names) or COMPLETE_FILE_NAME in names:
            raise PydanticCustomError("chunk_names", "chunks have names of their own, and none is complete.json")
        return self

    @property
    def content(self) -> str:
        """What tells this recording from others: made of the chunks' hashes in their order."""
        said = json.dumps([chunk.sha256 for chunk in self.chunks]).encode()
        return hashlib.sha256(said).hexdigest()[:CONTENT_DIGITS]

    @property
    def size(self) -> int:
        """Bytes of all chunks."""
        return sum(chunk.bytes for chunk in self.chunks)


class ChunkProblem(StrEnum):
    """What is wrong with a chunk."""

    MISSING = "missing"
    SIZE = "size"
    HASH = "hash"
    UNREADABLE = "unreadable"


class WrongChunk(Message):
    """A chunk, or `complete.json`, that keeps a recording from being worked on."""

    name: str
    problem: ChunkProblem
    fields: tuple[WrongField, ...] | None = None
    """Of a `complete.json` that has not the form: which are wrong, and the rules; an empty name is the whole."""

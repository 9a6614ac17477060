"""What a chunk turns out to be when it is read: its tracks, and how long it is to the microsecond. Pure.

Kept below `work/`, so that a job that goes on need not read again. Each chunk is known by its place in the recording:
two files that say the same content may name their chunks differently.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.common.websocket.messages import Message

Microseconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class TrackFormat(Message):
    """What two tracks must share to be put one behind the other as they are."""

    stream: Count
    """Its place in the file: lists of files go by it."""
    codec: str
    time_base: str
    parameters: str
    """What its decoder must know, as a checksum, and sizes or rates; how pictures are turned to be seen."""


class ChunkVideo(Message):
    """The first track of pictures that are no cover."""

    form: TrackFormat
    width: Count
    """As they are seen."""
    height: Count
    count: Count
    fastest: Count
    """How many begin in the second in which most do."""
    end: Microseconds
    """When the last one ends."""
    bytes: Count


class ChunkAudio(Message):
    """The first track of sound."""

    form: TrackFormat
    channels: Count
    count: Count
    """Of its packets."""
    bytes: Count


class ChunkFacts(Message):
    """One chunk."""

    duration: Annotated[int, Field(ge=1)]
    """In microseconds: the next chunk begins where this one ends."""
    pictures: ChunkVideo | None = None
    sound: ChunkAudio | None = None


class RecordingFacts(Message):
    """All chunks of a recording, in their order."""

    schema_version: Literal[1] = 1
    chunks: Annotated[tuple[ChunkFacts, ...], Field(min_length=1)]
    ffmpeg_ms: Count = 0
    """How long it took to find out."""
    uncopiable: bool = False
    """Its pictures look as if they could be copied, but it has been tried."""

"""Properties of a recording's chunks that the media job measures: their tracks, and their durations in microseconds.

The job stores them below `work/`, so that a restarted job need not probe the chunks again. A chunk is identified by its
position, because the client may upload a new `complete.json`, which lists the same chunks under other names. A field
with an alias is stored under that older name.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.common.json_models import Message

Microseconds = Annotated[int, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]


class TrackFormat(Message):
    """Properties that two tracks must share to be joined without encoding."""

    stream: Count
    """Stream index in the file. ffmpeg's concat demuxer selects streams by it."""
    codec: str
    """Name of the codec in ffmpeg."""
    time_base: str
    """Time unit of the track in seconds, as a fraction such as `1/1000`."""
    parameters: str
    """Text with the other properties: the checksum of the decoder's configuration, then the frame size, pixel aspect
    ratio and rotation of a video, or the sample rate and channel layout of audio.
    """


class ChunkVideo(Message):
    """The first video track of a chunk that is not a cover image."""

    track_format: Annotated[TrackFormat, Field(alias="form")]
    width: Count
    """Width after rotation."""
    height: Count
    """Height after rotation."""
    count: Count
    """Number of frames."""
    max_frames_per_second: Annotated[Count, Field(alias="fastest")]
    """Number of frames in the second with the most frames."""
    end: Microseconds
    """End of the last frame."""
    bytes: Count
    """Size of all packets."""


class ChunkAudio(Message):
    """The first audio track of a chunk."""

    track_format: Annotated[TrackFormat, Field(alias="form")]
    channels: Count
    """1 for mono, 2 for any other layout."""
    count: Count
    """Number of packets."""
    bytes: Count
    """Size of all packets."""


class ChunkFacts(Message):
    """Properties of one chunk."""

    duration: Annotated[int, Field(ge=1)]
    """Duration in microseconds. The next chunk begins at its end."""
    video: Annotated[ChunkVideo | None, Field(alias="pictures")] = None
    """The video track, or None if the chunk has none."""
    audio: Annotated[ChunkAudio | None, Field(alias="sound")] = None
    """The audio track, or None if the chunk has none."""


class RecordingFacts(Message):
    """Properties of all chunks of a recording, in their order."""

    schema_version: Literal[1] = 1
    chunks: Annotated[tuple[ChunkFacts, ...], Field(min_length=1)]
    ffmpeg_ms: Count = 0
    """Time that ffmpeg took to probe the chunks."""
    uncopiable: bool = False
    """True if joining the videos without encoding was tried and failed, although the formats are equal."""

"""Properties of a recording's chunks that the media job measures: their tracks, and their durations in microseconds.

The job stores the properties below `work/`, so that a later job for the same recording need not probe the chunks again.
They are stored in the order of the chunks and without the chunks' names, because the client may upload a new
`complete.json` that gives the same chunks other names. The aliases of fields, such as `pictures`, are older names,
which the stored objects still use.
"""

from typing import Annotated, Final, Literal

from pydantic import Field

from handlers.common.json_models import Message

NonNegative = Annotated[int, Field(ge=0)]
Microseconds = NonNegative
SECOND: Final = 1_000_000
"""Microseconds per second."""


class TrackFormat(Message):
    """Properties that two tracks must share to be joined without encoding."""

    stream: NonNegative
    """Index of the track's stream in the file. ffmpeg's concat demuxer takes the same stream index from every file."""
    codec: str
    time_base: str
    """Time unit of the track in seconds, as a fraction such as `1/1000`."""
    parameters: str
    """Text of all other properties: the checksum of the decoder's configuration, then the frame size, pixel aspect
    ratio and rotation of a video, or the sample rate and channel layout of audio.
    """


class ChunkVideo(Message):
    """The first video track of a chunk. A cover image does not count as a track."""

    track_format: Annotated[TrackFormat, Field(alias="form")]
    width: NonNegative
    """Width after rotation."""
    height: NonNegative
    """Height after rotation."""
    count: NonNegative
    """Number of frames."""
    max_frames_per_second: Annotated[NonNegative, Field(alias="fastest")]
    """Number of frames in the second with the most frames."""
    end: Microseconds
    """End of the last frame, from the start of the chunk."""
    bytes: NonNegative
    """Size of all packets."""


class ChunkAudio(Message):
    """The first audio track of a chunk."""

    track_format: Annotated[TrackFormat, Field(alias="form")]
    channels: NonNegative
    """1 for mono, 2 for any other layout."""
    count: NonNegative
    """Number of packets."""
    bytes: NonNegative
    """Size of all packets."""


class ChunkFacts(Message):
    """Properties of one chunk."""

    duration: Annotated[int, Field(ge=1)]
    """Duration in microseconds: the end of the longer track. The next chunk begins at this end."""
    video: Annotated[ChunkVideo | None, Field(alias="pictures")] = None
    audio: Annotated[ChunkAudio | None, Field(alias="sound")] = None


class RecordingFacts(Message):
    """Properties of all chunks of a recording, in their order."""

    schema_version: Literal[1] = 1
    chunks: Annotated[tuple[ChunkFacts, ...], Field(min_length=1)]
    ffmpeg_ms: NonNegative = 0
    """Milliseconds that ffmpeg took to probe the chunks."""
    uncopiable: bool = False
    """True if a job tried to join the videos without encoding them, and failed although their formats are equal."""

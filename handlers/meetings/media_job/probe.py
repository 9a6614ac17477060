"""Probe of a chunk (a file of the recording): ffmpeg, not ffprobe, reads the whole file to find its tracks and
duration.

ffmpeg prints one line for each packet, in its format `framecrc`. The duration is computed from these lines, because the
file's header may contain a wrong duration or none. ffmpeg also decodes the first frame of the video and of the audio,
because a file with a valid header may still be damaged. For a truncated file, ffmpeg succeeds and only prints a message
on standard error, so the probe searches for these messages.
"""

import re
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Final

from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, MESSAGES, Ffmpeg, InputRefused

SECOND: Final = 1_000_000
"""Microseconds per second."""
TRACKS: Final = ("-map", "0:V:0?", "-map", "0:a:0?")
"""Options that select the first video track and the first audio track, if they exist. `V` excludes cover images."""
TRUNCATION_MESSAGES: Final = (b"partial file", b"File ended prematurely")
"""Messages for a truncated MP4 or WebM file. Other formats, such as transport streams and Ogg, may end anywhere."""
DEFAULT_PACKET_SECONDS: Final = Fraction(1, 25)
"""Duration of a packet without a duration, for example of the last frame of some screen recordings."""
MONO: Final = ("mono", "1 channels")
"""ffmpeg's names for a layout of one channel. Any other layout becomes stereo."""
# Only whole messages may match, because ffmpeg also prints the file's metadata. For example, the line of a title can be
# `title : Stream #0:7 -> #0:0 (copy)`.
_MAPPING = re.compile(rb" *Stream #0:(\d+) -> #0:(\d+) \(copy\)\n")
"""Matches the message that maps a stream of the file to a track of the output."""
_ROTATION = re.compile(rb" *displaymatrix: rotation of (-?\d+\.\d+) degrees\n")
_HEADER = re.compile(r"#(\w+) (\d+): *(.*)")
"""Matches a property of a track before its packets: name, number of the track and value, as in `#tb 0: 1/1000`."""
_PACKETS: Final = "packets"
"""Name of the file with a line for each packet."""


@dataclass(frozen=True)
class ChunkVideo:
    """The first video track of a chunk. A cover image does not count as a track."""

    codec: str
    form: str
    """Text of the properties that two tracks must share to be joined without encoding: codec, index of the stream in the
    file, time unit, checksum of the decoder's configuration, frame size, pixel aspect ratio and rotation.
    """
    width: int
    """Width after rotation."""
    height: int
    """Height after rotation."""


@dataclass(frozen=True)
class ChunkFacts:
    """Measured properties of one chunk."""

    file_name: str
    duration: int
    """Duration in microseconds: the end of the longer track. The next chunk begins at this end."""
    video: ChunkVideo | None
    channels: int
    """Channels of the first audio track: 1 for mono, 2 for any other layout, and 0 without audio."""


@dataclass
class _Track:
    """Values from the lines of one track."""

    headers: dict[str, str] = field(default_factory=dict)
    end: int = 0
    """Latest end of a packet, in time units of the track."""

    @cached_property
    def unit(self) -> Fraction:
        """Time unit in seconds."""
        return Fraction(self.headers["tb"])


def probe_chunk(ffmpeg: Ffmpeg, name: str) -> ChunkFacts:
    """Return the properties of a file. Raises InputRefused if it is not a complete media file."""
    ffmpeg.run(
        *(*CHUNK_OPTIONS, "-i", name),
        *(*TRACKS, "-c", "copy", "-f", "framecrc", _PACKETS),
        *(*TRACKS, "-frames:v", "1", "-frames:a", "1", "-f", "null", "-"),
    )
    streams, rotation = _read_messages(ffmpeg)
    tracks = _read_packets(ffmpeg)
    if not tracks:
        raise InputRefused
    duration = max(round(track.end * track.unit * SECOND) for track in tracks.values())
    video: ChunkVideo | None = None
    channels = 0
    for number, track in tracks.items():
        if track.headers["media_type"] == "video":
            video = _to_video(track.headers, streams[number], rotation)
        else:
            channels = 1 if track.headers.get("channel_layout_name") in MONO else 2
    return ChunkFacts(name, duration, video, channels)


def _read_messages(ffmpeg: Ffmpeg) -> tuple[dict[int, int], float]:
    """Return the index of the stream of each track of the output, and the rotation of the video in degrees.

    ffmpeg prints the rotations of all streams, then the mapping, and then the rotation of the selected video.
    """
    streams: dict[int, int] = {}
    rotation = 0.0
    with Path(ffmpeg.folder, MESSAGES).open("rb") as messages:
        for line in messages:
            if any(message in line for message in TRUNCATION_MESSAGES):
                raise InputRefused
            if match := _MAPPING.fullmatch(line):
                streams[int(match[2])] = int(match[1])
            elif streams and not rotation and (match := _ROTATION.fullmatch(line)):
                rotation = float(match[1]) or 0.0  # -0.0 becomes 0.0, so that both have the same `form`
    return streams, rotation


def _read_packets(ffmpeg: Ffmpeg) -> dict[int, _Track]:
    """Return the tracks that have packets with timestamps."""
    tracks: dict[int, _Track] = {}
    with Path(ffmpeg.folder, _PACKETS).open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if match := _HEADER.match(line):
                tracks.setdefault(int(match[2]), _Track()).headers[match[1]] = match[3].strip()
            elif not line.startswith("#"):
                # A packet's line has the track, the decoding time, the display time, the duration, and more.
                number, _, display_time, duration = map(int, line.split(",", 4)[:4])
                track = tracks[number]
                # For a packet without a timestamp, ffmpeg prints the smallest integer as display time.
                end = display_time + (duration or round(DEFAULT_PACKET_SECONDS / track.unit))
                track.end = max(track.end, end)
    return {number: track for number, track in tracks.items() if track.end}


def _to_video(headers: dict[str, str], stream: int, rotation: float) -> ChunkVideo:
    sides = [int(side) for side in headers["dimensions"].split("x")]
    width, height = reversed(sides) if abs(abs(rotation) - 90) < 1 else sides
    parameters = [headers.get(name, "") for name in ("codec_id", "tb", "extradata", "dimensions", "sar")]
    return ChunkVideo(headers["codec_id"], form=f"{stream} {parameters} {rotation:g}", width=width, height=height)

"""Probe of a chunk (a file of the recording): ffmpeg, not ffprobe, reads the whole file to find its tracks and
duration.

ffmpeg prints one line for each packet, in its format `framecrc`. The duration is computed from these lines, because the
file's header may contain a wrong duration or none. ffmpeg also decodes the first frame of the video and of the audio,
because a file with a valid header may still be damaged. For a truncated file, ffmpeg succeeds and only prints a message
on standard error, so the probe searches for these messages.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from handlers.meetings.media_job.chunk_facts import SECOND, ChunkAudio, ChunkFacts, ChunkVideo, TrackFormat
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, Ffmpeg, InputRefused

TRACKS: Final = ("-map", "0:V:0?", "-map", "0:a:0?")
"""Options that select the first video track and the first audio track, if they exist. `V` excludes cover images."""
MAX_PROBE_SECONDS: Final = 1800
"""Time limit for probing one chunk."""
TRUNCATION_MESSAGES: Final = ("partial file", "File ended prematurely")
"""Messages for a truncated MP4 or WebM file. Other formats, such as transport streams and Ogg, may end anywhere."""
FALLBACK_DURATION: Final = 40_000
"""Duration in microseconds of a chunk whose tracks have no duration, for example a chunk with a single frame."""
MONO: Final = ("mono", "1 channels")
"""ffmpeg's names for a layout of one channel. Any other layout becomes stereo."""
_MAPPING_LINE = re.compile(rb" *Stream #0:(\d+) -> #0:(\d+) \(copy\)| *displaymatrix: rotation of (-?\d+\.\d+) degrees")
"""Matches a line of standard error that maps an input stream to an output track, or that contains a video's rotation.

Only whole lines may match, because ffmpeg also prints the file's metadata. For example, the line of a title can be
`title : Stream #0:7 -> #0:0 (copy)`.
"""
_HEADER_LINE = re.compile(rb"#(\w+) (\d+): *(.*)")
"""Matches a property of a track before its packets: name, number of the track and value, as in `#tb 0: 1/1000`."""
_MIN_TIMESTAMP: Final = -(2**62)
"""ffmpeg prints smaller numbers for packets without a timestamp."""


@dataclass
class _TrackPackets:
    """Values that are computed from the packets of one track."""

    headers: dict[str, str] = field(default_factory=dict)
    """Values of the track's header lines, by name."""
    time_base: Fraction = Fraction(0)
    """Seconds per time unit. `first`, `last`, `last_duration` and `end` are in this unit."""
    first: int | None = None
    """Start of the packet that is displayed first. None until a packet with a timestamp was added."""
    last: int = 0
    """Start of the packet that is displayed last."""
    last_duration: int = 0
    """Duration of the packet that is displayed last, or 0 if it is unknown."""
    end: int = 0
    """Latest end of a packet."""
    count: int = 0
    """Number of packets."""
    max_per_second: int = 0
    """Number of packets in the second with the most packets."""
    bytes: int = 0
    """Size of all packets."""
    _second: int = 0
    """Second in which the latest packet is decoded."""
    _count_in_second: int = 0
    """Number of packets in this second so far."""

    def add_packet(self, decode_time: int, display_time: int, duration: int, size: int) -> None:
        self.count += 1
        self.bytes += size
        # Packets arrive in decoding order, which has the same frame rate as the display order.
        second = decode_time * self.time_base.numerator // self.time_base.denominator
        self._count_in_second = self._count_in_second + 1 if second == self._second else 1
        self._second = second
        self.max_per_second = max(self.max_per_second, self._count_in_second)
        if display_time < _MIN_TIMESTAMP:
            return
        if self.first is None or display_time < self.first:
            self.first = display_time
        if display_time >= self.last:
            self.last, self.last_duration = display_time, duration
        self.end = max(self.end, display_time + duration)

    @property
    def end_microseconds(self) -> int:
        """End of the track in microseconds. If the last packet has no duration, the average distance of packets is
        used.
        """
        end = self.end
        if not self.last_duration and self.first is not None and self.count > 1:
            end = max(end, self.last + (self.last - self.first) // (self.count - 1))
        return max(0, round(end * self.time_base * SECOND))


def probe_chunk(ffmpeg: Ffmpeg, name: str) -> ChunkFacts:
    """Return the properties of a file. Raises InputRefused if it is not a complete media file."""
    arguments = (
        *(*CHUNK_OPTIONS, "-i", name),
        *(*TRACKS, "-c", "copy", "-f", "framecrc", "pipe:1"),
        *(*TRACKS, "-frames:v", "1", "-frames:a", "1", "-f", "null", "-"),
    )
    with ffmpeg.start(*arguments, pipe_output=True, seconds=MAX_PROBE_SECONDS, line_pattern=_MAPPING_LINE) as run:
        tracks = _read_packets(run.output)
    messages = run.stderr_text()
    if any(message in messages for message in TRUNCATION_MESSAGES):
        raise InputRefused
    return _to_chunk_facts(tracks, *_parse_mappings(run.matched_lines()))


def _parse_mappings(lines: Iterable[re.Match[bytes]]) -> tuple[dict[int, int], float]:
    """Return the index of the input stream of each output track, and the rotation of the video in degrees.

    ffmpeg prints the rotations of all input streams, then the mapping lines, and then the rotation of the selected
    video.
    """
    streams: dict[int, int] = {}
    rotation = 0.0
    for match in lines:
        if match[3] is None:
            streams[int(match[2])] = int(match[1])
        elif streams and not rotation:  # a rotation before the mapping lines may be of another stream
            rotation = float(match[3]) or 0.0  # -0.0 becomes 0.0
    return streams, rotation


def _read_packets(lines: Iterable[bytes]) -> dict[int, _TrackPackets]:
    tracks: dict[int, _TrackPackets] = {}
    for line in lines:
        if line.startswith(b"#"):
            if match := _HEADER_LINE.match(line):
                track = tracks.setdefault(int(match[2]), _TrackPackets())
                name, value = match[1].decode(), match[3].decode(errors="replace").strip()
                track.headers[name] = value
                if name == "tb":
                    track.time_base = Fraction(value)
            continue
        # A packet's line has the track, the decoding time, the display time, the duration, the size and a checksum.
        parts = line.split(b",", 5)
        tracks[int(parts[0])].add_packet(*(int(part) for part in parts[1:5]))
    return tracks


def _to_chunk_facts(tracks: dict[int, _TrackPackets], streams: dict[int, int], rotation: float) -> ChunkFacts:
    video: ChunkVideo | None = None
    audio: ChunkAudio | None = None
    for number, track in tracks.items():
        if not track.count:
            continue
        if number not in streams:
            # ffmpeg printed no mapping line for this track, because either the chunk or ffmpeg itself is defective.
            # `job.py` probes a valid file to find out which.
            raise InputRefused
        headers = track.headers
        parameters = [
            headers.get(header, "")
            for header in ("extradata", "dimensions", "sar", "sample_rate", "channel_layout_name")
        ]
        is_video = headers["media_type"] == "video"
        track_format = TrackFormat(
            stream=streams[number],
            codec=headers["codec_id"],
            time_base=headers["tb"],
            parameters=" ".join([*parameters, f"{rotation:g}"] if is_video else parameters),
        )
        if is_video:
            sides = [int(side) for side in headers["dimensions"].split("x")]
            width, height = reversed(sides) if abs(abs(rotation) - 90) < 1 else sides
            video = ChunkVideo(
                track_format=track_format,
                width=width,
                height=height,
                count=track.count,
                max_frames_per_second=track.max_per_second,
                end=track.end_microseconds,
                bytes=track.bytes,
            )
        else:
            channels = 1 if headers.get("channel_layout_name") in MONO else 2
            audio = ChunkAudio(track_format=track_format, channels=channels, count=track.count, bytes=track.bytes)
    if video is None and audio is None:
        raise InputRefused
    return ChunkFacts(
        duration=max(track.end_microseconds for track in tracks.values() if track.count) or FALLBACK_DURATION,
        video=video,
        audio=audio,
    )

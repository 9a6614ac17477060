"""Reads a chunk whole, before anything is made of it: what is in it, and that it is what it claims to be.

ffmpeg copies its packets into a list of them (the `framecrc` format), which is made to be read by programs; and decodes
the first picture and sound, so that nothing passes for a recording by its head alone. Durations are what the packets
say: headers may have none, or a wrong one. A file that breaks off says so only in words.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

from handlers.meetings.media_job.chunk_facts import ChunkAudio, ChunkFacts, ChunkVideo, TrackFormat
from handlers.meetings.media_job.ffmpeg import CHUNK_OPTIONS, Ffmpeg, InputRefused

TRACKS: Final = ("-map", "0:V:0?", "-map", "0:a:0?")
"""The first of each; a picture of an album's cover is none."""
MAX_PROBE_SECONDS: Final = 1800
TRUNCATION_MESSAGES: Final = ("partial file", "File ended prematurely")
"""As the readers of MP4 and WebM say it. Others (transport streams, Ogg) may end anywhere."""
MIN_DURATION: Final = 40_000
"""Microseconds of a chunk that is one picture of no length."""
MONO: Final = ("mono", "1 channels")
_MAPPING_LINE = re.compile(rb" *Stream #0:(\d+) -> #0:(\d+) \(copy\)| *displaymatrix: rotation of (-?\d+\.\d+) degrees")
"""Whole lines: a title that says the same stands behind its name. Chapters by the hundred are said before them and after."""
_HEADER_LINE = re.compile(rb"#(\w+) (\d+): *(.*)")
_MIN_TIMESTAMP: Final = -(2**62)
"""Moments before this are none at all."""
_MICROSECOND: Final = 1_000_000


@dataclass
class _TrackPackets:
    """What is gathered of one."""

    headers: dict[str, str] = field(default_factory=dict)
    time_base: Fraction = Fraction(0)
    first: int | None = None
    last: int = 0
    """When the last one begins."""
    last_duration: int = 0
    end: int = 0
    count: int = 0
    fastest: int = 0
    bytes: int = 0
    _second: int = 0
    _in_second: int = 0

    def add_packet(self, decoded: int, moment: int, duration: int, size: int) -> None:
        self.count += 1
        self.bytes += size
        # They come in the order in which they are decoded, which is as fast as they are seen.
        second = decoded * self.time_base.numerator // self.time_base.denominator
        self._second, self._in_second = second, self._in_second + 1 if second == self._second else 1
        self.fastest = max(self.fastest, self._in_second)
        if moment < _MIN_TIMESTAMP:
            return
        if self.first is None or moment < self.first:
            self.first = moment
        if moment >= self.last:
            self.last, self.last_duration = moment, duration
        self.end = max(self.end, moment + duration)

    @property
    def end_microseconds(self) -> int:
        """In microseconds. Where the last one does not say how long it is, it is as long as the others."""
        end = self.end
        if not self.last_duration and self.first is not None and self.count > 1:
            end = max(end, self.last + (self.last - self.first) // (self.count - 1))
        return max(0, round(end * self.time_base * _MICROSECOND))


def probe_chunk(ffmpeg: Ffmpeg, name: str) -> ChunkFacts:
    """What a file is; raises Refused where it is no recording, or not a whole one."""
    arguments = (
        *(*CHUNK_OPTIONS, "-i", name),
        *(*TRACKS, "-c", "copy", "-f", "framecrc", "pipe:1"),
        *(*TRACKS, "-frames:v", "1", "-frames:a", "1", "-f", "null", "-"),
    )
    with ffmpeg.start(*arguments, gives=True, seconds=MAX_PROBE_SECONDS, awaited=_MAPPING_LINE) as running:
        tracks = _read_packets(running.output)
    told = running.stderr_text()
    if any(message in told for message in TRUNCATION_MESSAGES):
        raise InputRefused
    return _chunk_facts(tracks, *_parse_mappings(running.matched_lines()))


def _parse_mappings(lines: Iterable[re.Match[bytes]]) -> tuple[dict[int, int], float]:
    """Which stream each track is, and by how many degrees its pictures are to be turned to be seen as they were filmed.

    That is said of all streams that there are, and once it is said which are read, of those.
    """
    streams: dict[int, int] = {}
    turned = 0.0
    for one in lines:
        if one[3] is None:
            streams[int(one[2])] = int(one[1])
        elif streams:
            turned = turned or float(one[3]) or 0.0
    return streams, turned


def _read_packets(lines: Iterable[bytes]) -> dict[int, _TrackPackets]:
    tracks: dict[int, _TrackPackets] = {}
    for line in lines:
        if line.startswith(b"#"):
            if found := _HEADER_LINE.match(line):
                track = tracks.setdefault(int(found[2]), _TrackPackets())
                name, value = found[1].decode(), found[3].decode(errors="replace").strip()
                track.headers[name] = value
                if name == "tb":
                    track.time_base = Fraction(value)
            continue
        parts = line.split(b",", 5)
        tracks[int(parts[0])].add_packet(*(int(part) for part in parts[1:5]))
    return tracks


def _chunk_facts(tracks: dict[int, _TrackPackets], streams: dict[int, int], turned: float) -> ChunkFacts:
    pictures: ChunkVideo | None = None
    sound: ChunkAudio | None = None
    for number, track in tracks.items():
        if not track.count:
            continue
        if number not in streams:  # whether the file is to blame or ffmpeg, the job asks by a file that is good
            raise InputRefused
        said = track.headers
        parameters = [
            said.get(header, "") for header in ("extradata", "dimensions", "sar", "sample_rate", "channel_layout_name")
        ]
        seen = said["media_type"] == "video"
        form = TrackFormat(
            stream=streams[number],
            codec=said["codec_id"],
            time_base=said["tb"],
            parameters=" ".join([*parameters, f"{turned:g}"] if seen else parameters),
        )
        if seen:
            sides = [int(side) for side in said["dimensions"].split("x")]
            width, height = reversed(sides) if abs(abs(turned) - 90) < 1 else sides
            pictures = ChunkVideo(
                form=form,
                width=width,
                height=height,
                count=track.count,
                fastest=track.fastest,
                end=track.end_microseconds,
                bytes=track.bytes,
            )
        else:
            channels = 1 if said.get("channel_layout_name") in MONO else 2
            sound = ChunkAudio(form=form, channels=channels, count=track.count, bytes=track.bytes)
    if pictures is None and sound is None:
        raise InputRefused
    return ChunkFacts(
        duration=max(track.end_microseconds for track in tracks.values() if track.count) or MIN_DURATION,
        pictures=pictures,
        sound=sound,
    )

"""Recordings as lectures: made by a real ffmpeg, read in places, stretched to hours without their bytes."""

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg

from handlers.voice_qa.ranged import Bounds, RangedFile
from tests.handlers.transcription.recordings import recording

SECONDS = 12.345
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
FIRST_IN_FRONT = ("-movflags", "frag_keyframe", "-frag_duration", "500000")
"""The first fragment lies with the tracks, which tell its length as theirs."""
LIVE = ("-live", "1")


def ranged(data: bytes, bounds: Bounds | None = None) -> RangedFile:
    """A file as if it lay in a bucket."""
    return RangedFile(lambda start, length: data[start : start + length], len(data), bounds)


def sparse(head: bytes, tail: bytes, size: int) -> RangedFile:
    """A file of any size that has something at its ends only."""

    def fetch(start: int, length: int) -> bytes:
        end, behind = start + length, size - len(tail)
        middle = bytes(max(0, min(end, behind) - max(start, len(head))))
        return head[start:end] + middle + tail[max(0, start - behind) : max(0, end - behind)]

    return RangedFile(fetch, size)


def repeated(data: bytes, size: int) -> RangedFile:
    """A file that says the same again and again."""

    def fetch(start: int, length: int) -> bytes:
        begin = start % len(data)
        return (data * (length // len(data) + 2))[begin : begin + length]

    return RangedFile(fetch, size)


def spoken(codec: str, *options: str, piped: bool = False) -> bytes:
    """A recording of SECONDS."""
    return recording(codec, *options, rate=48000, seconds=SECONDS, piped=piped)


@cache
def encoded(suffix: str, *options: str, sources: tuple[str, ...]) -> bytes:
    """Whatever else ffmpeg makes of its own sources."""
    with TemporaryDirectory() as folder:
        made = Path(folder, f"made.{suffix}")
        inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, *options, str(made)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        return made.read_bytes()


SOUND = "sine=duration=3"
PICTURES = "testsrc=size=64x48:rate=5:duration=3"

"""Audio files for tests: recordings that ffmpeg made, read in ranges or stretched to hours without their bytes."""

import subprocess
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import imageio_ffmpeg
import pytest

from handlers.common.audio.probe import probe
from handlers.common.audio.probe_result import RejectedAudio, RejectionReason
from handlers.common.audio.ranged_file import RangedFile
from tests.handlers.transcription.recordings import recording

SECONDS = 12.345
FRAGMENTED = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
FIRST_IN_FRONT = ("-movflags", "frag_keyframe", "-frag_duration", "500000")
"""MP4 flags with which the first fragment is part of the header, which states only its duration."""
LIVE = ("-live", "1")
SOUND = "sine=duration=3"
PICTURES = "testsrc=size=64x48:rate=5:duration=3"


def ranged(data: bytes) -> RangedFile:
    """Return a file as if it were stored in a bucket."""
    return RangedFile(lambda start, length: data[start : start + length], len(data))


def sparse(head: bytes, tail: bytes, size: int) -> RangedFile:
    """Return a file of any size that consists of zeros between its head and its tail."""

    def fetch(start: int, length: int) -> bytes:
        end, behind = start + length, size - len(tail)
        middle = bytes(max(0, min(end, behind) - max(start, len(head))))
        return head[start:end] + middle + tail[max(0, start - behind) : max(0, end - behind)]

    return RangedFile(fetch, size)


def repeated(data: bytes, size: int) -> RangedFile:
    """Return a file that repeats the same bytes."""

    def fetch(start: int, length: int) -> bytes:
        begin = start % len(data)
        return (data * (length // len(data) + 2))[begin : begin + length]

    return RangedFile(fetch, size)


def spoken(codec: str, *options: str, piped: bool = False) -> bytes:
    """Return a recording of SECONDS."""
    return recording(codec, *options, rate=48000, seconds=SECONDS, piped=piped)


@cache
def encoded(suffix: str, *options: str, sources: tuple[str, ...] = (SOUND,)) -> bytes:
    """Return ffmpeg's encoding of generated sources."""
    with TemporaryDirectory() as folder:
        made = Path(folder, f"made.{suffix}")
        inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, *options, str(made)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        return made.read_bytes()


def duration_ms(data: bytes) -> int:
    return probe(ranged(data)).duration_ms


def rejection(data: bytes) -> RejectionReason:
    """Return the reason for which a file is rejected."""
    with pytest.raises(RejectedAudio) as rejected:
        probe(ranged(data))
    return rejected.value.reason

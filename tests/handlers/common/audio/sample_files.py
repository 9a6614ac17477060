"""Audio files for tests: recordings made by ffmpeg, as files that are read in ranges.

Files of many hours are simulated: only their head and tail, or one repeated part, is in memory.
"""

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

SPEECH_SECONDS = 12.345
FRAGMENTED_MP4 = ("-movflags", "frag_keyframe+empty_moov+default_base_moof", "-frag_duration", "500000")
FRAGMENT_IN_HEADER = ("-movflags", "frag_keyframe", "-frag_duration", "500000")
"""MP4 flags that put the first fragment into the header. The header then states the duration of that fragment only."""
LIVE_WEBM = ("-live", "1")
"""WebM option for a live recording, which states no duration."""
TONE = "sine=duration=3"
TEST_PICTURE = "testsrc=size=64x48:rate=5:duration=3"


def to_ranged_file(data: bytes) -> RangedFile:
    """Return a file with this content that is read in ranges, as from a bucket."""
    return RangedFile(lambda start, length: data[start : start + length], len(data))


def sparse_file(head: bytes, tail: bytes, size: int) -> RangedFile:
    """Return a file of any size that consists of zeros between its head and its tail."""

    def fetch(start: int, length: int) -> bytes:
        end, tail_start = start + length, size - len(tail)
        middle = bytes(max(0, min(end, tail_start) - max(start, len(head))))
        return head[start:end] + middle + tail[max(0, start - tail_start) : max(0, end - tail_start)]

    return RangedFile(fetch, size)


def repeating_file(data: bytes, size: int) -> RangedFile:
    """Return a file of any size that repeats the same bytes."""

    def fetch(start: int, length: int) -> bytes:
        offset = start % len(data)
        return (data * (length // len(data) + 2))[offset : offset + length]

    return RangedFile(fetch, size)


def spoken(codec: str, *options: str, piped: bool = False) -> bytes:
    """Return a recording of speech, `SPEECH_SECONDS` long."""
    return recording(codec, *options, rate=48000, seconds=SPEECH_SECONDS, piped=piped)


@cache
def encode(suffix: str, *options: str, sources: tuple[str, ...] = (TONE,)) -> bytes:
    """Return ffmpeg's encoding of generated sources."""
    with TemporaryDirectory() as folder:
        output = Path(folder, f"output.{suffix}")
        inputs = [part for source in sources for part in ("-f", "lavfi", "-i", source)]
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *inputs, *options, str(output)]
        subprocess.run(command, check=True, capture_output=True)  # noqa: S603
        return output.read_bytes()


def duration_ms(data: bytes) -> int:
    return probe(to_ranged_file(data)).duration_ms


def rejection(data: bytes) -> RejectionReason:
    """Return the reason for which a file is rejected."""
    with pytest.raises(RejectedAudio) as caught:
        probe(to_ranged_file(data))
    return caught.value.reason

"""What a recording says: a real ffmpeg makes samples of it, and the tones' recogniser words with their voices.

It was uploaded by anybody, so ffmpeg opens the formats that Transcribe takes and no others.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio_ffmpeg

from local.services.mediaconvert_cutting import SAFE
from local.services.tones import ANALYSED_RATE, Pause, Recogniser, Word
from local.services.transcribe_jobs_rules import MAX_SECONDS, MIN_SECONDS

DEMUXERS = {
    "amr": "amr",
    "flac": "flac",
    "m4a": "mov",
    "mp3": "mp3",
    "mp4": "mov",
    "ogg": "ogg",
    "wav": "wav",
    "webm": "matroska,webm",
}
"""Transcribe's formats, by what ffmpeg calls them."""
READ_BYTES = 256 * 1024
_INPUT = re.compile(r"^Input #0, ([a-z0-9,]+),", re.MULTILINE)
_DURATION = re.compile(r"Duration: (\d+):(\d+):(\d+\.\d+)")
_RATE = re.compile(r"Stream #0:\d+.*: Audio: .*?(\d+) Hz")


class Unheard(Exception):
    """Why a recording cannot be transcribed, in the service's words."""


@dataclass(frozen=True)
class Recording:
    """What a file is."""

    path: Path
    sample_rate: int


def recording(path: Path, wanted_format: str | None, wanted_rate: int | None) -> Recording:
    """Looks at a file; raises Unheard where Transcribe would not go on."""
    told = subprocess.run(
        [*_ffmpeg(), "-i", str(path)], env={**os.environ, **SAFE}, capture_output=True, check=False
    ).stderr.decode(errors="replace")
    kind, length, rate = _INPUT.search(told), _DURATION.search(told), _RATE.search(told)
    if kind is None or rate is None:
        raise Unheard("Unsupported media format. Check the media format of your media file and try your request again.")
    if wanted_format is not None and not set(DEMUXERS[wanted_format].split(",")) & set(kind[1].split(",")):
        raise Unheard("The media format provided does not match the detected media format.")
    if wanted_rate not in (None, int(rate[1])):
        raise Unheard("The sample rate provided does not match the detected sample rate.")
    if length is not None:
        _check(int(length[1]) * 3600 + int(length[2]) * 60 + float(length[3]), ended=True)
    return Recording(path, int(rate[1]))


def heard(one: Recording) -> Iterator[Word | Pause]:
    """Words and pauses in their order."""
    recogniser = Recogniser(ANALYSED_RATE)
    with subprocess.Popen(
        [*_ffmpeg(), "-i", str(one.path), "-vn", "-f", "s16le", "-ac", "1", "-ar", str(ANALYSED_RATE), "pipe:1"],
        env={**os.environ, **SAFE},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as process:
        seconds = 0.0
        while process.stdout is not None and (samples := process.stdout.read(READ_BYTES)):
            seconds += len(samples) / 2 / ANALYSED_RATE
            _check(seconds, ended=False)
            yield from recogniser.feed(samples)
    if process.returncode:
        raise Unheard("Internal failure. The media file could not be decoded.")
    _check(seconds, ended=True)
    yield from recogniser.finish()


def _check(seconds: float, *, ended: bool) -> None:
    """Raises Unheard where a recording is too long, or too short; not every file says before its end."""
    if seconds > MAX_SECONDS:
        raise Unheard(
            f"Invalid file size: file size too large. Maximum audio duration is {MAX_SECONDS / 3600:.6f} hours."
            "Check the length of the file and try your request again."
        )
    if ended and seconds < MIN_SECONDS:
        raise Unheard(
            "The input media file length is too small. Check the length of the file and try your request again."
        )


def _ffmpeg() -> list[str]:
    formats = sorted({part for one in DEMUXERS.values() for part in one.split(",")})
    return [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-hide_banner", "-format_whitelist", ",".join(formats)]

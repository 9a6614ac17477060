"""Converts audio with ffmpeg: encodes samples as files, and recognises the words in files."""

import os
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import imageio_ffmpeg

from local.emulation.speech.tone_words import ANALYSED_RATE, Pause, Recogniser, SpokenWord

ENVIRONMENT: Final = {"GCONV_PATH": os.devnull}
"""ffmpeg from the wheel is linked statically, and crashes when it loads the machine's character set tables. It looks
for them when it reads the name of a transport stream. Without the tables, it leaves the name unchanged."""
ENCODERS: Final = {
    "flac": ("-c:a", "flac", "-f", "flac"),
    "ogg-opus": ("-c:a", "libopus", "-b:a", "24k", "-f", "ogg"),
}
DEMUXERS: Final = {
    "amr": "amr",
    "flac": "flac",
    "m4a": "mov",
    "mp3": "mp3",
    "mp4": "mov",
    "ogg": "ogg",
    "ogg-opus": "ogg",
    "wav": "wav",
    "webm": "matroska",
}
"""ffmpeg's demuxer by format."""
MAX_SECONDS = 1800


class UnreadableMedia(Exception):
    """ffmpeg cannot decode the file as one of the allowed formats."""


def run_ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    """Return ffmpeg's standard output. Raise UnreadableMedia if ffmpeg fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run(command, input=data, env=environment, capture_output=True, check=False, timeout=MAX_SECONDS)
    if done.returncode:
        raise UnreadableMedia(done.stderr.decode(errors="replace"))
    return done.stdout


def pcm_input(sample_rate: int, source: str = "pipe:0") -> tuple[str, ...]:
    """Return ffmpeg's arguments for an input of 16-bit samples in one channel."""
    return ("-f", "s16le", "-ar", str(sample_rate), "-ac", "1", "-i", source)


def encode_audio(samples: bytes, sample_rate: int, encoding: str) -> bytes:
    """Encode 16-bit samples of one channel. The encoding `pcm` returns them unchanged."""
    if encoding == "pcm":
        return samples
    return run_ffmpeg(*pcm_input(sample_rate), *ENCODERS[encoding], "pipe:1", data=samples)


def recognise_file(path: Path, formats: Iterable[str]) -> list[SpokenWord | Pause]:
    """Return the words and pauses of a file, which must have one of the given formats.

    Other formats are not opened, because some of them can refer to further files, which would be files of this machine.
    """
    demuxers = ",".join(sorted({DEMUXERS[name] for name in formats}))
    allowed = ("-protocol_whitelist", "file", "-format_whitelist", demuxers)
    output = ("-protocol_whitelist", "pipe", "-f", "s16le", "-ac", "1", "-ar", str(ANALYSED_RATE), "pipe:1")
    recogniser = Recogniser(ANALYSED_RATE)
    samples = run_ffmpeg(*allowed, "-i", str(path), "-map", "0:a:0", *output)
    return [*recogniser.feed(samples), *recogniser.finish()]

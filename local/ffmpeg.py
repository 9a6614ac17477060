"""Runner of ffmpeg, for the emulated AWS services and the sample files of the local platform."""

import os
import subprocess
from typing import Final

import imageio_ffmpeg

ENVIRONMENT: Final = {"GCONV_PATH": os.devnull}
"""Environment variable that hides the machine's character set tables from ffmpeg. The statically linked ffmpeg of
`imageio_ffmpeg` crashes when it loads them to convert the service name in an MPEG transport stream."""
MAX_SECONDS = 1800
"""Time limit of one ffmpeg process."""


class UnreadableMedia(Exception):
    """Media cannot be read.

    `run_ffmpeg` raises this exception for every failure of ffmpeg, because unreadable input is the usual cause. The
    message is then ffmpeg's error output.
    """


def run_ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    """Run ffmpeg with `data` on standard input; return its standard output. Raise UnreadableMedia if ffmpeg fails."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", "-y", *arguments]
    environment = {**os.environ, **ENVIRONMENT}
    process = subprocess.run(
        command, input=data, env=environment, capture_output=True, check=False, timeout=MAX_SECONDS
    )
    if process.returncode:
        raise UnreadableMedia(process.stderr.decode(errors="replace"))
    return process.stdout


def pcm_input(sample_rate: int) -> tuple[str, ...]:
    """Return ffmpeg's arguments for raw PCM audio on standard input: 16-bit little-endian samples in one channel."""
    return ("-f", "s16le", "-ar", str(sample_rate), "-ac", "1", "-i", "pipe:0")

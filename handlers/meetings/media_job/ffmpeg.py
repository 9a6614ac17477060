"""Runner for ffmpeg on untrusted files: the chunks of a recording, which its user uploaded.

A malicious chunk could be a playlist that names other files or URLs. So ffmpeg may open only local files in the
container formats of `CONTAINERS`, and decode only formats that recorders write (`DECODERS`). It gets none of the job's
environment variables. Its time is limited by the timeout of the job. Its messages may quote a chunk, so they stay in a
file of the job's own folder, and are never logged.
"""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

CONTAINERS: Final = "mov,matroska,webm,mpegts,ogg,wav,mp3,flac,aac"
"""`mov` includes MP4, M4A and 3GP. With ffmpeg's default options, no file of these formats can refer to other files."""
DECODERS: Final = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mjpeg,prores,"
    "aac,mp3,mp3float,opus,libopus,vorbis,libvorbis,flac,alac,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_f32be"
)
MAX_PIXELS: Final = 16 * 1024 * 1024
"""Maximum number of pixels of one frame; a 5K screen has 15 million. A small file could claim a huge frame, for which
ffmpeg would allocate the memory.
"""
_INPUT_LIMITS: Final = ("-protocol_whitelist", "file", "-codec_whitelist", DECODERS, "-max_pixels", str(MAX_PIXELS))
CHUNK_OPTIONS: Final = (*_INPUT_LIMITS, "-format_whitelist", CONTAINERS)
"""Input options for a single file."""
LIST_OPTIONS: Final = (
    *(*_INPUT_LIMITS, "-format_whitelist", f"concat,{CONTAINERS}"),
    *("-f", "concat", "-safe", "1", "-auto_convert", "0"),
)
"""Input options for a list file of the concat demuxer, which the job has written."""
OUTPUT_OPTIONS: Final = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")
"""Output options that remove all metadata about author, time, place and software. The same input then gives the same
file.
"""
ENVIRONMENT: Final = {"GCONV_PATH": os.devnull, "LC_ALL": "C"}
"""All environment variables of ffmpeg, so that it cannot see AWS credentials.

For some transport streams, ffmpeg would load the machine's character set tables, which makes a statically linked ffmpeg
crash. `GCONV_PATH` prevents that.
"""
MESSAGES: Final = "messages"
"""Name of the file with the messages of the latest run."""


class InputRefused(Exception):
    """ffmpeg failed because of its input. A retry would fail too."""


class FfmpegKilled(Exception):
    """ffmpeg was killed, for example because the memory ran out."""


@dataclass
class Ffmpeg:
    """Runs ffmpeg processes one after the other, and measures their time."""

    path: str
    folder: Path
    """Working directory of the processes. File names in their arguments are relative to it."""
    busy_seconds: float = 0
    """Time so far during which a process ran."""

    def run(self, *arguments: str) -> None:
        """Run a process to its end. Raises InputRefused or FfmpegKilled."""
        command = [self.path, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info", "-y", *arguments]
        started_at = time.monotonic()
        with Path(self.folder, MESSAGES).open("wb") as messages:
            status = subprocess.run(  # noqa: S603 - an argument list without a shell; all names are the job's own
                command,
                check=False,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=messages,
            ).returncode
        self.busy_seconds += time.monotonic() - started_at
        if status > 0:
            raise InputRefused
        if status < 0:
            raise FfmpegKilled

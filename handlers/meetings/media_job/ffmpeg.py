"""Runner for ffmpeg on untrusted files: the chunks of a recording, which its user uploaded.

A malicious chunk could be a playlist that names other files or URLs. So ffmpeg may open only local files in the
container formats of `CONTAINERS`, and decode only formats that recorders write (`DECODERS`). It gets none of the job's
environment variables. Its time is limited, and so is the text that is kept from its standard error. This text may quote
a chunk, so it is neither logged nor stored.
"""

import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

from handlers.meetings.media_job.job_termination import JobTermination, Process

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
"""Input options for a single chunk."""
LIST_OPTIONS: Final = (
    *(*_INPUT_LIMITS, "-format_whitelist", f"concat,{CONTAINERS}"),
    *("-f", "concat", "-safe", "1", "-auto_convert", "0", "-copyts"),
)
"""Input options for a list file of the concat demuxer, which the job has written.

`-copyts` keeps the list's timestamps. Otherwise ffmpeg would shift all of them to the first audio packet, which
encoders place some milliseconds before the first sound.
"""
METADATA_FREE_OPTIONS: Final = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")
"""Output options that remove all metadata about author, time, place and software. The same input then gives the same
file.
"""
ENVIRONMENT: Final = {"GCONV_PATH": os.devnull, "LC_ALL": "C"}
"""All environment variables of ffmpeg, so that it cannot see AWS credentials.

For some transport streams, ffmpeg would load the machine's character set tables, which makes a statically linked ffmpeg
crash. `GCONV_PATH` prevents that.
"""
MAX_RUN_SECONDS: Final = 4 * 3600
"""Time limit of a run, unless the caller sets another one."""
_KEPT_BYTES: Final = 16 * 1024
"""About this many bytes are kept from the beginning of standard error, and at most this many from the end."""
_MAX_MATCHED_LINES: Final = 64
"""Maximum number of matched lines that are kept. A valid file is expected to cause two or three."""


class InputRefused(Exception):
    """ffmpeg failed or took too long because of its input. A retry would fail too."""


class FfmpegFailed(Exception):
    """ffmpeg failed for another reason than its input. It is missing, was killed, or does not work."""


class FfmpegRun:
    """A running ffmpeg process.

    Only the beginning and the end of its standard error are kept. So lines that the caller needs are matched with
    `line_pattern` while they arrive.
    """

    def __init__(self, process: Process, line_pattern: re.Pattern[bytes] | None = None) -> None:
        self.process = process
        self._head, self._tail = b"", b""
        self._pattern = line_pattern
        self._matches: list[re.Match[bytes]] = []
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    @property
    def input(self) -> IO[bytes]:
        if self.process.stdin is None:
            raise ValueError("the process was started without pipe_input")
        return self.process.stdin

    @property
    def output(self) -> IO[bytes]:
        if self.process.stdout is None:
            raise ValueError("the process was started without pipe_output")
        return self.process.stdout

    def stderr_text(self) -> str:
        """Wait for the end of the process, and return its standard error, which must not be logged."""
        self._reader.join()
        return (self._head + b"\n" + self._tail).decode(errors="replace")

    def matched_lines(self) -> list[re.Match[bytes]]:
        """Wait for the end of the process, and return the lines that match as a whole."""
        self._reader.join()
        return self._matches

    def _read_stderr(self) -> None:
        stderr, line = self.process.stderr, b""
        while stderr is not None and (block := os.read(stderr.fileno(), 4096)):
            if len(self._head) < _KEPT_BYTES:
                self._head += block
            else:
                self._tail = (self._tail + block)[-_KEPT_BYTES:]
            if self._pattern is not None:
                *lines, line = (line + block).split(b"\n")
                line = line[:_KEPT_BYTES]  # a longer line does not match anyway
                matches = [match for complete_line in lines if (match := self._pattern.fullmatch(complete_line))]
                self._matches += matches[: _MAX_MATCHED_LINES - len(self._matches)]


class Ffmpeg:
    """Starts ffmpeg processes and measures the time during which at least one of them runs."""

    def __init__(
        self, path: str, folder: Path, termination: JobTermination, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        """Working directory of the processes. File names in their arguments are relative to it."""
        self._path = path
        self._termination = termination
        self._clock = clock
        self._lock = threading.Lock()
        self._running_count, self._counted_at, self._busy_seconds = 0, 0.0, 0.0

    @property
    def busy_milliseconds(self) -> int:
        """Time so far during which at least one process ran."""
        return round(self._busy_seconds * 1000)

    def run(self, *arguments: str) -> None:
        """Run a process to its end. Raises the exceptions of `start`."""
        with self.start(*arguments):
            pass

    @contextmanager
    def start(
        self,
        *arguments: str,
        pipe_input: bool = False,
        pipe_output: bool = False,
        seconds: float = MAX_RUN_SECONDS,
        line_pattern: re.Pattern[bytes] | None = None,
    ) -> Iterator[FfmpegRun]:
        """Start a process at the beginning of the `with` block, and wait for the end of the process after the block.

        `seconds` is the time limit of the process. If the block raises an exception, the process is killed. Raises
        InputRefused, FfmpegFailed or JobTerminated.
        """
        process = self._termination.start(
            lambda: self._start_process(arguments, pipe_input=pipe_input, pipe_output=pipe_output)
        )
        self._count_run(1)
        run = FfmpegRun(process, line_pattern)
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            with suppress(BrokenPipeError):  # ffmpeg ended before it read all of the input; its return code shows why
                yield run
            if process.stdin is not None:
                _close(process.stdin)
            process.wait()
        finally:
            in_time = timer.is_alive()
            timer.cancel()
            process.kill()
            process.wait()
            self._termination.unregister(process)
            self._count_run(-1)
            run.stderr_text()  # ends the thread that reads the pipe, before the pipe is closed
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    _close(pipe)
        self._termination.raise_if_requested()
        if process.returncode > 0 or not in_time:
            raise InputRefused
        if process.returncode < 0:
            raise FfmpegFailed("was killed")

    def _start_process(self, arguments: Sequence[str], *, pipe_input: bool, pipe_output: bool) -> Process:
        command = [self._path, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info", "-y", *arguments]
        try:
            return subprocess.Popen(  # noqa: S603 - an argument list without a shell; all names are the job's own
                command,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE if pipe_input else subprocess.DEVNULL,
                stdout=subprocess.PIPE if pipe_output else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise FfmpegFailed("does not start") from error

    def _count_run(self, change: int) -> None:
        """Count a start (1) or an end (-1), and add the time since the last count if a process ran."""
        with self._lock:
            now = self._clock()
            if self._running_count:
                self._busy_seconds += now - self._counted_at
            self._counted_at = now
            self._running_count += change


def _close(pipe: IO[bytes]) -> None:
    """Close a pipe. An error is ignored, because ffmpeg's return code shows whether it read all of its input."""
    with suppress(BrokenPipeError):
        pipe.close()

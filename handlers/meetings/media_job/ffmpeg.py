"""Runs ffmpeg on what anybody may have sent: what it may open, decode and spend is said here, for every run.

A chunk can be a playlist, or hold one: so only containers of sound and pictures are opened, from files alone, and what
they hold is decoded only where recorders make such a thing. A run has no environment of ours, no input but what it is
given, a bounded time, and a memory of what it said that is bounded too. Nothing that it says leaves the job: it quotes
files.
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
"""`mov` is MP4, M4A and 3GP as well. None of them names other files, as ffmpeg reads them unless told otherwise."""
DECODERS: Final = (
    "h264,hevc,vp8,vp9,libvpx,libvpx-vp9,av1,libdav1d,libaom-av1,mpeg4,mjpeg,prores,"
    "aac,mp3,mp3float,opus,libopus,vorbis,libvorbis,flac,alac,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_f32le,pcm_f32be"
)
MAX_PIXELS: Final = 16 * 1024 * 1024
"""Of one picture: a 5K screen has 15 million. A picture takes memory before anybody knows what is in it."""
_INPUT_LIMITS: Final = ("-protocol_whitelist", "file", "-codec_whitelist", DECODERS, "-max_pixels", str(MAX_PIXELS))
CHUNK_OPTIONS: Final = (*_INPUT_LIMITS, "-format_whitelist", CONTAINERS)
"""Before the name of a chunk."""
LIST_OPTIONS: Final = (
    *(*_INPUT_LIMITS, "-format_whitelist", f"concat,{CONTAINERS}"),
    *("-f", "concat", "-safe", "1", "-auto_convert", "0", "-copyts"),
)
"""Before the name of a list of files: one that we have written, of chunks that are no lists. Moments stay as the list has
them: else all would move to where the sound begins, which an encoder does some milliseconds before anything is heard."""
METADATA_FREE_OPTIONS: Final = ("-map_metadata", "-1", "-map_chapters", "-1", "-fflags", "+bitexact")
"""What is made says nothing of who made it, when, where or with what; and is the same each time."""
ENVIRONMENT: Final = {"GCONV_PATH": os.devnull, "LC_ALL": "C"}
"""All of it: credentials are none of its business. A statically linked ffmpeg dies of a machine's own tables of character
sets, which it would look for as soon as a transport stream says its name."""
MAX_RUN_SECONDS: Final = 4 * 3600
_KEPT_BYTES: Final = 16 * 1024
"""Of what a run says: its beginning and its end, where it complains. Each so many bytes."""
_MAX_MATCHED_LINES: Final = 64
"""So many of the lines that somebody waits for, wherever they are said: two a run are expected."""


class InputRefused(Exception):
    """ffmpeg can do nothing with what it was given: nor will it the next time."""


class FfmpegFailed(Exception):
    """ffmpeg is not there, was killed, or is broken."""


class FfmpegRun:
    """A run of ffmpeg."""

    def __init__(self, process: Process, awaited: re.Pattern[bytes] | None = None) -> None:
        self.process = process
        self._head, self._tail = b"", b""
        self._pattern = awaited
        self._matches: list[re.Match[bytes]] = []
        self._reader = threading.Thread(target=self._read_stderr, daemon=True)
        self._reader.start()

    @property
    def input(self) -> IO[bytes]:
        """Where it reads."""
        if self.process.stdin is None:
            raise ValueError("it reads nothing")
        return self.process.stdin

    @property
    def output(self) -> IO[bytes]:
        """What it writes."""
        if self.process.stdout is None:
            raise ValueError("it writes nothing")
        return self.process.stdout

    def stderr_text(self) -> str:
        """What it has said, once it has ended: for us to read, not for a log."""
        self._reader.join()
        return (self._head + b"\n" + self._tail).decode(errors="replace")

    def matched_lines(self) -> list[re.Match[bytes]]:
        """The whole lines that somebody has waited for, once it has ended."""
        self._reader.join()
        return self._matches

    def _read_stderr(self) -> None:
        said, line = self.process.stderr, b""
        while said is not None and (piece := os.read(said.fileno(), 4096)):
            if len(self._head) < _KEPT_BYTES:
                self._head += piece
            else:
                self._tail = (self._tail + piece)[-_KEPT_BYTES:]
            if self._pattern is not None:
                *lines, line = (line + piece).split(b"\n")
                line = line[:_KEPT_BYTES]  # its beginning says already that it is none of them
                self._match_lines(self._pattern, lines)

    def _match_lines(self, awaited: re.Pattern[bytes], lines: Sequence[bytes]) -> None:
        found = (awaited.fullmatch(line) for line in lines)
        self._matches += [match for match in found if match][: _MAX_MATCHED_LINES - len(self._matches)]


class Ffmpeg:
    """Starts runs, one or several at once, and knows for how long there was any."""

    def __init__(
        self, path: str, folder: Path, stopping: JobTermination, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.folder = folder
        """Where the names of files that runs are given are."""
        self._path = path
        self._termination = stopping
        self._clock = clock
        self._lock = threading.Lock()
        self._running_count, self._counted_at, self._busy_seconds = 0, 0.0, 0.0

    @property
    def milliseconds(self) -> int:
        """How long ffmpeg has worked."""
        return round(self._busy_seconds * 1000)

    def run(self, *arguments: str) -> None:
        """Runs it to its end."""
        with self.start(*arguments):
            pass

    @contextmanager
    def start(
        self,
        *arguments: str,
        feeds: bool = False,
        gives: bool = False,
        seconds: float = MAX_RUN_SECONDS,
        awaited: re.Pattern[bytes] | None = None,
    ) -> Iterator[FfmpegRun]:
        """A run that reads what it is fed, or writes what it gives, through pipes. Lines that are awaited are picked out.

        It is waited for at the end of the block, and killed where the block is left with an exception. Raises Refused
        when it says that it cannot, or takes too long for it; FfmpegFailed when it was not itself that ended it.
        """
        process = self._termination.start(lambda: self._popen(arguments, feeds=feeds, gives=gives))
        self._count_run(1)
        running = FfmpegRun(process, awaited)
        timer = threading.Timer(seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            with suppress(BrokenPipeError):  # it ended before it had read all: how it ended says why
                yield running
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
            running.stderr_text()
            for pipe in (process.stdin, process.stdout, process.stderr):
                if pipe is not None:
                    _close(pipe)
        self._termination.raise_if_requested()
        if process.returncode > 0 or not in_time:
            raise InputRefused
        if process.returncode < 0:
            raise FfmpegFailed("it was killed")

    def _popen(self, arguments: Sequence[str], *, feeds: bool, gives: bool) -> Process:
        command = [self._path, "-nostdin", "-hide_banner", "-nostats", "-loglevel", "info", "-y", *arguments]
        try:
            return subprocess.Popen(  # noqa: S603 - a list, of our own words and names
                command,
                cwd=self.folder,
                env=ENVIRONMENT,
                stdin=subprocess.PIPE if feeds else subprocess.DEVNULL,
                stdout=subprocess.PIPE if gives else subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise FfmpegFailed("it does not start") from error

    def _count_run(self, more: int) -> None:
        """Runs at the same time count once."""
        with self._lock:
            now = self._clock()
            if self._running_count:
                self._busy_seconds += now - self._counted_at
            self._counted_at = now
            self._running_count += more


def _close(pipe: IO[bytes]) -> None:
    """What could not be written any more is not missed: how the run ended has been asked."""
    with suppress(BrokenPipeError):
        pipe.close()

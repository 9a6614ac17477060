"""Output of the commands to a terminal or a pipe, which may be closed before a command ends."""

import errno
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

WAITING_REPORT_SECONDS = 10.0
"""Time between two lines about a step that takes long."""
PIPE_WIDTH = 160
"""Width in characters of output that goes to a pipe."""


def create_console() -> Console:
    """Return a console of the library `rich` for standard output. In a pipe, its lines have the width `PIPE_WIDTH`."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def format_count(count: int, noun: str) -> str:
    """Return a number with a noun, in the plural unless the number is 1."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


@contextmanager
def report_waiting(print_line: Callable[[str], object]) -> Iterator[None]:
    """Print a line every few seconds while the block runs, because a log shows no animated status."""
    start, end = time.monotonic(), threading.Event()

    def report_until_end() -> None:
        while not end.wait(WAITING_REPORT_SECONDS):
            print_line(f"  … {time.monotonic() - start:.0f} s")

    thread = threading.Thread(target=report_until_end, name="waiting", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


class _Output(io.FileIO):
    """Output file that discards what is written after the pipe's reader has closed it, or the terminal is closed."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in {errno.EPIPE, errno.EIO}:  # EIO: the terminal is closed
                raise
            return memoryview(data).nbytes


def survive_closed_output() -> None:
    """Let the command continue if the reader of its output ends first, for example in `make preview | head`, or if its
    terminal is closed.

    The rest of the output is discarded. Otherwise, an error would end the command in the middle of its work, for example
    while a rollout returns the traffic, and its exit status would not show the result.
    """
    sys.stdout, sys.stderr = _open_output(sys.stdout), _open_output(sys.stderr)


def _open_output(stream: TextIO) -> TextIO:
    output = _Output(stream.fileno(), "w", closefd=False)
    # Each line is written at once, even to a pipe, because some commands run until Ctrl-C.
    return io.TextIOWrapper(
        io.BufferedWriter(output), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )

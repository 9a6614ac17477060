"""Output of the local commands to a terminal or a pipe, which its reader may close before a command ends."""

import io
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIPE_WIDTH = 160
"""Width in characters of output that goes to a pipe."""


def create_console() -> Console:
    """Return a console of the library `rich` for standard output. In a pipe, its lines have the width `PIPE_WIDTH`."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def format_count(count: int, noun: str) -> str:
    """Return a number with a noun, in the plural unless the number is 1."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _OutputPipe(io.FileIO):
    """Output file that discards what is written after the reader of the pipe has closed it."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def survive_closed_pipes() -> None:
    """Let the command continue if the reader of its output ends first, for example in `make preview | head`.

    The rest of the output is discarded. Otherwise, a BrokenPipeError would end the command in the middle of its work, and
    its exit status would not show the result.
    """
    sys.stdout, sys.stderr = _open_output(sys.stdout), _open_output(sys.stderr)


def _open_output(stream: TextIO) -> TextIO:
    pipe = _OutputPipe(stream.fileno(), "w", closefd=False)
    # Each line is written at once, even to a pipe, because some commands run until Ctrl-C.
    return io.TextIOWrapper(
        io.BufferedWriter(pipe), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )

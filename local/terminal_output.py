"""Output of the local commands, on a terminal or in a pipe: the rich console that they print to, and streams whose pipe
may be closed.
"""

import io
import sys
from typing import TYPE_CHECKING, TextIO

from rich.console import Console

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

PIPE_WIDTH = 160
"""Width in characters of output that goes to a pipe."""


def create_console() -> Console:
    """Return standard output as a rich console, with the terminal's width or, in a pipe, `PIPE_WIDTH`."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)


def format_count(count: int, noun: str) -> str:
    """Return a number with a noun, in the plural unless the number is 1."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


class _OutputPipe(io.FileIO):
    """File descriptor of a pipe. It discards what is written after the reader has closed the pipe."""

    def write(self, data: "ReadableBuffer", /) -> int:
        try:
            return super().write(data)
        except BrokenPipeError:
            return memoryview(data).nbytes


def survive_closed_pipes() -> None:
    """Let the command continue if the reader of its output ends first, for example in `make preview | head`.

    The command discards the rest of its output, and its exit status is that of its work: it shows whether a stack can
    be deployed, and a deployment is not left half done.
    """
    sys.stdout, sys.stderr = _open_output(sys.stdout), _open_output(sys.stderr)


def _open_output(stream: TextIO) -> TextIO:
    pipe = _OutputPipe(stream.fileno(), "w", closefd=False)
    # Each line is written at once, also to a pipe, because some commands run until Ctrl-C.
    return io.TextIOWrapper(
        io.BufferedWriter(pipe), encoding=stream.encoding, errors=stream.errors, line_buffering=True
    )

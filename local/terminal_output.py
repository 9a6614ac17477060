"""Output of the local commands: the rich console that they print to, on a terminal or in a pipe."""

import sys

from rich.console import Console

PIPE_WIDTH = 160
"""Width in characters of output that goes to a pipe."""


def create_console() -> Console:
    """Return standard output as a rich console, with the terminal's width or, in a pipe, `PIPE_WIDTH`."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)

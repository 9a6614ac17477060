"""Where commands print."""

import sys

from rich.console import Console

PIPE_WIDTH = 160


def terminal() -> Console:
    """Standard output: as wide as the terminal is; in a pipe wide enough that lines stay whole."""
    return Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)

"""Progress of `make up` and `make down`: a live display on a terminal, plain lines in a pipe, and a summary at the end.

The engine (`engine.py`) reports the start and the end of its work on each resource.
"""

import sys
import threading
import time
from collections import Counter
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from local.platform.resource_change_planning import ResourceAction

PAST_TENSES = {
    ResourceAction.CREATE: "created",
    ResourceAction.UPDATE: "updated",
    ResourceAction.REPLACE: "replaced",
    ResourceAction.DELETE: "deleted",
    ResourceAction.SAME: "unchanged",
}
COLOURS = {
    ResourceAction.CREATE: "green",
    ResourceAction.UPDATE: "yellow",
    ResourceAction.REPLACE: "magenta",
    ResourceAction.DELETE: "red",
    ResourceAction.SAME: "dim",
}


class Progress:
    """Receiver of the engine's reports. Several threads call its methods. This base class ignores the reports."""

    def on_start(self, urn: str, action: ResourceAction, /) -> None:
        """Handle the start of work on a resource."""

    def on_finish(self, urn: str, action: ResourceAction, seconds: float, /) -> None:
        """Handle the end of work on a resource. For an unchanged resource, `on_start` is not called before."""

    def on_failure(self, urn: str, message: str, /) -> None:
        """Handle the failure of work on a resource."""


class SilentProgress(Progress):
    """Receiver that prints nothing."""


class ProgressReporter(Progress):
    """Receiver that prints a line for each changed or failed resource.

    A terminal also shows the ten resources on which work has lasted longest, with their times.
    """

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        """Console to which everything is printed."""
        self._current: dict[str, tuple[ResourceAction, float]] = {}
        """Action and start time of the work in progress on each resource, by URN."""
        self._counts: Counter[ResourceAction] = Counter()
        self._failures: dict[str, str] = {}
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._live = Live(
            console=self.console, refresh_per_second=8, transient=True, get_renderable=self._render_current_steps
        )

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live.is_started:
            self._live.stop()

    def on_start(self, urn: str, action: ResourceAction, /) -> None:
        """Show the resource while the work lasts."""
        with self._lock:
            self._current[urn] = (action, time.monotonic())

    def on_finish(self, urn: str, action: ResourceAction, seconds: float, /) -> None:
        """Print a line, unless the resource is unchanged."""
        with self._lock:
            self._current.pop(urn, None)
            self._counts[action] += 1
        if action is not ResourceAction.SAME:
            self._print(
                Text.assemble(
                    (f"  {PAST_TENSES[action]:<9} ", COLOURS[action]),
                    f"{display_name(urn)} ",
                    (format_duration(seconds), "dim"),
                )
            )

    def on_failure(self, urn: str, message: str, /) -> None:
        """Print the complete URN and the error message."""
        with self._lock:
            self._current.pop(urn, None)
            self._failures[urn] = message
        self._print(
            Text.assemble(
                ("  failed    ", "bold red"), f"{display_name(urn)}\n            {urn}\n            {message}"
            )
        )

    def summary(self) -> str:
        """Return one line with the number of resources for each action, and the time since the start."""
        parts = [f"{count} {PAST_TENSES[action]}" for action in ResourceAction if (count := self._counts[action])]
        if self._failures:
            parts.append(f"{len(self._failures)} failed")
        return f"{', '.join(parts) or 'nothing to do'} in {format_duration(time.monotonic() - self._start)}"

    def print_line(self, line: str) -> None:
        """Print a line of text."""
        self._print(Text(line))

    def _print(self, line: Text) -> None:
        self.console.print(line)

    def _render_current_steps(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            current = sorted(self._current.items(), key=lambda item: item[1][1])
        for urn, (action, since) in current[:10]:
            table.add_row(
                f"  {action} …", display_name(urn), Text(format_duration(time.monotonic() - since), style="dim")
            )
        return table


def display_name(urn: str) -> str:
    """Return the Pulumi name and the kind of a resource, for example `intake-queue (Queue)`."""
    _, _, kinds, name = urn.split("::", 3)
    return f"{name} ({kinds.rpartition('$')[2].rpartition(':')[2]})"


def format_duration(seconds: float) -> str:
    """Return a duration in seconds, or in milliseconds if it is shorter than one second."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

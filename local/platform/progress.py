"""Progress of `make up`: a line for each failed or changed resource, and a summary at the end.

The engine (`engine.py`) reports the end of its work on each resource. A subsystem is one of the program's backends, or
their common foundation. The Pulumi name of a resource begins with it.
"""

import sys
import threading
import time
from collections import Counter
from typing import Self

from rich.console import Console
from rich.text import Text

from guardrails.subsystem_of_resource import parse_subsystem
from local.platform.deployer import Action

RESULTS = {
    Action.CREATE: ("created", "green"),
    Action.UPDATE: ("updated", "yellow"),
    Action.REPLACE: ("replaced", "magenta"),
    Action.DELETE: ("deleted", "red"),
    Action.SAME: ("unchanged", "dim"),
}
"""Word and colour for a resource on which the action is finished."""


class Progress:
    """Receiver of the engine's reports. Several threads call its methods. This base class ignores the reports."""

    def on_finish(self, urn: str, action: Action, seconds: float, /) -> None:
        """Handle the end of work on a resource."""

    def on_failure(self, urn: str, message: str, /) -> None:
        """Handle the failure of work on a resource."""


class ProgressReporter(Progress):
    """Receiver that prints a line for each failed resource, and also for each changed one if `lists_resources` is true.

    A terminal also shows a spinner.
    """

    def __init__(self, console: Console | None = None, *, lists_resources: bool = False) -> None:
        self.console = console or Console(file=sys.stdout, highlight=False, soft_wrap=True)
        """Console to which everything is printed."""
        self.lists_resources = lists_resources
        self._counts: Counter[tuple[str, Action]] = Counter()
        """Number of finished resources by subsystem and action."""
        self._failures = 0
        self._lock = threading.Lock()
        self._start = time.monotonic()
        self._spinner = self.console.status("deploying")

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._spinner.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._spinner.stop()

    def on_finish(self, urn: str, action: Action, seconds: float, /) -> None:
        """Count the resource, and print a line if it has changed and lines are wanted."""
        with self._lock:
            self._counts[_subsystem(urn), action] += 1
        if self.lists_resources and action is not Action.SAME:
            word, colour = RESULTS[action]
            duration = (format_duration(seconds), "dim")
            self.console.print(Text.assemble((f"  {word:<9} ", colour), f"{display_name(urn)} ", duration))

    def on_failure(self, urn: str, message: str, /) -> None:
        """Print the complete URN and the error message."""
        with self._lock:
            self._failures += 1
        lines = (display_name(urn), urn, message)
        self.console.print(Text.assemble(("  failed    ", "bold red"), f"\n{' ' * 12}".join(lines)))

    def summary(self) -> str:
        """Return one line with the number of resources for each action, and the time since the start."""
        parts = _count_actions(self._counts)
        if self._failures:
            parts.append(f"{self._failures} failed")
        return f"{', '.join(parts) or 'nothing to do'} in {format_duration(time.monotonic() - self._start)}"

    def print_subsystems(self) -> None:
        """Print a line with the number of resources of each subsystem."""
        for name in sorted({subsystem for subsystem, _ in self._counts}):
            counts = Counter({key: count for key, count in self._counts.items() if key[0] == name})
            self.print_line(f"  {name:<14} {', '.join(_count_actions(counts))}")

    def print_line(self, line: str) -> None:
        """Print a line of text."""
        self.console.print(Text(line))


def _count_actions(counts: Counter[tuple[str, Action]]) -> list[str]:
    """Return the number of resources for each action, for example `12 created`."""
    totals = Counter[Action]()
    for (_, action), count in counts.items():
        totals[action] += count
    return [f"{totals[action]} {RESULTS[action][0]}" for action in Action if totals[action]]


def _subsystem(urn: str) -> str:
    return parse_subsystem(urn.rpartition("::")[2])


def display_name(urn: str) -> str:
    """Return the Pulumi name and the kind of a resource, for example `intake-queue (Queue)`."""
    _, _, kinds, name = urn.split("::", 3)
    return f"{name} ({kinds.rpartition('$')[2].rpartition(':')[2]})"


def format_duration(seconds: float) -> str:
    """Return a duration in seconds, or in milliseconds if it is shorter than one second."""
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"

"""Fault injection for the local AWS Batch: a file in the platform's folder names the queues that fail and how they fail.

The file is read before each attempt, and repeatedly while a job waits for a machine. So a test can set and clear faults
while the platform is running.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "emulator/batch-faults.json"
"""File below the platform's folder. It is removed with the emulator's other temporary files."""


@dataclass(frozen=True)
class QueueFault:
    """Fault of one queue. By default, the queue has none."""

    reclaimed_attempts: int = 0
    """Number of attempts of each job that Fargate Spot interrupts, beginning with the first."""
    reclaim_at: str = ""
    """Text in the log line at which an attempt is interrupted. By default, this is the first line, because every line
    contains the empty text."""
    no_capacity: bool = False
    """True if no job of the queue gets a machine. Its jobs then stay RUNNABLE."""


def set_faults(folder: Path, faults: Mapping[str, QueueFault]) -> None:
    """Set the faults by queue name. All other queues have none from now on."""
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps({queue: asdict(fault) for queue, fault in faults.items()}), encoding="utf-8")
    partial.replace(folder / FILE)


def read_fault(folder: Path, queue: str) -> QueueFault:
    """Return the fault of a queue."""
    try:
        faults = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return QueueFault()
    return QueueFault(**faults.get(queue, {}))

"""Faults of the local AWS Batch: a file in the platform's folder names the queues that fail and how they fail.

The file is read before each attempt, so a test can set and clear faults while the platform is running.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "emulator/batch-faults.json"
"""Below the platform's folder. It is removed with the emulator's other temporary files."""


@dataclass(frozen=True)
class QueueFault:
    """The fault of one queue."""

    reclaimed: int = 0
    """Number of attempts of each job that Fargate Spot interrupts, beginning with the first."""
    at: str = ""
    """Text in the log line at which the interruption happens. By default, that is the first line."""
    no_capacity: bool = False
    """True if no job of the queue gets a machine, so jobs stay RUNNABLE."""


def set_faults(folder: Path, faults: Mapping[str, QueueFault]) -> None:
    """Set the faults by queue name. All other queues have none."""
    partial = folder / f"{NAME}.partial"
    partial.write_text(json.dumps({queue: asdict(fault) for queue, fault in faults.items()}), encoding="utf-8")
    partial.replace(folder / NAME)


def read_fault(folder: Path, queue: str) -> QueueFault:
    """Return the fault of a queue."""
    try:
        faults = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return QueueFault()
    return QueueFault(**faults.get(queue, {}))

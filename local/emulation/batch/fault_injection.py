"""Fault injection for the local AWS Batch: missing capacity, and interruptions by Fargate Spot.

A test writes the faults of each job queue to a file in the platform's folder. Batch reads the file before each attempt
of a job, and repeatedly while a job waits for capacity, so faults can change while the platform is running.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

FILE = "emulator/batch-faults.json"
"""File below the platform's folder. It is removed with the emulator's other temporary files."""


@dataclass(frozen=True)
class QueueFault:
    """Faults of the jobs of one queue. With the defaults, there are none."""

    reclaimed_attempts: int = 0
    """Number of attempts of each Fargate Spot job that are interrupted (reclaimed), beginning with the first."""
    reclaim_at_text: str = ""
    """An attempt is interrupted at the first line of output that contains this text. By default, at the first line."""
    no_capacity: bool = False
    """True if the queue has no capacity, so that its jobs stay RUNNABLE."""


def set_faults(folder: Path, faults: Mapping[str, QueueFault]) -> None:
    """Set the faults by queue name, and remove those of all other queues."""
    partial = folder / f"{FILE}.partial"
    partial.write_text(json.dumps({queue: asdict(fault) for queue, fault in faults.items()}), encoding="utf-8")
    partial.replace(folder / FILE)


def read_fault(folder: Path, queue: str) -> QueueFault:
    try:
        faults = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return QueueFault()
    return QueueFault(**faults.get(queue, {}))

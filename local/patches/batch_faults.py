"""How tests have the local AWS Batch fail: a file in the emulator's folder says what goes wrong with which queue. Pure.

It is read when an attempt is to start, so that a fault can come and go while the platform is up.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

NAME = "emulator/batch-faults.json"
"""Below the platform's folder, among what ends with the emulator."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong with the jobs of a queue."""

    reclaimed: int = 0
    """Of each job, as many first attempts are interrupted as Fargate Spot does it."""
    at: str = ""
    """An attempt is interrupted when a line of its log has this text: by default, at its first line."""
    no_capacity: bool = False
    """Jobs stay RUNNABLE."""
    detected: bool = False
    """Batch says why they do, so that the queue's time limit acts. Its guide speaks of EC2 instances alone there, so on
    Fargate nobody should build on it."""


NONE = Fault()


def tell(folder: Path, faults: Mapping[str, Fault]) -> None:
    """From now on, these queues have these faults, and no others have any."""
    partial = folder / f"{NAME}.partial"
    partial.write_text(json.dumps({queue: asdict(one) for queue, one in faults.items()}), encoding="utf-8")
    partial.replace(folder / NAME)


def told(folder: Path, queue: str) -> Fault:
    """The fault of a queue, by name."""
    try:
        known = json.loads((folder / NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return NONE
    return Fault(**known[queue]) if queue in known else NONE

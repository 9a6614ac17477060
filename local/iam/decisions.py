"""The record of IAM decisions on roles: one JSON line each, written by the launcher, read by whoever judges grants.

It begins anew with each emulator.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from local.iam.evaluator import Verdict

SERVICE = "service"
CLOCK = "clock"
"""Who decided on what a schedule did: when it does it is nobody's doing, so it proves no flow's need of a grant."""


@dataclass(frozen=True)
class Decision:
    """What one role wanted to do, and whether it might."""

    role: str
    action: str
    resource: str
    verdict: Verdict
    by: str
    """Who decided: the emulator, the role's document (where the emulator is known to be wrong), or for a service."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}: {self.verdict}"


class Recorder:
    """Writes decisions. Used from several threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._path.write_text("", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        """Writes a decision down."""
        line = f"{json.dumps(asdict(decision))}\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def read(path: Path, offset: int = 0) -> list[Decision]:
    """Every decision that was recorded after the first `offset` bytes."""
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode().splitlines()
    return [Decision(**{**known, "verdict": Verdict(known["verdict"])}) for known in map(json.loads, lines)]

"""The record of IAM decisions on roles: one JSON line each, written by the launcher, read by whoever judges grants.

The same decision is written once: what counts is which grants were used, not how often.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from local.iam.evaluator import Verdict


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
        self._path.touch(mode=0o600)
        self._last: dict[tuple[str, str, str], Verdict] = {}
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        """Writes a decision down, unless it was the last one on its subject."""
        subject = (decision.role, decision.action, decision.resource)
        with self._lock:
            if self._last.get(subject) is decision.verdict:
                return
            self._last[subject] = decision.verdict
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{json.dumps(asdict(decision))}\n")


def read(path: Path, offset: int = 0) -> list[Decision]:
    """Every decision that was recorded after the first `offset` bytes."""
    with path.open("rb") as file:
        file.seek(offset)
        lines = file.read().decode().splitlines()
    return [Decision(**{**known, "verdict": Verdict(known["verdict"])}) for known in map(json.loads, lines)]

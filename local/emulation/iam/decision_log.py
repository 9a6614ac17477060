"""The record of IAM decisions on roles: one JSON line each, written by the launcher, read by whoever judges grants.

It begins anew with each emulator.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from local.emulation.iam.policy_evaluator import AccessVerdict

_FILE = "decisions.jsonl"
"""In the emulator's folder."""
BY_SERVICE = "service"
BY_SCHEDULE = "clock"
"""Who decided on what a schedule did: when it does it is nobody's doing, so it proves no flow's need of a grant."""


@dataclass(frozen=True)
class Decision:
    """What one role wanted to do, and whether it might."""

    role: str
    action: str
    resource: str
    verdict: AccessVerdict
    by: str
    """Who decided: the emulator, the role's document (where the emulator is known to be wrong), or for a service."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}: {self.verdict}"


class DecisionRecorder:
    """Writes decisions. Used from several threads."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._path.write_text("", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        """Writes a decision down."""
        line = f"{json.dumps(asdict(decision))}\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def log_size(folder: Path) -> int:
    """Where the record in an emulator's folder ends now, in bytes: what comes later is read from there."""
    return len(_whole_lines(folder, 0))


def read_decisions(folder: Path, offset: int = 0) -> list[Decision]:
    """Every decision that was recorded in an emulator's folder after the first `offset` bytes."""
    lines = _whole_lines(folder, offset).splitlines()
    return [Decision(**{**known, "verdict": AccessVerdict(known["verdict"])}) for known in map(json.loads, lines)]


def _whole_lines(folder: Path, offset: int) -> bytes:
    """Without the line that the emulator may be writing: a reader sees a line that crosses a page in two parts."""
    with (folder / _FILE).open("rb") as file:
        file.seek(offset)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]

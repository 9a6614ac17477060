"""Log of the IAM decisions about roles, one JSON line per decision.

The emulator's process writes it, and the comparison of grants with their use (`grant_usage.py`) reads it. Each start of
an emulator clears the log.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from local.emulation.iam.policy_evaluator import AccessVerdict

_FILE = "decisions.jsonl"
"""File in the emulator's folder."""
BY_EMULATOR = "emulator"
"""Value of `Decision.by` for decisions that the emulator makes correctly."""
BY_DOCUMENT = "document"
"""Value of `Decision.by` for decisions from the documents of the role's policies. The emulator is known to make these
decisions wrongly or not at all."""
BY_SERVICE = "service"
"""Value of `Decision.by` for calls that an AWS service makes with a role."""
BY_SCHEDULE = "clock"
"""Value of `Decision.by` for calls of a schedule. The time of such a call does not depend on a flow, so the call does
not prove that a flow needs the grant."""


@dataclass(frozen=True)
class Decision:
    """Decision whether a role may perform an action."""

    role: str
    action: str
    resource: str
    verdict: AccessVerdict
    by: str
    """Origin of the decision: BY_EMULATOR, BY_DOCUMENT, BY_SERVICE or BY_SCHEDULE."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}: {self.verdict}"


class DecisionRecorder:
    """Writer of decisions. Several threads use it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._path.write_text("", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        """Append a decision to the log."""
        line = f"{json.dumps(asdict(decision))}\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def log_size(folder: Path) -> int:
    """Return the size of the log in an emulator's folder, in bytes. Later decisions can be read from that offset."""
    return len(_read_complete_lines(folder, 0))


def read_decisions(folder: Path, offset: int = 0) -> list[Decision]:
    """Return the decisions that were logged in an emulator's folder after the first `offset` bytes."""
    lines = _read_complete_lines(folder, offset).splitlines()
    return [Decision(**{**fields, "verdict": AccessVerdict(fields["verdict"])}) for fields in map(json.loads, lines)]


def _read_complete_lines(folder: Path, offset: int) -> bytes:
    """Return the complete lines. A reader may see only the first part of a line that the emulator is writing."""
    with (folder / _FILE).open("rb") as file:
        file.seek(offset)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]

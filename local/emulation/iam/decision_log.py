"""Log of IAM decisions: whether a role was allowed to perform an action. Each decision is one line of JSON.

The emulator writes the log and clears it at its start. `grant_usage.py` compares the decisions with the permissions of
the roles, to find unused and missing permissions.
"""

import json
import threading
from dataclasses import asdict, dataclass
from pathlib import Path

from local.emulation.iam.policy_evaluator import AccessVerdict

_FILE = "decisions.jsonl"
"""File in the emulator's folder."""
BY_EMULATOR = "emulator"
"""Value of `Decision.by` if the emulator's own IAM decided."""
BY_OWN_EVALUATOR = "document"
"""Value of `Decision.by` if our own evaluator decided from the role's policies, because the emulator would decide
wrongly or not at all."""
BY_SERVICE = "service"
"""Value of `Decision.by` for the call of an AWS service that uses a role, or a request to a service that we emulate."""
BY_SCHEDULE = "clock"
"""Value of `Decision.by` for a call that a schedule makes. Schedules also run if nobody uses the backends, so the call
does not prove that the permission is needed."""


@dataclass(frozen=True)
class Decision:
    role: str
    action: str
    resource: str
    verdict: AccessVerdict
    by: str

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}: {self.verdict}"


class DecisionRecorder:
    """Writer of the log. Several threads may use it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _FILE
        self._path.write_text("", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        line = f"{json.dumps(asdict(decision))}\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def log_size(folder: Path) -> int:
    """Return the present size of the log in bytes. As `offset` of `read_decisions`, it selects later decisions.

    `folder` is the emulator's folder.
    """
    return len(_read_complete_lines(folder, 0))


def read_decisions(folder: Path, offset: int = 0) -> list[Decision]:
    """Return the decisions after the first `offset` bytes of the log. `folder` is the emulator's folder."""
    lines = _read_complete_lines(folder, offset).splitlines()
    return [Decision(**{**fields, "verdict": AccessVerdict(fields["verdict"])}) for fields in map(json.loads, lines)]


def _read_complete_lines(folder: Path, offset: int) -> bytes:
    """Return the lines after `offset`, without the last one if the emulator has not written it completely."""
    with (folder / _FILE).open("rb") as file:
        file.seek(offset)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]

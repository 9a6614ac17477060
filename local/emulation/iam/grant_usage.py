"""Log of IAM decisions, and the comparison of the roles' permissions with it, for the demo and the end-to-end tests.

The emulator writes each decision about an action of a role as one line of JSON, and clears the log at its start. The
demo and the tests use the backends from end to end, and then compare the decisions with the grants. A grant is the
permission of a role for one action on one resource. A grant that allowed no call is a problem, unless
`reviewed_grants.toml` gives a reason for it. A refused call is always a problem.
"""

import fnmatch
import json
import re
import threading
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from local.emulation.iam.policy_evaluator import AccessVerdict, as_list, matches_action, matches_pattern

_LOG_FILE = "decisions.jsonl"
"""File in the emulator's folder, which is `folder` in this module."""
REVIEWED_GRANTS_FILE = Path(__file__).with_name("reviewed_grants.toml")


@dataclass(frozen=True)
class Decision:
    """Decision about an action of a role."""

    role: str
    action: str
    resource: str
    verdict: AccessVerdict
    by_schedule: bool = False
    """True for a call that a schedule makes. Schedules also run if nobody uses the backends, so the call does not prove
    that the permission is needed."""

    def __str__(self) -> str:
        return f"{self.role}: {self.action} on {self.resource}: {self.verdict}"


class DecisionRecorder:
    """Writer of the log, in the emulator's process. Several threads may use it."""

    def __init__(self, folder: Path) -> None:
        """Clear the log."""
        self._path = folder / _LOG_FILE
        self._path.write_text("", encoding="utf-8")
        self._lock = threading.Lock()

    def record(self, decision: Decision) -> None:
        line = f"{json.dumps(asdict(decision))}\n"
        with self._lock, self._path.open("a", encoding="utf-8") as file:
            file.write(line)


def log_size(folder: Path) -> int:
    """Return the present size of the log in bytes. As `offset` of `read_decisions`, it selects later decisions."""
    return len(_read_complete_lines(folder, 0))


def read_decisions(folder: Path, offset: int = 0) -> list[Decision]:
    """Return the decisions after the first `offset` bytes of the log."""
    lines = _read_complete_lines(folder, offset).splitlines()
    return [Decision(**{**fields, "verdict": AccessVerdict(fields["verdict"])}) for fields in map(json.loads, lines)]


def _read_complete_lines(folder: Path, offset: int) -> bytes:
    """Return the lines after `offset`, without the last one if the emulator has not written it completely."""
    with (folder / _LOG_FILE).open("rb") as file:
        file.seek(offset)
        written = file.read()
    return written[: written.rfind(b"\n") + 1]


@dataclass(frozen=True, order=True)
class RoleGrant:
    """Permission of a role for one action on one resource. Action and resource can be patterns, as in a policy."""

    role: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.role} may {self.action} on {self.resource}"

    def covers(self, decision: Decision) -> bool:
        """Return True if role, action and resource match. A policy variable in the grant matches any text."""
        return (
            decision.role == self.role
            and matches_action(decision.action, self.action)
            and matches_pattern(decision.resource, re.sub(r"\$\{[^}]*\}", "*", self.resource))
        )


@dataclass(frozen=True)
class ReviewedGrant:
    """Entry of `reviewed_grants.toml`: grants that may stay unused, with the reason."""

    role: str
    """Pattern of role names without the prefix that all names of the stack have, for example `ingestion-*`."""
    actions: tuple[str, ...]
    reason: str

    def covers(self, granted: RoleGrant, prefix: str) -> bool:
        """Return True if this entry is about the grant. `prefix` is the prefix of all names of the stack."""
        return fnmatch.fnmatchcase(granted.role.removeprefix(prefix), self.role) and any(
            fnmatch.fnmatchcase(granted.action, action) for action in self.actions
        )


@dataclass(frozen=True)
class GrantComparison:
    """Result of a comparison of grants with decisions."""

    used: tuple[RoleGrant, ...]
    """Grants that allowed at least one call that no schedule made."""
    reviewed: tuple[RoleGrant, ...]
    """Unused grants that `reviewed_grants.toml` lists."""
    never_used: tuple[RoleGrant, ...]
    """Unused grants that `reviewed_grants.toml` does not list."""
    not_granted: tuple[Decision, ...]
    """Decisions that refused a call, each only once."""
    stale: tuple[ReviewedGrant, ...]
    """Entries of `reviewed_grants.toml` that match no unused grant, so they can be removed."""

    def problems(self) -> list[str]:
        """Return a sentence for each refused call, unused grant without a reason, and stale entry."""
        return [
            *(f"used and not granted: {decision}" for decision in self.not_granted),
            *(
                f"granted and never used: {grant}; remove the grant, or give the reason in {REVIEWED_GRANTS_FILE.name}"
                for grant in self.never_used
            ),
            *(
                f"{REVIEWED_GRANTS_FILE.name} lists {', '.join(entry.actions)} of {entry.role}, but no unused grant "
                "matches this entry; remove the entry"
                for entry in self.stale
            ),
        ]


def compare_grants(
    granted: Iterable[RoleGrant], decisions: Iterable[Decision], reviewed: Iterable[ReviewedGrant], prefix: str
) -> GrantComparison:
    """Compare grants with decisions. `prefix` is the prefix that all names of the stack have."""
    grants, all_decisions, entries = sorted(set(granted)), list(decisions), list(reviewed)
    allowed = [
        decision for decision in all_decisions if decision.verdict is AccessVerdict.ALLOW and not decision.by_schedule
    ]
    used = [grant for grant in grants if any(grant.covers(decision) for decision in allowed)]
    unused = [grant for grant in grants if grant not in used]
    reviewed_grants = [grant for grant in unused if any(entry.covers(grant, prefix) for entry in entries)]
    return GrantComparison(
        used=tuple(used),
        reviewed=tuple(reviewed_grants),
        never_used=tuple(grant for grant in unused if grant not in reviewed_grants),
        not_granted=tuple(
            dict.fromkeys(decision for decision in all_decisions if decision.verdict is not AccessVerdict.ALLOW)
        ),
        stale=tuple(entry for entry in entries if not any(entry.covers(grant, prefix) for grant in reviewed_grants)),
    )


def list_document_grants(role: str, document: Mapping[str, Any]) -> Iterator[RoleGrant]:
    """Yield the grants in a policy document: one for each action and resource of its statements with `Allow`."""
    for statement in as_list(document["Statement"]):
        if statement["Effect"] == "Allow":
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield RoleGrant(role, action, resource)


def read_stack_grants(iam: Any, prefix: str) -> list[RoleGrant]:
    """Return the grants of the stack's roles, read with a boto3 client of IAM. `prefix` begins the names of the roles."""
    grants: list[RoleGrant] = []
    for page in iam.get_paginator("list_roles").paginate():
        for role in (entry["RoleName"] for entry in page["Roles"] if entry["RoleName"].startswith(prefix)):
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                grants += list_document_grants(role, document)
    return grants


def read_reviewed_grants() -> list[ReviewedGrant]:
    return [
        ReviewedGrant(entry["role"], tuple(entry["actions"]), entry["reason"])
        for entry in tomllib.loads(REVIEWED_GRANTS_FILE.read_text(encoding="utf-8"))["unused"]
    ]

"""Grants against use: what each role was granted, and what the flows were seen to use. Pure but for reading.

Granted and used: as it should be. Granted and never used: an error, unless a person reviewed it. Used and not granted:
always an error, and it names action and role.
"""

import fnmatch
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.emulation.iam.decision_log import BY_SCHEDULE, Decision
from local.emulation.iam.policy_evaluator import AccessVerdict, as_list, matches_action, matches_resource

REVIEWED = Path(__file__).with_name("reviewed_grants.toml")


@dataclass(frozen=True, order=True)
class RoleGrant:
    """One action on one resource."""

    role: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.role} may {self.action} on {self.resource}"

    def covers(self, decision: Decision) -> bool:
        """Whether this is what allowed it; a policy variable stands for whatever it was."""
        return (
            decision.role == self.role
            and matches_action(decision.action, self.action)
            and matches_resource(decision.resource, re.sub(r"\$\{[^}]*\}", "*", self.resource))
        )


@dataclass(frozen=True)
class ReviewedGrant:
    """Grants that may go unused."""

    role: str
    actions: tuple[str, ...]
    reason: str

    def covers(self, granted: RoleGrant, prefix: str) -> bool:
        """Whether it speaks of this grant; `prefix` is what all names of the stack begin with."""
        return fnmatch.fnmatchcase(granted.role.removeprefix(prefix), self.role) and any(
            fnmatch.fnmatchcase(granted.action, action) for action in self.actions
        )


@dataclass(frozen=True)
class GrantsTable:
    """What was found."""

    used: tuple[RoleGrant, ...]
    reviewed: tuple[RoleGrant, ...]
    never_used: tuple[RoleGrant, ...]
    not_granted: tuple[Decision, ...]
    stale: tuple[ReviewedGrant, ...]
    """Reviewed, and yet used or no longer granted."""

    def problems(self) -> list[str]:
        """Everything that somebody has to mend, and where."""
        return [
            *(f"used and not granted: {one}" for one in self.not_granted),
            *(
                f"granted and never used: {one}; take it away, or give the reason in {REVIEWED.name}"
                for one in self.never_used
            ),
            *(
                f"{REVIEWED.name} lists {', '.join(one.actions)} of {one.role}, which is used or not granted: remove it"
                for one in self.stale
            ),
        ]


def compare_grants(
    granted: Iterable[RoleGrant], decisions: Iterable[Decision], reviewed: Iterable[ReviewedGrant], prefix: str
) -> GrantsTable:
    """Holds grants against decisions."""
    grants, seen, excused = sorted(set(granted)), list(decisions), list(reviewed)
    allowed = [one for one in seen if one.verdict is AccessVerdict.ALLOW and one.by != BY_SCHEDULE]
    used = [grant for grant in grants if any(grant.covers(one) for one in allowed)]
    rest = [grant for grant in grants if grant not in used]
    known = [grant for grant in rest if any(one.covers(grant, prefix) for one in excused)]
    return GrantsTable(
        used=tuple(used),
        reviewed=tuple(known),
        never_used=tuple(grant for grant in rest if grant not in known),
        not_granted=tuple(dict.fromkeys(one for one in seen if one.verdict is not AccessVerdict.ALLOW)),
        stale=tuple(one for one in excused if not any(one.covers(grant, prefix) for grant in known)),
    )


def document_grants(role: str, document: Mapping[str, Any]) -> Iterator[RoleGrant]:
    """Every single grant of one policy document."""
    for statement in as_list(document["Statement"]):
        if statement["Effect"] == "Allow":
            for action in as_list(statement["Action"]):
                for resource in as_list(statement["Resource"]):
                    yield RoleGrant(role, action, resource)


def read_stack_grants(iam: Any, prefix: str) -> list[RoleGrant]:
    """What the stack's roles are granted, asked of the service itself."""
    found: list[RoleGrant] = []
    for page in iam.get_paginator("list_roles").paginate():
        for role in (one["RoleName"] for one in page["Roles"] if one["RoleName"].startswith(prefix)):
            for name in iam.list_role_policies(RoleName=role)["PolicyNames"]:
                document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
                found += document_grants(role, document if isinstance(document, Mapping) else json.loads(document))
    return found


def read_reviewed_grants() -> list[ReviewedGrant]:
    """The reviewed file."""
    return [
        ReviewedGrant(one["role"], tuple(one["actions"]), one["reason"])
        for one in tomllib.loads(REVIEWED.read_text(encoding="utf-8"))["unused"]
    ]

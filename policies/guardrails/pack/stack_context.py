"""What the pack must know before the first resource: the environment, the exceptions in force, the stack's tags.

A policy's level is fixed when the pack starts, so all come from the stack's configuration. The pack has no defaults
of its own: without them it does not start. The configuration may hold decrypted secrets and is never printed.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date

ENVIRONMENTS = ("local", "dev", "staging", "prod")


class Unusable(Exception):
    """The pack cannot judge this stack; the message says what the stack file must have."""


@dataclass(frozen=True)
class Waiver:
    """One policy that one resource may break until a day."""

    policy: str
    resource: str
    reason: str
    expires: date

    def holds(self, today: date) -> bool:
        """Whether it is still in force; its last day counts."""
        return today <= self.expires


@dataclass(frozen=True)
class Surroundings:
    """Where the pack runs."""

    environment: str
    waivers: tuple[Waiver, ...]
    today: date
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that are the same on everything of this stack, as far as its configuration says."""

    def waived(self, policy: str, resource: str) -> bool:
        """Whether a resource may break a policy today."""
        return any(one.policy == policy and one.resource == resource and one.holds(self.today) for one in self.waivers)


def read(config: Mapping[str, str], project: str, today: date) -> Surroundings:
    """The surroundings that a stack's configuration (`PULUMI_CONFIG`) says."""
    environment = config.get(f"{project}:environment")
    if environment not in ENVIRONMENTS:
        raise Unusable(f"{project}:environment must be one of {', '.join(ENVIRONMENTS)} in the stack file")
    raw = config.get(f"{project}:exceptions")
    if raw is None:
        raise Unusable(f"{project}:exceptions must be in the stack file; an empty list says that there are none")
    try:
        waivers = tuple(
            Waiver(one["policy"], one["resource"], one["reason"], _day(one["expires"])) for one in json.loads(raw)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise Unusable(
            f"each of {project}:exceptions must have policy, resource, reason and expires (YYYY-MM-DD)"
        ) from error
    return Surroundings(environment, waivers, today, _tags(config, project, environment))


def _day(given: str) -> date:
    """A day that stands in the stack file without quotes comes as its first moment: so the CLI's YAML has it."""
    return date.fromisoformat(given.removesuffix("T00:00:00Z"))


def _tags(config: Mapping[str, str], project: str, environment: str) -> dict[str, str]:
    """The stack's tags; who owns and who pays for it stands in its foundation's settings."""
    tags = {"Project": project, "Environment": environment}
    with suppress(ValueError, AttributeError):  # the program refuses such a file with a better message
        foundation = json.loads(config.get(f"{project}:foundation", "{}"))
        named = {"Owner": foundation.get("owner"), "CostCenter": foundation.get("costCenter")}
        tags |= {tag: value for tag, value in named.items() if isinstance(value, str)}
    return tags

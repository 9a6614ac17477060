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


class InvalidStackConfiguration(Exception):
    """The pack cannot judge this stack; the message says what the stack file must have."""


@dataclass(frozen=True)
class ExceptionEntry:
    """One policy that one resource may break until a day."""

    policy: str
    resource: str
    reason: str
    expires: date

    def is_in_force(self, today: date) -> bool:
        """Whether it is still in force; its last day counts."""
        return today <= self.expires


@dataclass(frozen=True)
class StackContext:
    """Where the pack runs."""

    environment: str
    exceptions: tuple[ExceptionEntry, ...]
    today: date
    tags: Mapping[str, str] = field(default_factory=dict)
    """Tags that are the same on everything of this stack, as far as its configuration says."""

    def is_excepted(self, policy: str, resource: str) -> bool:
        """Whether a resource may break a policy today."""
        return any(
            entry.policy == policy and entry.resource == resource and entry.is_in_force(self.today)
            for entry in self.exceptions
        )


def read_stack_context(config: Mapping[str, str], project: str, today: date) -> StackContext:
    """The surroundings that a stack's configuration (`PULUMI_CONFIG`) says."""
    environment = config.get(f"{project}:environment")
    if environment not in ENVIRONMENTS:
        raise InvalidStackConfiguration(
            f"{project}:environment must be one of {', '.join(ENVIRONMENTS)} in the stack file"
        )
    raw = config.get(f"{project}:exceptions")
    if raw is None:
        raise InvalidStackConfiguration(
            f"{project}:exceptions must be in the stack file; an empty list says that there are none"
        )
    try:
        exceptions = tuple(
            ExceptionEntry(item["policy"], item["resource"], item["reason"], _day(item["expires"]))
            for item in json.loads(raw)
        )
    except (ValueError, TypeError, KeyError) as error:
        raise InvalidStackConfiguration(
            f"each of {project}:exceptions must have policy, resource, reason and expires (YYYY-MM-DD)"
        ) from error
    return StackContext(environment, exceptions, today, _tags(config, project, environment))


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

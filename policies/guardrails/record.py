"""One record a policy: what it is called, whom it judges, how hard, and what to do about a finding."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Props = Mapping[str, Any]
"""A resource's properties. Reading one that is not known yet raises the SDK's UnknownValueError."""


class Level(StrEnum):
    """What a finding does to a deployment."""

    ADVISORY = "advisory"
    MANDATORY = "mandatory"


class Severity(StrEnum):
    """How bad a finding is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Group(StrEnum):
    """What a policy guards; also its chapter in the generated list."""

    LEAST_PRIVILEGE = "least privilege"
    COST = "cost"
    DATA_PROTECTION = "data protection"
    RELIABILITY = "reliability"


@dataclass(frozen=True)
class Levels:
    """How hard a policy is in each environment. Local is judged as dev."""

    dev: Level
    staging: Level = Level.MANDATORY
    prod: Level = Level.MANDATORY

    def of(self, environment: str) -> Level:
        """The level in one environment."""
        return {"prod": self.prod, "staging": self.staging}.get(environment, self.dev)


ALWAYS = Levels(dev=Level.MANDATORY)
NOT_IN_DEV = Levels(dev=Level.ADVISORY)
NEVER_BLOCKS = Levels(dev=Level.ADVISORY, staging=Level.ADVISORY, prod=Level.ADVISORY)


@dataclass(frozen=True)
class Judged:
    """One resource as policies see it, without the SDK."""

    urn: str
    type: str
    name: str
    props: Props
    parent: "Judged | None" = None
    dependencies: tuple["Judged", ...] = ()


@dataclass(frozen=True)
class Finding:
    """What is wrong with one resource, and what to change."""

    message: str
    urn: str = ""
    """Empty where it is the resource being judged, or the stack as a whole."""


@dataclass(frozen=True)
class Policy:
    """What resource and stack policies have in common."""

    name: str
    group: Group
    severity: Severity
    levels: Levels
    description: str
    """One sentence that says what must hold."""
    remedy: str
    """What to change, in a sentence."""
    frameworks: tuple[str, ...] = ()
    """Controls of public frameworks that it truly covers, as `AWS FSBP SQS.1`."""


@dataclass(frozen=True)
class ResourcePolicy(Policy):
    """Judges one resource at a time, by its inputs."""

    types: frozenset[str] = frozenset()
    check: Callable[[Judged], Iterable[str]] = field(default=lambda _: ())


@dataclass(frozen=True)
class StackPolicy(Policy):
    """Judges the whole stack, by what its resources are known to become."""

    check: Callable[[list[Judged]], Iterable[Finding]] = field(default=lambda _: ())

"""One record a policy: what it is called, whom it judges, how hard, and what to do about a finding."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final, NotRequired, TypedDict, TypeVar, Unpack

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.subsystem_names import subsystem
from guardrails.pack.stack_context import Surroundings

Props = Mapping[str, Any]
"""A resource's properties. Reading one that is not known yet raises the SDK's UnknownValueError."""

Limits = Mapping[str, float]
"""A policy's thresholds by name, as the pack's configuration or else the record says."""

REASON: Final = "Reason"
SHORTEST_REASON: Final = 15
"""Characters of the shortest tag that counts as a reason."""
MALFORMED: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What a document raises that is not as its service wants it."""


def unreadable(error: Exception) -> str:
    """The finding about what no check can read: it would end the pack, and with it the whole preview."""
    return f"It holds what cannot be read ({type(error).__name__}: {error})."


class Level(StrEnum):
    """What a finding does to a deployment."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    """The pack mends the resource itself; what is still wrong then is mandatory."""


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
    EXCEPTIONS = "exceptions"


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
OUTSIDE_DEV = Levels(dev=Level.DISABLED)
ONLY_IN_PROD = Levels(dev=Level.DISABLED, staging=Level.ADVISORY)
NEVER_BLOCKS = Levels(dev=Level.ADVISORY, staging=Level.ADVISORY, prod=Level.ADVISORY)
BEFORE_PROD = Levels(dev=Level.ADVISORY, staging=Level.ADVISORY, prod=Level.DISABLED)
REMEDIED = Levels(dev=Level.REMEDIATE, staging=Level.REMEDIATE, prod=Level.REMEDIATE)


@dataclass(frozen=True, eq=False)
class Judged:
    """One resource as policies see it, without the SDK; the same one wherever the stack speaks of it."""

    urn: str
    type: str
    name: str
    props: Props
    surroundings: Surroundings
    parent: "Judged | None" = None
    dependencies: tuple["Judged", ...] = ()
    references: Mapping[str, tuple["Judged", ...]] = field(default_factory=dict)
    """Property → resources whose outputs it is made of: what a property names while its value is not known."""
    limits: Limits = field(default_factory=dict)
    """The thresholds of the policy that judges it by itself; what judges it in its stack finds them there."""

    def at(self, *path: str) -> Any:
        """A property below the first level, or none where one of the levels is absent."""
        value: Any = self.props
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value

    def has(self, key: str) -> bool:
        """Whether a property is given, known or not."""
        return key in list(self.props)

    def explains(self, tag: str = REASON) -> bool:
        """Whether a tag says in some words why the resource is as it is, where a policy would have it otherwise."""
        return len(str((self.props.get("tags") or {}).get(tag, "")).strip()) >= SHORTEST_REASON

    @property
    def subsystem(self) -> str:
        """The part of the platform it belongs to."""
        return subsystem(self.name)


Given = Mapping[str, frozenset[str]]
"""The URN of a resource → the properties that the program gives it, as far as that was seen."""


@dataclass(frozen=True)
class Stack:
    """Everything that is judged together."""

    resources: tuple[Judged, ...]
    surroundings: Surroundings
    limits: Limits = field(default_factory=dict)
    given: Given = field(default_factory=dict)

    def gives(self, one: Judged, key: str) -> bool:
        """Whether the program itself gives a property: a provider also answers with what stands beside a resource."""
        return key in self.given.get(one.urn, {key})

    def of(self, *types: str) -> list[Judged]:
        """The resources of some types."""
        return [one for one in self.resources if one.type in types]


@dataclass(frozen=True)
class Finding:
    """What is wrong with one resource, and what to change."""

    message: str
    urn: str = ""
    """Empty where it is the resource being judged, or the stack as a whole."""


@dataclass(frozen=True)
class Limit:
    """A threshold of a policy, which the pack's configuration may set."""

    name: str
    default: float
    says: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What all kinds of policy have in common."""

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
    limits: tuple[Limit, ...] = ()

    def limits_with(self, configured: Mapping[str, Any]) -> Limits:
        """Its thresholds: the configured ones, else the defaults."""
        return {one.name: float(configured.get(one.name, one.default)) for one in self.limits}


ResourceCheck = Callable[[Judged], Iterable[str]]
RelationCheck = Callable[[Judged, Stack], Iterable[str]]
StackCheck = Callable[[Stack], Iterable[Finding]]
Check = TypeVar("Check", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class ResourcePolicy(Policy):
    """Judges one resource at a time, by its inputs."""

    types: frozenset[str]
    """Types it judges; one that ends in `/` stands for all types of that module."""
    check: ResourceCheck
    remediate: Callable[[Judged], Props] | None = None
    """What to change in the resource; merged into its properties."""

    def judges(self, kind: str) -> bool:
        """Whether it judges resources of a type."""
        return kind in self.types or f"{kind.rpartition('/')[0]}/" in self.types


@dataclass(frozen=True, kw_only=True)
class RelationPolicy(Policy):
    """Judges one resource by what stands around it in the stack."""

    types: frozenset[str]
    check: RelationCheck

    def findings(self, stack: Stack) -> Iterator[Finding]:
        """All findings. What one resource does not know yet keeps no other from being judged."""
        unknown: UnknownValueError | None = None
        for one in stack.of(*self.types):
            try:
                messages = list(self.check(one, stack))
            except UnknownValueError as error:
                unknown = unknown or error
                continue
            except MALFORMED as error:
                messages = [unreadable(error)]
            yield from (Finding(message, one.urn) for message in messages)
        if unknown is not None:
            raise unknown


@dataclass(frozen=True, kw_only=True)
class StackPolicy(Policy):
    """Judges the whole stack, by what its resources are known to become."""

    check: StackCheck


class _Shared(TypedDict):
    """The fields of every record but name and group."""

    severity: Severity
    levels: Levels
    description: str
    remedy: str
    frameworks: NotRequired[tuple[str, ...]]
    limits: NotRequired[tuple[Limit, ...]]


class PolicySet:
    """The policies of one module. A decorator adds a check with its record, in the order of their definition."""

    def __init__(self, group: Group) -> None:
        self._group = group
        self._policies: list[Policy] = []

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def resource(
        self,
        name: str,
        *,
        types: Collection[str],
        remediate: Callable[[Judged], Props] | None = None,
        **shared: Unpack[_Shared],
    ) -> Callable[[ResourceCheck], ResourceCheck]:
        """Add a `ResourcePolicy`."""
        kinds = frozenset(types)
        return self._add(partial(ResourcePolicy, name=name, types=kinds, remediate=remediate, **shared))

    def relation(
        self, name: str, *, types: Collection[str], **shared: Unpack[_Shared]
    ) -> Callable[[RelationCheck], RelationCheck]:
        """Add a `RelationPolicy`."""
        return self._add(partial(RelationPolicy, name=name, types=frozenset(types), **shared))

    def stack(self, name: str, **shared: Unpack[_Shared]) -> Callable[[StackCheck], StackCheck]:
        """Add a `StackPolicy`."""
        return self._add(partial(StackPolicy, name=name, **shared))

    def _add(self, record: Callable[..., Policy]) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            self._policies.append(record(group=self._group, check=check))
            return check

        return add

"""One record a policy: what it is called, whom it judges, how hard, and what to do about a finding."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final, NotRequired, TypedDict, TypeVar, Unpack

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.subsystem_names import parse_subsystem
from guardrails.pack.stack_context import StackContext

Props = Mapping[str, Any]
"""A resource's properties. Reading one that is not known yet raises the SDK's UnknownValueError."""

LimitValues = Mapping[str, float]
"""A policy's thresholds by name, as the pack's configuration or else the record says."""

REASON_TAG: Final = "Reason"
MIN_REASON_LENGTH: Final = 15
"""Characters of the shortest tag that counts as a reason."""
MALFORMED_ERRORS: Final = (AttributeError, KeyError, TypeError, ValueError)
"""What a document raises that is not as its service wants it."""


def describe_malformed(error: Exception) -> str:
    """The finding about what no check can read: it would end the pack, and with it the whole preview."""
    return f"It holds what cannot be read ({type(error).__name__}: {error})."


class EnforcementLevel(StrEnum):
    """What a finding does to a deployment."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    MANDATORY = "mandatory"
    REMEDIATE = "remediate"
    """The pack mends the resource itself; what is still wrong then is mandatory."""


class PolicySeverity(StrEnum):
    """How bad a finding is."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class PolicyGroup(StrEnum):
    """What a policy guards; also its chapter in the generated list."""

    LEAST_PRIVILEGE = "least privilege"
    COST = "cost"
    DATA_PROTECTION = "data protection"
    RELIABILITY = "reliability"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True)
class EnforcementLevels:
    """How hard a policy is in each environment. Local is judged as dev."""

    dev: EnforcementLevel
    staging: EnforcementLevel = EnforcementLevel.MANDATORY
    prod: EnforcementLevel = EnforcementLevel.MANDATORY

    def for_environment(self, environment: str) -> EnforcementLevel:
        """The level in one environment."""
        return {"prod": self.prod, "staging": self.staging}.get(environment, self.dev)


MANDATORY_EVERYWHERE = EnforcementLevels(dev=EnforcementLevel.MANDATORY)
ADVISORY_IN_DEV = EnforcementLevels(dev=EnforcementLevel.ADVISORY)
DISABLED_IN_DEV = EnforcementLevels(dev=EnforcementLevel.DISABLED)
MANDATORY_IN_PROD = EnforcementLevels(dev=EnforcementLevel.DISABLED, staging=EnforcementLevel.ADVISORY)
ADVISORY_EVERYWHERE = EnforcementLevels(
    dev=EnforcementLevel.ADVISORY, staging=EnforcementLevel.ADVISORY, prod=EnforcementLevel.ADVISORY
)
ADVISORY_BEFORE_PROD = EnforcementLevels(
    dev=EnforcementLevel.ADVISORY, staging=EnforcementLevel.ADVISORY, prod=EnforcementLevel.DISABLED
)
REMEDIATED_EVERYWHERE = EnforcementLevels(
    dev=EnforcementLevel.REMEDIATE, staging=EnforcementLevel.REMEDIATE, prod=EnforcementLevel.REMEDIATE
)


@dataclass(frozen=True, eq=False)
class CheckedResource:
    """One resource as policies see it, without the SDK; the same one wherever the stack speaks of it."""

    urn: str
    type: str
    name: str
    props: Props
    context: StackContext
    parent: "CheckedResource | None" = None
    dependencies: tuple["CheckedResource", ...] = ()
    references: Mapping[str, tuple["CheckedResource", ...]] = field(default_factory=dict)
    """Property → resources whose outputs it is made of: what a property names while its value is not known."""
    limits: LimitValues = field(default_factory=dict)
    """The thresholds of the policy that judges it by itself; what judges it in its stack finds them there."""

    def get_nested(self, *path: str) -> Any:
        """A property below the first level, or none where one of the levels is absent."""
        value: Any = self.props
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value

    def has_property(self, key: str) -> bool:
        """Whether a property is given, known or not."""
        return key in list(self.props)

    def has_reason(self, tag: str = REASON_TAG) -> bool:
        """Whether a tag says in some words why the resource is as it is, where a policy would have it otherwise."""
        return len(str((self.props.get("tags") or {}).get(tag, "")).strip()) >= MIN_REASON_LENGTH

    @property
    def subsystem(self) -> str:
        """The part of the platform it belongs to."""
        return parse_subsystem(self.name)


ProgramProperties = Mapping[str, frozenset[str]]
"""The URN of a resource → the properties that the program gives it, as far as that was seen."""


@dataclass(frozen=True)
class CheckedStack:
    """Everything that is judged together."""

    resources: tuple[CheckedResource, ...]
    context: StackContext
    limits: LimitValues = field(default_factory=dict)
    program_properties: ProgramProperties = field(default_factory=dict)

    def is_set_by_program(self, resource: CheckedResource, key: str) -> bool:
        """Whether the program itself gives a property: a provider also answers with what stands beside a resource."""
        return key in self.program_properties.get(resource.urn, {key})

    def list_resources(self, *types: str) -> list[CheckedResource]:
        """The resources of some types."""
        return [resource for resource in self.resources if resource.type in types]


@dataclass(frozen=True)
class Finding:
    """What is wrong with one resource, and what to change."""

    message: str
    urn: str = ""
    """Empty where it is the resource being judged, or the stack as a whole."""


@dataclass(frozen=True)
class PolicyLimit:
    """A threshold of a policy, which the pack's configuration may set."""

    name: str
    default: float
    description: str


@dataclass(frozen=True, kw_only=True)
class Policy:
    """What all kinds of policy have in common."""

    name: str
    group: PolicyGroup
    severity: PolicySeverity
    levels: EnforcementLevels
    description: str
    """One sentence that says what must hold."""
    remedy: str
    """What to change, in a sentence."""
    frameworks: tuple[str, ...] = ()
    """Controls of public frameworks that it truly covers, as `AWS FSBP SQS.1`."""
    limits: tuple[PolicyLimit, ...] = ()

    def resolve_limits(self, configured: Mapping[str, Any]) -> LimitValues:
        """Its thresholds: the configured ones, else the defaults."""
        return {limit.name: float(configured.get(limit.name, limit.default)) for limit in self.limits}


ResourceCheck = Callable[[CheckedResource], Iterable[str]]
RelationCheck = Callable[[CheckedResource, CheckedStack], Iterable[str]]
StackCheck = Callable[[CheckedStack], Iterable[Finding]]
Check = TypeVar("Check", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class ResourcePolicy(Policy):
    """Judges one resource at a time, by its inputs."""

    types: frozenset[str]
    """Types it judges; one that ends in `/` stands for all types of that module."""
    check: ResourceCheck
    remediate: Callable[[CheckedResource], Props] | None = None
    """What to change in the resource; merged into its properties."""

    def applies_to(self, kind: str) -> bool:
        """Whether it judges resources of a type."""
        return kind in self.types or f"{kind.rpartition('/')[0]}/" in self.types


@dataclass(frozen=True, kw_only=True)
class RelationPolicy(Policy):
    """Judges one resource by what stands around it in the stack."""

    types: frozenset[str]
    check: RelationCheck

    def list_findings(self, stack: CheckedStack) -> Iterator[Finding]:
        """All findings. What one resource does not know yet keeps no other from being judged."""
        unknown: UnknownValueError | None = None
        for resource in stack.list_resources(*self.types):
            try:
                messages = list(self.check(resource, stack))
            except UnknownValueError as error:
                unknown = unknown or error
                continue
            except MALFORMED_ERRORS as error:
                messages = [describe_malformed(error)]
            yield from (Finding(message, resource.urn) for message in messages)
        if unknown is not None:
            raise unknown


@dataclass(frozen=True, kw_only=True)
class StackPolicy(Policy):
    """Judges the whole stack, by what its resources are known to become."""

    check: StackCheck


class _PolicyFields(TypedDict):
    """The fields of every record but name and group."""

    severity: PolicySeverity
    levels: EnforcementLevels
    description: str
    remedy: str
    frameworks: NotRequired[tuple[str, ...]]
    limits: NotRequired[tuple[PolicyLimit, ...]]


class PolicySet:
    """The policies of one module. A decorator adds a check with its record, in the order of their definition."""

    def __init__(self, group: PolicyGroup) -> None:
        self._group = group
        self._policies: list[Policy] = []

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def resource(
        self,
        name: str,
        *,
        types: Collection[str],
        remediate: Callable[[CheckedResource], Props] | None = None,
        **shared: Unpack[_PolicyFields],
    ) -> Callable[[ResourceCheck], ResourceCheck]:
        """Add a `ResourcePolicy`."""
        kinds = frozenset(types)
        return self._add(partial(ResourcePolicy, name=name, types=kinds, remediate=remediate, **shared))

    def relation(
        self, name: str, *, types: Collection[str], **shared: Unpack[_PolicyFields]
    ) -> Callable[[RelationCheck], RelationCheck]:
        """Add a `RelationPolicy`."""
        return self._add(partial(RelationPolicy, name=name, types=frozenset(types), **shared))

    def stack(self, name: str, **shared: Unpack[_PolicyFields]) -> Callable[[StackCheck], StackCheck]:
        """Add a `StackPolicy`."""
        return self._add(partial(StackPolicy, name=name, **shared))

    def _add(self, record: Callable[..., Policy]) -> Callable[[Check], Check]:
        def add(check: Check) -> Check:
            self._policies.append(record(group=self._group, check=check))
            return check

        return add

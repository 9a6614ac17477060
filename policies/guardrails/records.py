"""Types of the policy pack: the kinds of policies, and the resources and stacks that their checks get.

A policy is one record with name, severity, enforcement levels, description, remedy and check. A `ResourcePolicy` checks
a resource alone, before it is created. A `RelatedPolicy` checks a resource with the others of the stack, and a
`StackPolicy` the stack as a whole. The modules of the policies register their records with a `PolicySet`, and `pack.py`
gives them to Pulumi's SDK.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple, TypeVar

from pulumi_policy.proxy import UnknownValueError

from guardrails.stack_configuration import StackContext

EVERY_TYPE: Final = "*"
"""Entry of a policy's types that means the resources of every type."""
MALFORMED_ERRORS: Final = (AttributeError, LookupError, TypeError, ValueError, RecursionError)
"""Errors of a check that reads a property or document of an unexpected form. They are findings, because an error that
leaves a check would end the pack and the preview."""


class Level(StrEnum):
    """Effect of a finding on the deployment."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    MANDATORY = "mandatory"


class Severity(StrEnum):
    """Severity of a finding."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class Group(StrEnum):
    """Subject of a policy, and its chapter in `docs/reference/policies.md`."""

    LEAST_PRIVILEGE = "least privilege"
    COST = "cost"
    DATA_PROTECTION = "data protection"
    RELIABILITY = "reliability"
    EXCEPTIONS = "exceptions"


class Levels(NamedTuple):
    """Enforcement levels of a policy by environment. The environment local has the level of dev."""

    dev: Level
    staging: Level = Level.MANDATORY
    prod: Level = Level.MANDATORY

    def for_environment(self, environment: str) -> Level:
        """Return the level for an environment."""
        return {"prod": self.prod, "staging": self.staging}.get(environment, self.dev)


MANDATORY_EVERYWHERE = Levels(dev=Level.MANDATORY)
ADVISORY_IN_DEV = Levels(dev=Level.ADVISORY)
"""Mandatory in staging and prod."""
DISABLED_IN_DEV = Levels(dev=Level.DISABLED)
"""Mandatory in staging and prod."""
MANDATORY_IN_PROD = Levels(dev=Level.DISABLED, staging=Level.ADVISORY)
"""Disabled in dev, and advisory in staging."""
ADVISORY_EVERYWHERE = Levels(dev=Level.ADVISORY, staging=Level.ADVISORY, prod=Level.ADVISORY)


@dataclass(eq=False)
class CheckedResource:
    """A resource with the inputs that the program sets. Reading an unknown value raises the SDK's UnknownValueError."""

    urn: str
    type: str
    name: str
    props: Mapping[str, Any]
    context: StackContext
    parent: "CheckedResource | None" = None
    """The parent in Pulumi's tree. Like `references`, it is set at the end, so a `ResourcePolicy` does not know it."""
    references: Mapping[str, tuple["CheckedResource", ...]] = field(default_factory=dict)
    """The resources from whose outputs a property is computed, by property. They are known even if its value is not."""

    def get(self, path: str) -> Any:
        """Return a property by its path, for example `tracingConfig.mode`; None if a part of the path is absent."""
        value: Any = self.props
        for key in path.split("."):
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value


class CheckedStack(NamedTuple):
    """All resources of a stack."""

    resources: tuple[CheckedResource, ...]
    context: StackContext
    undecided: Mapping[str, Collection[str]] = {}
    """Names of the resources with an undecided check, by policy. Such a check has read an unknown value."""

    def list_resources(self, *types: str) -> list[CheckedResource]:
        """Return the resources of the given types."""
        return [resource for resource in self.resources if resource.type in types]


class Finding(NamedTuple):
    """A violation: the message, and the resource's URN, which is empty for the stack as a whole.

    The message is empty if the check read an unknown value, which AWS assigns during the deployment.
    """

    message: str
    urn: str = ""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Fields that all kinds of policies share."""

    name: str
    group: Group
    severity: Severity
    levels: Levels
    description: str
    """One sentence that states the requirement."""
    remedy: str
    """What to do about a violation. It ends every message."""
    exceptions_allowed: bool = True
    """False if no entry of `polyphony:exceptions` can excuse a violation."""


@dataclass(frozen=True, kw_only=True)
class ResourcePolicy(Policy):
    """Policy that checks one resource by its inputs."""

    types: Collection[str]
    check: Callable[[CheckedResource], Iterable[str]]

    def applies_to(self, resource_type: str) -> bool:
        """Return True if the policy checks resources of a type."""
        return resource_type in self.types or EVERY_TYPE in self.types


@dataclass(frozen=True, kw_only=True)
class RelatedPolicy(Policy):
    """Policy that checks one resource together with related resources."""

    types: Collection[str]
    check: Callable[[CheckedResource, CheckedStack], Iterable[str]]

    def list_results(self, stack: CheckedStack) -> Iterator[Finding]:
        """Yield the findings on all resources of the types."""
        for resource in stack.list_resources(*self.types):
            for message in run_check(lambda resource=resource: self.check(resource, stack)):  # type: ignore[misc]
                yield Finding(message, resource.urn)


@dataclass(frozen=True, kw_only=True)
class StackPolicy(Policy):
    """Policy that checks the stack as a whole."""

    check: Callable[[CheckedStack], Iterable[Finding]]

    def list_results(self, stack: CheckedStack) -> Iterator[Finding]:
        """Yield the findings."""
        for result in run_check(lambda: self.check(stack)):
            yield Finding(result) if isinstance(result, str) else result


Result = TypeVar("Result")


def run_check(check: Callable[[], Iterable[Result]]) -> Iterator[Result | str]:
    """Yield the results of a check. An unknown value ends it with an empty message, and malformed data with a message."""
    try:
        yield from check()
    except UnknownValueError:
        yield ""
    except MALFORMED_ERRORS as error:
        yield f"A property or document has an unexpected form and cannot be checked ({type(error).__name__})."


Check = TypeVar("Check", bound=Callable[..., Any])


class PolicySet:
    """The policies of one module, in the order of definition. Its decorators register a check with the policy's fields.
    `common_fields` are the fields of each policy that does not set them itself.
    """

    def __init__(self, group: Group, **common_fields: Any) -> None:
        self._common_fields: dict[str, Any] = {"group": group, **common_fields}
        self._policies: list[Policy] = []

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def resource_policy(self, name: str, **fields: Any) -> Callable[[Check], Check]:
        """Register a `ResourcePolicy`."""
        return self._register(ResourcePolicy, name=name, **fields)

    def related_policy(self, name: str, **fields: Any) -> Callable[[Check], Check]:
        """Register a `RelatedPolicy`."""
        return self._register(RelatedPolicy, name=name, **fields)

    def stack_policy(self, name: str, **fields: Any) -> Callable[[Check], Check]:
        """Register a `StackPolicy`."""
        return self._register(StackPolicy, name=name, **fields)

    def _register(self, kind: Callable[..., Policy], **fields: Any) -> Callable[[Check], Check]:
        def register(check: Check) -> Check:
            self._policies.append(kind(check=check, **{**self._common_fields, **fields}))
            return check

        return register

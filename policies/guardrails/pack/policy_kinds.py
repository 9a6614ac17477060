"""Types of the policy pack: the kinds of policies, and the resources and stacks that their checks get.

A policy is one record with name, severity, enforcement levels, description, remedy and check. A `ResourcePolicy` checks
a resource alone, a `ResourceInStackPolicy` a resource with its related resources, and a `StackPolicy` the whole stack. The
modules of the policies register their records with a `PolicySet`, and `policy_pack` converts them to policies of
Pulumi's SDK.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Any, Final, NotRequired, TypedDict, TypeVar, Unpack

from pulumi_policy.proxy import UnknownValueError

from guardrails.pack.stack_configuration import StackContext
from guardrails.pack.undecided_checks import UndecidedCheck

Props = Mapping[str, Any]
"""Properties of a resource. Reading an unknown value raises the SDK's UnknownValueError."""

EVERY_TYPE: Final = "*"
"""Entry of a policy's types that matches the resources of every type."""
REASON_TAG: Final = "Reason"
"""Tag of a resource that deviates from a policy on purpose. Its value is the reason."""
MIN_REASON_LENGTH: Final = 15
"""Minimum number of characters of a tag that counts as a reason."""
MALFORMED_ERRORS: Final = (AttributeError, KeyError, TypeError, ValueError)
"""Python errors that a check raises if a property or a document has an unexpected structure."""


def describe_malformed(error: Exception) -> str:
    """Return the message of a finding for data that a check cannot read. The error is reported as a finding, because a
    Python error that leaves a check would end the pack and the whole preview.
    """
    return f"A property or document has an unexpected form and cannot be checked ({type(error).__name__}: {error})."


class EnforcementLevel(StrEnum):
    """Effect of a finding on the deployment."""

    DISABLED = "disabled"
    ADVISORY = "advisory"
    MANDATORY = "mandatory"


class PolicySeverity(StrEnum):
    """Severity of a finding."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"


class PolicyGroup(StrEnum):
    """Subject of a policy, which is also its chapter in `docs/reference/policies.md`."""

    LEAST_PRIVILEGE = "least privilege"
    COST = "cost"
    DATA_PROTECTION = "data protection"
    RELIABILITY = "reliability"
    EXCEPTIONS = "exceptions"


@dataclass(frozen=True)
class EnforcementLevels:
    """Enforcement levels of a policy by environment. The local environment has the level of dev."""

    dev: EnforcementLevel
    staging: EnforcementLevel = EnforcementLevel.MANDATORY
    prod: EnforcementLevel = EnforcementLevel.MANDATORY

    def for_environment(self, environment: str) -> EnforcementLevel:
        """Return the level for an environment."""
        return {"prod": self.prod, "staging": self.staging}.get(environment, self.dev)


MANDATORY_EVERYWHERE = EnforcementLevels(dev=EnforcementLevel.MANDATORY)
ADVISORY_IN_DEV = EnforcementLevels(dev=EnforcementLevel.ADVISORY)
"""Mandatory in staging and prod."""
DISABLED_IN_DEV = EnforcementLevels(dev=EnforcementLevel.DISABLED)
"""Mandatory in staging and prod."""
MANDATORY_IN_PROD = EnforcementLevels(dev=EnforcementLevel.DISABLED, staging=EnforcementLevel.ADVISORY)
"""Disabled in dev, and advisory in staging."""
ADVISORY_EVERYWHERE = EnforcementLevels(
    dev=EnforcementLevel.ADVISORY, staging=EnforcementLevel.ADVISORY, prod=EnforcementLevel.ADVISORY
)
ADVISORY_BEFORE_PROD = EnforcementLevels(
    dev=EnforcementLevel.ADVISORY, staging=EnforcementLevel.ADVISORY, prod=EnforcementLevel.DISABLED
)
"""Disabled in prod."""


@dataclass(frozen=True, eq=False)
class CheckedResource:
    """One resource as checks see it, without types of the SDK. A `CheckedStack` has exactly one object for each
    resource, so checks compare the objects by identity.
    """

    urn: str
    type: str
    name: str
    props: Props
    context: StackContext
    parent: "CheckedResource | None" = None
    """The parent in Pulumi's tree. Like `dependencies` and `references`, it is set only for a `ResourceInStackPolicy` and a
    `StackPolicy`. A `ResourcePolicy` sees a resource before the other resources exist.
    """
    dependencies: tuple["CheckedResource", ...] = ()
    references: Mapping[str, tuple["CheckedResource", ...]] = field(default_factory=dict)
    """The resources from whose outputs a property is computed, by property. They are known even if the property's
    value is unknown.
    """

    def get_nested(self, *path: str) -> Any:
        """Return a property by its path; None if a level of the path is absent."""
        value: Any = self.props
        for key in path:
            if not isinstance(value, Mapping):
                return None
            value = value.get(key)
        return value

    def has_property(self, key: str) -> bool:
        """Return True if a property is present, whether its value is known or not."""
        return key in list(self.props)

    def has_reason(self, tag: str = REASON_TAG) -> bool:
        """Return True if a tag gives a reason, of at least `MIN_REASON_LENGTH` characters, why the resource deviates
        from a policy.
        """
        return len(str((self.props.get("tags") or {}).get(tag, "")).strip()) >= MIN_REASON_LENGTH


ProgramProperties = Mapping[str, frozenset[str]]
"""The properties that the program itself sets, by the resource's URN. If a resource is not in this mapping, all its
properties count as set by the program.
"""


@dataclass(frozen=True)
class CheckedStack:
    """All resources of a stack, which a `ResourceInStackPolicy` and a `StackPolicy` get."""

    resources: tuple[CheckedResource, ...]
    context: StackContext
    program_properties: ProgramProperties = field(default_factory=dict)
    undecided_checks: frozenset[UndecidedCheck] = frozenset()
    """The checks that earlier policies of this run could not decide, because they read an unknown value."""

    def is_set_by_program(self, resource: CheckedResource, key: str) -> bool:
        """Return True if the program itself sets a property. The AWS provider also returns properties that other
        resources set. For example, a bucket's output `policy` is the document of its separate `BucketPolicy`.
        """
        return key in self.program_properties.get(resource.urn, {key})

    def list_resources(self, *types: str) -> list[CheckedResource]:
        """Return the resources of the given types."""
        return [resource for resource in self.resources if resource.type in types]


@dataclass(frozen=True)
class Finding:
    """One violation: the message, and the resource."""

    message: str
    urn: str = ""
    """URN of the resource; empty for the stack as a whole."""


@dataclass(frozen=True, kw_only=True)
class Policy:
    """Fields that all kinds of policies share."""

    name: str
    group: PolicyGroup
    severity: PolicySeverity
    levels: EnforcementLevels
    description: str
    """One sentence that states the requirement."""
    remedy: str
    """Instruction how to fix a violation. The pack appends it to every message."""
    frameworks: tuple[str, ...] = ()
    """Controls of public frameworks that the policy covers, for example `AWS FSBP SQS.1`."""
    excusable: bool = True
    """False if no entry of `polyphony:exceptions` can excuse a violation, for example of a policy about public data,
    foreign accounts or privilege escalation.
    """


ResourceCheck = Callable[[CheckedResource], Iterable[str]]
ResourceInStackCheck = Callable[[CheckedResource, CheckedStack], Iterable[str]]
StackCheck = Callable[[CheckedStack], Iterable[Finding]]
Check = TypeVar("Check", bound=Callable[..., Any])


@dataclass(frozen=True, kw_only=True)
class ResourcePolicy(Policy):
    """Policy that checks one resource by its inputs."""

    types: frozenset[str]
    """The types that the policy checks. An entry that ends in `/`, for example `aws:rds/`, means all types of that
    module of the AWS provider. `EVERY_TYPE` means all types.
    """
    check: ResourceCheck

    def applies_to(self, resource_type: str) -> bool:
        """Return True if the policy checks resources of a type."""
        return not self.types.isdisjoint({resource_type, f"{resource_type.rpartition('/')[0]}/", EVERY_TYPE})


@dataclass(frozen=True, kw_only=True)
class ResourceInStackPolicy(Policy):
    """Policy that checks one resource together with related resources of the stack."""

    types: frozenset[str]
    """The types of the resources that the policy checks. The types of their related resources are not listed."""
    check: ResourceInStackCheck

    def list_results(self, stack: CheckedStack) -> Iterator[Finding | UndecidedCheck]:
        """Yield the findings of all resources. If a check of one resource reads an unknown value, it is undecided, and
        the other resources are still checked.
        """
        for resource in stack.list_resources(*self.types):
            try:
                messages = list(self.check(resource, stack))
            except UnknownValueError as error:
                yield UndecidedCheck(self.name, resource.urn, error.message)
                continue
            except MALFORMED_ERRORS as error:
                messages = [describe_malformed(error)]
            yield from (Finding(message, resource.urn) for message in messages)


@dataclass(frozen=True, kw_only=True)
class StackPolicy(Policy):
    """Policy that checks the stack as a whole, with the outputs of its resources."""

    check: StackCheck

    def list_results(self, stack: CheckedStack) -> Iterator[Finding | UndecidedCheck]:
        """Yield the findings. An unknown value or malformed data ends the check, and the last result reports it."""
        try:
            yield from self.check(stack)
        except UnknownValueError as error:
            yield UndecidedCheck(self.name, "", error.message)
        except MALFORMED_ERRORS as error:
            yield Finding(describe_malformed(error))


class _PolicyFields(TypedDict):
    """Parameters that all decorators of `PolicySet` share, except the name."""

    severity: PolicySeverity
    levels: EnforcementLevels
    description: str
    remedy: str
    frameworks: NotRequired[tuple[str, ...]]
    excusable: NotRequired[bool]


class PolicySet:
    """The policies of one module. Its decorators register a check together with the policy's fields, in the order of
    definition.
    """

    def __init__(self, group: PolicyGroup) -> None:
        self._group = group
        self._policies: list[Policy] = []

    def __iter__(self) -> Iterator[Policy]:
        return iter(self._policies)

    def resource(
        self, name: str, *, types: Collection[str], **shared: Unpack[_PolicyFields]
    ) -> Callable[[ResourceCheck], ResourceCheck]:
        """Register a `ResourcePolicy`."""
        return self._register(partial(ResourcePolicy, name=name, types=frozenset(types), **shared))

    def resource_in_stack(
        self, name: str, *, types: Collection[str], **shared: Unpack[_PolicyFields]
    ) -> Callable[[ResourceInStackCheck], ResourceInStackCheck]:
        """Register a `ResourceInStackPolicy`."""
        return self._register(partial(ResourceInStackPolicy, name=name, types=frozenset(types), **shared))

    def stack(self, name: str, **shared: Unpack[_PolicyFields]) -> Callable[[StackCheck], StackCheck]:
        """Register a `StackPolicy`."""
        return self._register(partial(StackPolicy, name=name, **shared))

    def _register(self, make_policy: Callable[..., Policy]) -> Callable[[Check], Check]:
        def register(check: Check) -> Check:
            self._policies.append(make_policy(group=self._group, check=check))
            return check

        return register

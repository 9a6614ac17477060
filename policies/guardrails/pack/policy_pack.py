"""From records to the SDK's policies, and the pack itself.

A resource that an exception covers is skipped here, once for all policies. The exceptions in force are reported in
every run by policies of their own, because a policy has one level for all resources. From those nothing is excepted.
"""

import gc
import os
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any

import pulumi.runtime
import pulumi_policy as sdk

from guardrails.catalogue import POLICIES
from guardrails.model import iam_actions
from guardrails.model.resource_types import PLATFORM
from guardrails.pack.analyzer import ask_less, decode_once
from guardrails.pack.policy_kinds import (
    MALFORMED,
    Finding,
    Group,
    Judged,
    Policy,
    RelationPolicy,
    ResourcePolicy,
    Stack,
    StackPolicy,
    unreadable,
)
from guardrails.pack.stack_context import Surroundings, Unusable, read

NAME = "polyphony-guardrails"
OBJECTS_BETWEEN_COLLECTIONS = 2_000_000
"""More than a stack makes: its resources all stay until the end, so looking through them for garbage finds nothing."""


def start() -> None:
    """Runs the pack until its engine ends it."""
    try:
        surroundings = read(
            pulumi.runtime.get_config_env(), os.environ.get("PULUMI_PROJECT", ""), datetime.now(UTC).date()
        )
    except Unusable as error:
        sys.exit(f"{NAME} cannot judge this stack: {error}")
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    decode_once()
    ask_less(concerned)
    threading.Thread(target=iam_actions.read, daemon=True).start()  # while the program still runs
    builder = PolicyBuilder(surroundings)
    sdk.PolicyPack(name=NAME, policies=[builder.policy(record) for record in POLICIES])


def concerned(policy: str, kind: str) -> bool:
    """Whether a policy, by name, judges single resources of a type."""
    return policy in _SINGLE and _SINGLE[policy].judges(kind)


_SINGLE = {record.name: record for record in POLICIES if isinstance(record, ResourcePolicy)}


class PolicyBuilder:
    """Makes the SDK's policies for one stack.

    An engine asks about each resource first, by what the program gives, and then about all, by what a provider
    answered. So policies of single resources note what each resource is given, for those of the whole stack.
    """

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._whole: tuple[Judged, ...] = ()
        self.given: dict[str, frozenset[str]] = {}
        """The URN of a resource → the properties that the program gives it."""

    def policy(self, record: Policy) -> sdk.Policy:
        """One policy as the SDK has it."""
        common: dict[str, Any] = {
            "name": record.name,
            "description": record.description,
            "enforcement_level": sdk.EnforcementLevel(record.levels.of(self._surroundings.environment).value),
            "severity": sdk.Severity(record.severity.value),
            "tags": [record.group.value, *record.frameworks],
            "remediation_steps": record.remedy,
            "config_schema": _schema(record),
        }
        match record:
            case ResourcePolicy():
                remediate = self._remedy(record, record.remediate) if record.remediate else None
                return sdk.ResourceValidationPolicy(
                    **common, validate=self._resource_check(record), remediate=remediate
                )
            case RelationPolicy():
                return sdk.StackValidationPolicy(**common, validate=self._stack_check(record, record.findings))
            case StackPolicy():
                return sdk.StackValidationPolicy(**common, validate=self._stack_check(record, record.check))
        raise TypeError(f"{record.name} is no kind of policy that the pack knows")

    def _resource_check(self, record: ResourcePolicy) -> Callable[..., None]:
        def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
            if args.urn not in self.given:
                self.given[args.urn] = frozenset(list(args.props))
            if not self._asks(record, args):
                return
            try:
                for message in record.check(self._judged(args, record)):
                    report(f"{message} {record.remedy}", None)
            except MALFORMED as error:
                report(f"{unreadable(error)} {record.remedy}", None)

        return validate

    def _remedy(
        self, record: ResourcePolicy, change: Callable[[Judged], Mapping[str, Any]]
    ) -> Callable[[sdk.ResourceValidationArgs], Awaitable[Mapping[str, Any]] | None]:
        def remediate(args: sdk.ResourceValidationArgs) -> Awaitable[Mapping[str, Any]] | None:
            changes = change(self._judged(args, record)) if self._asks(record, args) else {}
            if not changes:
                return None
            _merge(args.props, changes)
            return _ready(args.props)

        return remediate

    def _asks(self, record: ResourcePolicy, args: sdk.ResourceValidationArgs) -> bool:
        """Whether a policy judges a resource and no exception covers it."""
        return record.judges(args.resource_type) and not self._surroundings.waived(record.name, args.name)

    def _judged(self, args: sdk.ResourceValidationArgs, record: Policy) -> Judged:
        limits = record.limits_with(args.get_config())
        return Judged(args.urn, args.resource_type, args.name, args.props, self._surroundings, limits=limits)

    def _stack_check(self, record: Policy, check: Callable[[Stack], Iterable[Finding]]) -> Callable[..., None]:
        def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
            if args.resources:  # of each request, only the first policy is given them (`ask_less`)
                self._whole = self._judged_stack(args.resources)
            stack = Stack(self._whole, self._surroundings, record.limits_with(args.get_config()), self.given)
            names = {one.urn: one.name for one in stack.resources}
            whole = next((one.name for one in stack.of(PLATFORM)), "")  # what an exception names for the whole stack
            excusable = record.group is not Group.EXCEPTIONS
            for finding in _readable(check(stack)):
                if not (excusable and self._surroundings.waived(record.name, names.get(finding.urn, whole))):
                    report(f"{finding.message} {record.remedy}".rstrip(), finding.urn or None)

        return validate

    def _judged_stack(self, resources: Sequence[sdk.PolicyResource]) -> tuple[Judged, ...]:
        """A stack's resources without the SDK, each after its parent and what it depends on: an engine lists in any order."""
        listed = {one.urn: one for one in resources}
        found: dict[str, Judged] = {}
        for urn in TopologicalSorter({one.urn: _before(one) for one in resources}).static_order():
            one = listed[urn]
            found[urn] = Judged(
                urn=one.urn,
                type=one.resource_type,
                name=one.name,
                props=one.props,
                surroundings=self._surroundings,
                parent=found[one.parent.urn] if one.parent else None,
                dependencies=tuple(found[other.urn] for other in one.dependencies),
                references={
                    key: tuple(found[other.urn] for other in others)
                    for key, others in one.property_dependencies.items()
                    if others
                },
            )
        return tuple(found.values())


def _schema(record: Policy) -> sdk.PolicyConfigSchema | None:
    if not record.limits:
        return None
    return sdk.PolicyConfigSchema(
        {
            one.name: {"type": "number", "minimum": 0, "default": one.default, "description": one.says}
            for one in record.limits
        }
    )


async def _ready(props: Mapping[str, Any]) -> Mapping[str, Any]:
    return props


def _merge(into: Any, changes: Mapping[str, Any]) -> None:
    """Writes changes through the SDK's own view of the properties, which keeps secret what was secret."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), Mapping):
            _merge(into[key], value)
        else:
            into[key] = value


def _readable(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, the last of them that no more can be read."""
    try:
        yield from findings
    except MALFORMED as error:
        yield Finding(unreadable(error))


def _before(resource: sdk.PolicyResource) -> set[str]:
    others = [*resource.dependencies, *chain.from_iterable(resource.property_dependencies.values())]
    return {one.urn for one in ([*others, resource.parent] if resource.parent else others)}

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

from guardrails import actions, catalogue
from guardrails.analyzer import Whole, ask_less
from guardrails.decoding import decode_once
from guardrails.record import (
    MALFORMED,
    Finding,
    Given,
    Group,
    Judged,
    Policy,
    RelationPolicy,
    ResourcePolicy,
    Stack,
    StackPolicy,
    unreadable,
)
from guardrails.surroundings import Surroundings, Unusable, read
from guardrails.types import PLATFORM

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
    records = catalogue.policies(surroundings)
    decode_once()
    ask_less(concerned(records))
    threading.Thread(target=actions.read, daemon=True).start()  # while the program still runs
    given: dict[str, frozenset[str]] = {}
    sdk.PolicyPack(name=NAME, policies=[built(record, surroundings, given) for record in records])


def concerned(records: Iterable[Policy]) -> Callable[[str, str], bool]:
    """Whether a policy, by name, judges single resources of a type."""
    judges = {record.name: record.judges for record in records if isinstance(record, ResourcePolicy)}
    return lambda policy, kind: policy in judges and judges[policy](kind)


def built(record: Policy, surroundings: Surroundings, given: dict[str, frozenset[str]]) -> sdk.Policy:
    """One policy as the SDK has it. Those of single resources note what each is given, for those of the whole stack.

    An engine asks about each resource first, by what the program gives, and then about all, by what a provider answered.
    """
    common: dict[str, Any] = {
        "name": record.name,
        "description": record.description,
        "enforcement_level": sdk.EnforcementLevel(record.levels.of(surroundings.environment).value),
        "severity": sdk.Severity(record.severity.value),
        "tags": [record.group.value, *record.frameworks],
        "remediation_steps": record.remedy,
        "config_schema": _schema(record),
    }
    match record:
        case ResourcePolicy():
            return sdk.ResourceValidationPolicy(
                **common,
                validate=_resource_check(record, surroundings, given),
                remediate=_remedy(record, surroundings) if record.remediate else None,
            )
        case RelationPolicy():
            return sdk.StackValidationPolicy(
                **common, validate=_stack_check(record, record.findings, surroundings, given)
            )
        case StackPolicy():
            return sdk.StackValidationPolicy(**common, validate=_stack_check(record, record.check, surroundings, given))
    raise TypeError(f"{record.name} is no kind of policy that the pack knows")


def _schema(record: Policy) -> sdk.PolicyConfigSchema | None:
    if not record.limits:
        return None
    return sdk.PolicyConfigSchema(
        {
            one.name: {"type": "number", "minimum": 0, "default": one.default, "description": one.says}
            for one in record.limits
        }
    )


def _resource_check(
    record: ResourcePolicy, surroundings: Surroundings, given: dict[str, frozenset[str]]
) -> Callable[[sdk.ResourceValidationArgs, sdk.ReportViolation], None]:
    def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
        if args.urn not in given:
            given[args.urn] = frozenset(list(args.props))
        if not record.judges(args.resource_type) or surroundings.waived(record.name, args.name):
            return
        try:
            for message in record.check(_judged(args, record)):
                report(f"{message} {record.remedy}", None)
        except MALFORMED as error:
            report(f"{unreadable(error)} {record.remedy}", None)

    return validate


def _remedy(
    record: ResourcePolicy, surroundings: Surroundings
) -> Callable[[sdk.ResourceValidationArgs], Awaitable[Mapping[str, Any]] | None]:
    def remediate(args: sdk.ResourceValidationArgs) -> Awaitable[Mapping[str, Any]] | None:
        if record.remediate is None or not record.judges(args.resource_type):
            return None
        if surroundings.waived(record.name, args.name):
            return None
        changes = record.remediate(_judged(args, record), surroundings.tags)
        if not changes:
            return None
        _merge(args.props, changes)
        return _ready(args.props)

    return remediate


async def _ready(props: Mapping[str, Any]) -> Mapping[str, Any]:
    return props


def _merge(into: Any, changes: Mapping[str, Any]) -> None:
    """Writes changes through the SDK's own view of the properties, which keeps secret what was secret."""
    for key, value in changes.items():
        if isinstance(value, Mapping) and isinstance(into.get(key), Mapping):
            _merge(into[key], value)
        else:
            into[key] = value


def _stack_check(
    record: Policy, check: Callable[[Stack], Iterable[Finding]], surroundings: Surroundings, given: Given
) -> Callable[[sdk.StackValidationArgs, sdk.ReportViolation], None]:
    def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
        stack = Stack(_WHOLE(args.resources), record.limits_with(args.get_config()), given)
        names = {one.urn: one.name for one in stack.resources}
        whole = next((one.name for one in stack.of(PLATFORM)), "")  # what an exception names for the stack as a whole
        excusable = record.group is not Group.EXCEPTIONS
        for finding in _readable(check(stack)):
            if not (excusable and surroundings.waived(record.name, names.get(finding.urn, whole))):
                report(f"{finding.message} {record.remedy}".rstrip(), finding.urn or None)

    return validate


def _readable(findings: Iterable[Finding]) -> Iterator[Finding]:
    """The findings, the last of them that no more can be read."""
    try:
        yield from findings
    except MALFORMED as error:
        yield Finding(unreadable(error))


def _judged(args: sdk.ResourceValidationArgs, record: Policy) -> Judged:
    return Judged(args.urn, args.resource_type, args.name, args.props, limits=record.limits_with(args.get_config()))


def judged(resources: Sequence[sdk.PolicyResource]) -> tuple[Judged, ...]:
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
            parent=found[one.parent.urn] if one.parent else None,
            dependencies=tuple(found[other.urn] for other in one.dependencies),
            references={
                key: tuple(found[other.urn] for other in others)
                for key, others in one.property_dependencies.items()
                if others
            },
        )
    return tuple(found.values())


def _before(resource: sdk.PolicyResource) -> set[str]:
    others = [*resource.dependencies, *chain.from_iterable(resource.property_dependencies.values())]
    return {one.urn for one in ([*others, resource.parent] if resource.parent else others)}


_WHOLE: Whole[sdk.PolicyResource, tuple[Judged, ...]] = Whole(judged)

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
from guardrails.pack.policy_kinds import (
    MALFORMED_ERRORS,
    CheckedResource,
    CheckedStack,
    Finding,
    Policy,
    PolicyGroup,
    RelationPolicy,
    ResourcePolicy,
    StackPolicy,
    describe_malformed,
)
from guardrails.pack.sdk_patches import cache_decoding, skip_unneeded_checks
from guardrails.pack.stack_context import InvalidStackConfiguration, StackContext, read_stack_context

NAME = "polyphony-guardrails"
OBJECTS_BETWEEN_COLLECTIONS = 2_000_000
"""More than a stack makes: its resources all stay until the end, so looking through them for garbage finds nothing."""


def start() -> None:
    """Runs the pack until its engine ends it."""
    try:
        context = read_stack_context(
            pulumi.runtime.get_config_env(), os.environ.get("PULUMI_PROJECT", ""), datetime.now(UTC).date()
        )
    except InvalidStackConfiguration as error:
        sys.exit(f"{NAME} cannot judge this stack: {error}")
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    cache_decoding()
    skip_unneeded_checks(policy_applies_to_type)
    threading.Thread(target=iam_actions.load_action_table, daemon=True).start()  # while the program still runs
    builder = PolicyBuilder(context)
    sdk.PolicyPack(name=NAME, policies=[builder.policy(record) for record in POLICIES])


def policy_applies_to_type(policy: str, kind: str) -> bool:
    """Whether a policy, by name, judges single resources of a type."""
    return policy in _SINGLE and _SINGLE[policy].applies_to(kind)


_SINGLE = {record.name: record for record in POLICIES if isinstance(record, ResourcePolicy)}


class PolicyBuilder:
    """Makes the SDK's policies for one stack.

    An engine asks about each resource first, by what the program gives, and then about all, by what a provider
    answered. So policies of single resources note what each resource is given, for those of the whole stack.
    """

    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._resources: tuple[CheckedResource, ...] = ()
        self.program_properties: dict[str, frozenset[str]] = {}
        """The URN of a resource → the properties that the program gives it."""

    def policy(self, record: Policy) -> sdk.Policy:
        """One policy as the SDK has it."""
        common: dict[str, Any] = {
            "name": record.name,
            "description": record.description,
            "enforcement_level": sdk.EnforcementLevel(record.levels.for_environment(self._context.environment).value),
            "severity": sdk.Severity(record.severity.value),
            "tags": [record.group.value, *record.frameworks],
            "remediation_steps": record.remedy,
            "config_schema": _schema(record),
        }
        match record:
            case ResourcePolicy():
                remediate = self._build_remediation(record, record.remediate) if record.remediate else None
                return sdk.ResourceValidationPolicy(
                    **common, validate=self._resource_check(record), remediate=remediate
                )
            case RelationPolicy():
                return sdk.StackValidationPolicy(**common, validate=self._stack_check(record, record.list_findings))
            case StackPolicy():
                return sdk.StackValidationPolicy(**common, validate=self._stack_check(record, record.check))
        raise TypeError(f"{record.name} is no kind of policy that the pack knows")

    def _resource_check(self, record: ResourcePolicy) -> Callable[..., None]:
        def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
            if args.urn not in self.program_properties:
                self.program_properties[args.urn] = frozenset(list(args.props))
            if not self._must_check(record, args):
                return
            try:
                for message in record.check(self._to_checked_resource(args, record)):
                    report(f"{message} {record.remedy}", None)
            except MALFORMED_ERRORS as error:
                report(f"{describe_malformed(error)} {record.remedy}", None)

        return validate

    def _build_remediation(
        self, record: ResourcePolicy, change: Callable[[CheckedResource], Mapping[str, Any]]
    ) -> Callable[[sdk.ResourceValidationArgs], Awaitable[Mapping[str, Any]] | None]:
        def remediate(args: sdk.ResourceValidationArgs) -> Awaitable[Mapping[str, Any]] | None:
            changes = change(self._to_checked_resource(args, record)) if self._must_check(record, args) else {}
            if not changes:
                return None
            _merge(args.props, changes)
            return _ready(args.props)

        return remediate

    def _must_check(self, record: ResourcePolicy, args: sdk.ResourceValidationArgs) -> bool:
        """Whether a policy judges a resource and no exception covers it."""
        return record.applies_to(args.resource_type) and not self._context.is_excepted(record.name, args.name)

    def _to_checked_resource(self, args: sdk.ResourceValidationArgs, record: Policy) -> CheckedResource:
        limits = record.resolve_limits(args.get_config())
        return CheckedResource(args.urn, args.resource_type, args.name, args.props, self._context, limits=limits)

    def _stack_check(self, record: Policy, check: Callable[[CheckedStack], Iterable[Finding]]) -> Callable[..., None]:
        def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
            if args.resources:  # of each request, only the first policy is given them (`ask_less`)
                self._resources = self._to_checked_resources(args.resources)
            stack = CheckedStack(
                self._resources, self._context, record.resolve_limits(args.get_config()), self.program_properties
            )
            names = {resource.urn: resource.name for resource in stack.resources}
            whole = next(
                (platform.name for platform in stack.list_resources(PLATFORM)), ""
            )  # what an exception names for the whole stack
            excusable = record.group is not PolicyGroup.EXCEPTIONS
            for finding in _readable(check(stack)):
                if not (excusable and self._context.is_excepted(record.name, names.get(finding.urn, whole))):
                    report(f"{finding.message} {record.remedy}".rstrip(), finding.urn or None)

        return validate

    def _to_checked_resources(self, resources: Sequence[sdk.PolicyResource]) -> tuple[CheckedResource, ...]:
        """A stack's resources without the SDK, each after its parent and what it depends on: an engine lists in any order."""
        to_list = {resource.urn: resource for resource in resources}
        found: dict[str, CheckedResource] = {}
        for urn in TopologicalSorter({resource.urn: _before(resource) for resource in resources}).static_order():
            one = to_list[urn]
            found[urn] = CheckedResource(
                urn=one.urn,
                type=one.resource_type,
                name=one.name,
                props=one.props,
                context=self._context,
                parent=found[one.parent.urn] if one.parent else None,
                dependencies=tuple(found[dependency.urn] for dependency in one.dependencies),
                references={
                    key: tuple(found[dependency.urn] for dependency in others)
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
            limit.name: {"type": "number", "minimum": 0, "default": limit.default, "description": limit.description}
            for limit in record.limits
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
    except MALFORMED_ERRORS as error:
        yield Finding(describe_malformed(error))


def _before(resource: sdk.PolicyResource) -> set[str]:
    others = [*resource.dependencies, *chain.from_iterable(resource.property_dependencies.values())]
    return {dependency.urn for dependency in ([*others, resource.parent] if resource.parent else others)}

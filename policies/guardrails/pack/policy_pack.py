"""Start of the policy pack in its own process, and conversion of the policy records to policies of Pulumi's SDK.

An exception is an entry of `polyphony:exceptions` that excuses one resource from one policy until a date. Until then,
the pack reports no finding of this policy about this resource. It cannot report the finding as advisory, because the
SDK has one enforcement level for all findings of a policy. Instead, the policy `exceptions-in-force` reports each
exception. Policies with `excusable=False` and the policies about exceptions ignore exceptions.
"""

import gc
import os
import sys
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from itertools import chain
from typing import Any

import pulumi.runtime
import pulumi_policy as sdk
from pulumi_policy.proxy import UnknownValueError

from guardrails.model.escalation_action_list import load_escalation_actions
from guardrails.model.resource_types import PLATFORM
from guardrails.pack.policy_kinds import (
    MALFORMED_ERRORS,
    CheckedResource,
    CheckedStack,
    Policy,
    PolicyGroup,
    ResourceInStackPolicy,
    ResourcePolicy,
    StackPolicy,
    describe_malformed,
)
from guardrails.pack.sdk_speedups import cache_decoding, replace_analyzer
from guardrails.pack.stack_configuration import InvalidStackConfiguration, StackContext, read_stack_context
from guardrails.pack.undecided_checks import UndecidedCheck, to_reason
from guardrails.policy_catalogue import POLICIES

NAME = "polyphony-guardrails"
GC_THRESHOLD = 2_000_000
"""Number of allocated objects before a garbage collection, which is more than a stack creates. All resources stay in
memory until the process ends, so a garbage collection would find nothing.
"""


def start() -> None:
    """Run the pack until Pulumi's engine ends the process."""
    try:
        context = read_stack_context(
            pulumi.runtime.get_config_env(),
            os.environ.get("PULUMI_PROJECT", ""),
            datetime.now(UTC).date(),
            os.environ.get("PULUMI_STACK", ""),
        )
    except InvalidStackConfiguration as error:
        sys.exit(f"{NAME} cannot check this stack: {error}")
    gc.set_threshold(GC_THRESHOLD)
    cache_decoding()
    replace_analyzer(policy_applies_to_type)
    # The pack is idle while the Pulumi program starts, so it loads the large table of IAM actions meanwhile.
    threading.Thread(target=load_escalation_actions, daemon=True).start()
    builder = PolicyBuilder(context)
    sdk.PolicyPack(name=NAME, policies=[builder.build(record) for record in POLICIES])


_RESOURCE_POLICIES = {record.name: record for record in POLICIES if isinstance(record, ResourcePolicy)}


def policy_applies_to_type(policy_name: str, resource_type: str) -> bool:
    """Return True if the named policy checks single resources of a type."""
    return policy_name in _RESOURCE_POLICIES and _RESOURCE_POLICIES[policy_name].applies_to(resource_type)


class PolicyBuilder:
    """Builder of the SDK's policies for one stack.

    The engine first sends each resource alone, with the inputs that the program sets. At the end it sends all resources
    together, with the outputs of the provider. These outputs can contain properties that the program does not set, for
    example the policy that a bucket policy gives to its bucket. So the builder records, when the engine sends a
    resource alone, which properties the program sets.
    """

    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._resources: tuple[CheckedResource, ...] = ()
        self.program_properties: dict[str, frozenset[str]] = {}
        """The properties that the program sets, by URN."""
        self._undecided_checks: set[UndecidedCheck] = set()
        """The checks that must wait for the deployment. The last policy, `checks-at-deployment`, reports them."""

    def build(self, record: Policy) -> sdk.Policy:
        """Return the SDK's policy for a record."""
        common: dict[str, Any] = {
            "name": record.name,
            "description": record.description,
            "enforcement_level": sdk.EnforcementLevel(record.levels.for_environment(self._context.environment).value),
            "severity": sdk.Severity(record.severity.value),
            "tags": [record.group.value, *record.frameworks],
            "remediation_steps": record.remedy,
        }
        match record:
            case ResourcePolicy():
                return sdk.ResourceValidationPolicy(**common, validate=self._build_resource_check(record))
            case ResourceInStackPolicy() | StackPolicy():
                return sdk.StackValidationPolicy(**common, validate=self._build_stack_check(record))
        raise TypeError(f"{record.name} has the unknown policy kind {type(record).__name__}")

    def _build_resource_check(self, record: ResourcePolicy) -> Callable[..., None]:
        def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
            if args.urn not in self.program_properties:
                self.program_properties[args.urn] = frozenset(list(args.props))
            if not self._must_check(record, args):
                return
            try:
                for message in record.check(self._to_checked_resource(args)):
                    report(f"{message} {record.remedy}", None)
            except UnknownValueError as error:
                self._defer(args, [UndecidedCheck(record.name, args.urn, error.message)])
            except MALFORMED_ERRORS as error:
                report(f"{describe_malformed(error)} {record.remedy}", None)

        return validate

    def _must_check(self, record: ResourcePolicy, args: sdk.ResourceValidationArgs) -> bool:
        """Return True if the policy checks the resource and no exception covers it."""
        is_excepted = record.excusable and self._context.is_excepted(record.name, args.name)
        return record.applies_to(args.resource_type) and not is_excepted

    def _to_checked_resource(self, args: sdk.ResourceValidationArgs) -> CheckedResource:
        """Return the single resource that a `ResourcePolicy` checks."""
        return CheckedResource(args.urn, args.resource_type, args.name, args.props, self._context)

    def _build_stack_check(self, record: ResourceInStackPolicy | StackPolicy) -> Callable[..., None]:
        def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
            if args.resources:  # only the first policy gets them (see `replace_analyzer`), so keep them for the others
                self._resources = self._to_checked_resources(args.resources)
            stack = CheckedStack(
                self._resources,
                self._context,
                self.program_properties,
                frozenset(self._undecided_checks),
            )
            names = {resource.urn: resource.name for resource in stack.resources}
            # A finding about the whole stack names no resource. Its exception names the Platform component instead.
            platform_name = next((platform.name for platform in stack.list_resources(PLATFORM)), "")
            excusable = record.excusable and record.group is not PolicyGroup.EXCEPTIONS
            undecided_checks: list[UndecidedCheck] = []
            for result in record.list_results(stack):
                if excusable and self._context.is_excepted(record.name, names.get(result.urn, platform_name)):
                    continue
                if isinstance(result, UndecidedCheck):
                    undecided_checks.append(result)
                else:
                    report(f"{result.message} {record.remedy}".rstrip(), result.urn or None)
            if undecided_checks:
                self._defer(args, undecided_checks)

        return validate

    def _defer(
        self, args: sdk.ResourceValidationArgs | sdk.StackValidationArgs, checks: Sequence[UndecidedCheck]
    ) -> None:
        """Keep the checks for `checks-at-deployment`, and raise the SDK's error that ends this policy."""
        self._undecided_checks.update(checks)
        args.not_applicable(to_reason(checks))

    def _to_checked_resources(self, resources: Sequence[sdk.PolicyResource]) -> tuple[CheckedResource, ...]:
        """Convert the SDK's resources. A resource refers to its converted parent and dependencies, and the engine lists
        resources in any order, so they are sorted first.
        """
        by_urn = {resource.urn: resource for resource in resources}
        checked: dict[str, CheckedResource] = {}
        for urn in TopologicalSorter(
            {resource.urn: _urns_of_dependencies(resource) for resource in resources}
        ).static_order():
            resource = by_urn[urn]
            checked[urn] = CheckedResource(
                urn=resource.urn,
                type=resource.resource_type,
                name=resource.name,
                props=resource.props,
                context=self._context,
                parent=checked[resource.parent.urn] if resource.parent else None,
                dependencies=tuple(checked[dependency.urn] for dependency in resource.dependencies),
                references={
                    key: tuple(checked[dependency.urn] for dependency in dependencies)
                    for key, dependencies in resource.property_dependencies.items()
                    if dependencies
                },
            )
        return tuple(checked.values())


def _urns_of_dependencies(resource: sdk.PolicyResource) -> set[str]:
    dependencies = [*resource.dependencies, *chain.from_iterable(resource.property_dependencies.values())]
    return {dependency.urn for dependency in ([*dependencies, resource.parent] if resource.parent else dependencies)}

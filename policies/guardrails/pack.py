"""Start of the policy pack in its own process, and conversion of the records to policies of Pulumi's SDK.

The engine first sends each resource with the inputs that the program sets, and at the end all resources with their
parents and references. The pack keeps the inputs, because the outputs also contain what other resources set: a
bucket's output `policy`, for example, is the document of its separate `BucketPolicy`.

An entry of `polyphony:exceptions` silences a policy for one resource until a date. The SDK has one level for all
findings of a policy, so the finding cannot become advisory; `exceptions-in-force` reports the entry in every run.
"""

import os
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pulumi.runtime
import pulumi_policy as sdk

from guardrails.catalogue import POLICIES
from guardrails.records import CheckedResource, CheckedStack, Group, Policy, ResourcePolicy, run_check
from guardrails.resource_types import PLATFORM
from guardrails.stack_configuration import InvalidStackConfiguration, StackContext, read_stack_context

NAME = "polyphony-guardrails"


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
    builder = PolicyBuilder(context)
    sdk.PolicyPack(name=NAME, policies=[builder.build(record) for record in POLICIES])


class PolicyBuilder:
    """Builder of the SDK's policies for one stack, with the resources that the engine has sent."""

    def __init__(self, context: StackContext) -> None:
        self._context = context
        self._resources: dict[str, CheckedResource] = {}
        self._stack: CheckedStack | None = None
        self._undecided: dict[str, set[str]] = defaultdict(set)

    def build(self, record: Policy) -> sdk.Policy:
        """Return the SDK's policy for a record."""
        common: dict[str, Any] = {
            "name": record.name,
            "description": record.description,
            "enforcement_level": sdk.EnforcementLevel(record.levels.for_environment(self._context.environment).value),
            "severity": sdk.Severity(record.severity.value),
            "tags": [record.group.value],
            "remediation_steps": record.remedy,
        }
        if isinstance(record, ResourcePolicy):
            return sdk.ResourceValidationPolicy(**common, validate=self._build_resource_check(record))
        return sdk.StackValidationPolicy(**common, validate=self._build_stack_check(record))

    def _build_resource_check(self, record: ResourcePolicy) -> Callable[..., None]:
        def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
            resource = self._resources.setdefault(
                args.urn, CheckedResource(args.urn, args.resource_type, args.name, args.props, self._context)
            )
            if not record.applies_to(args.resource_type) or self._is_excepted(record, args.name):
                return
            for message in run_check(lambda: record.check(resource)):
                if message:
                    report(f"{message} {record.remedy}", None)
                else:
                    self._undecided[record.name].add(args.name)

        return validate

    def _build_stack_check(self, record: Any) -> Callable[..., None]:
        def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
            stack = self._stack = self._stack or self._read_stack(args.resources)
            names = {resource.urn: resource.name for resource in stack.resources}
            # A finding about the whole stack names no resource. Its exception names the Platform component.
            platform = next((resource.name for resource in stack.list_resources(PLATFORM)), "")
            for result in record.list_results(stack):
                if self._is_excepted(record, names.get(result.urn, platform)):
                    continue
                if result.message:
                    report(f"{result.message} {record.remedy}".rstrip(), result.urn or None)
                else:
                    self._undecided[record.name].add(names.get(result.urn, "the stack"))

        return validate

    def _is_excepted(self, record: Policy, resource: str) -> bool:
        return (
            record.exceptions_allowed
            and record.group is not Group.EXCEPTIONS
            and self._context.is_excepted(record.name, resource)
        )

    def _read_stack(self, resources: Sequence[sdk.PolicyResource]) -> CheckedStack:
        """Return the stack, whose resources refer to each other. The engine lists them in any order."""
        by_urn = {
            each.urn: self._resources.get(each.urn)
            or CheckedResource(each.urn, each.resource_type, each.name, each.props, self._context)
            for each in resources
        }
        for each in resources:
            checked = by_urn[each.urn]
            checked.parent = by_urn[each.parent.urn] if each.parent else None
            checked.references = {
                key: tuple(by_urn[dependency.urn] for dependency in dependencies)
                for key, dependencies in each.property_dependencies.items()
                if dependencies
            }
        return CheckedStack(tuple(by_urn.values()), self._context, self._undecided)

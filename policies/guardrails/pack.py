"""From records to the SDK's policies, and the pack itself.

A resource that an exception covers is skipped here, once for all policies. The exceptions in force are reported in
every run by policies of their own, because a policy has one level for all resources.
"""

import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pulumi.runtime
import pulumi_policy as sdk

from guardrails import catalogue
from guardrails.record import Judged, Policy, ResourcePolicy, StackPolicy
from guardrails.surroundings import Surroundings, Unusable, read

NAME = "polyphony-guardrails"


def start() -> None:
    """Runs the pack until its engine ends it."""
    try:
        surroundings = read(
            pulumi.runtime.get_config_env(), os.environ.get("PULUMI_PROJECT", ""), datetime.now(UTC).date()
        )
    except Unusable as error:
        sys.exit(f"{NAME} cannot judge this stack: {error}")
    sdk.PolicyPack(name=NAME, policies=policies(surroundings))


def policies(surroundings: Surroundings) -> list[sdk.Policy]:
    """All policies, at the levels of this environment."""
    return [_built(record, surroundings) for record in catalogue.policies(surroundings)]


def _built(record: Policy, surroundings: Surroundings) -> sdk.Policy:
    common: dict[str, Any] = {
        "name": record.name,
        "description": record.description,
        "enforcement_level": sdk.EnforcementLevel(record.levels.of(surroundings.environment).value),
        "severity": sdk.Severity(record.severity.value),
        "tags": [record.group.value, *record.frameworks],
        "remediation_steps": record.remedy,
    }
    if isinstance(record, StackPolicy):
        return sdk.StackValidationPolicy(**common, validate=_stack_check(record, surroundings))
    if isinstance(record, ResourcePolicy):
        return sdk.ResourceValidationPolicy(**common, validate=_resource_check(record, surroundings))
    raise TypeError(f"{record.name} is neither a resource nor a stack policy")


def _resource_check(
    record: ResourcePolicy, surroundings: Surroundings
) -> Callable[[sdk.ResourceValidationArgs, sdk.ReportViolation], None]:
    def validate(args: sdk.ResourceValidationArgs, report: sdk.ReportViolation) -> None:
        if args.resource_type not in record.types or surroundings.waived(record.name, args.name):
            return
        for message in record.check(Judged(args.urn, args.resource_type, args.name, args.props)):
            report(f"{message} {record.remedy}", None)

    return validate


def _stack_check(
    record: StackPolicy, surroundings: Surroundings
) -> Callable[[sdk.StackValidationArgs, sdk.ReportViolation], None]:
    def validate(args: sdk.StackValidationArgs, report: sdk.ReportViolation) -> None:
        resources = judged(args.resources)
        names = {one.urn: one.name for one in resources}
        for finding in record.check(resources):
            if not surroundings.waived(record.name, names.get(finding.urn, "")):
                report(f"{finding.message} {record.remedy}".rstrip(), finding.urn or None)

    return validate


def judged(resources: list[sdk.PolicyResource]) -> list[Judged]:
    """A stack's resources without the SDK; parents stand before their children, as the engine lists them."""
    found: dict[str, Judged] = {}
    for one in resources:
        found[one.urn] = Judged(
            urn=one.urn,
            type=one.resource_type,
            name=one.name,
            props=one.props,
            parent=found.get(one.parent.urn) if one.parent else None,
            dependencies=tuple(found[other.urn] for other in one.dependencies if other.urn in found),
        )
    return list(found.values())

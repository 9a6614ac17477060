"""Guardrail policies about the cost of monitoring: limits on the number of alarms, dashboards and custom metrics."""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM, DASHBOARD, METRIC_FILTER, PLATFORM
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)


@POLICIES.stack(
    "alarm-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="The number of alarms is within the limit.",
    remedy=(
        "Watch fewer metrics, or combine several metrics in one alarm (metric math), or add an exception for the "
        "resource `platform`."
    ),
    limits=(PolicyLimit("alarms", 200, "Maximum number of alarms of a stack."),),
)
def _check_alarm_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _compare_with_limit(stack, len(stack.list_resources(ALARM, COMPOSITE_ALARM)), "alarms")


@POLICIES.stack(
    "dashboard-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="The number of dashboards is within the limit.",
    remedy="Put more charts on one dashboard.",
    limits=(
        PolicyLimit(
            "dashboards",
            1,
            "Maximum number of dashboards of a stack: one of the whole platform.",
        ),
    ),
)
def _check_dashboard_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _compare_with_limit(stack, len(stack.list_resources(DASHBOARD)), "dashboards")


@POLICIES.stack(
    "custom-metric-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="The number of custom metrics is within the limit.",
    remedy="Give the metrics fewer dimensions. Each combination of dimension values is one metric.",
    limits=(PolicyLimit("metrics", 60, "Maximum number of custom metrics of a stack."),),
)
def _check_custom_metric_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    """Compare the limit with the number of log metric filters, plus the number of metrics that functions write. No
    resource shows the metrics of functions, so the Platform component (the whole stack) publishes their number.
    """
    published = [
        block["customMetrics"]
        for platform in stack.list_resources(PLATFORM)
        for block in platform.props["usage"].values()
        if "customMetrics" in block
    ]
    yield from _compare_with_limit(stack, len(stack.list_resources(METRIC_FILTER)) + sum(published), "metrics")


def _compare_with_limit(stack: CheckedStack, count: float, limit_name: str) -> Iterator[Finding]:
    max_count = stack.limits[limit_name]
    if count > max_count:
        yield Finding(f"The stack has {count:g} {limit_name}, each billed monthly; at most {max_count:g} are allowed.")

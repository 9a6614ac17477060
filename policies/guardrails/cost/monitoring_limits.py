"""Watching costs too: alarms, dashboards and metrics of our own stay within what was agreed."""

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
    description="The number of alarms stays within what was agreed.",
    remedy="Watch fewer symptoms by more telling metrics, or ask for an exception.",
    limits=(PolicyLimit("alarms", 200, "The most alarms of a stack."),),
)
def _check_alarm_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _counted(stack, len(stack.list_resources(ALARM, COMPOSITE_ALARM)), "alarms")


@POLICIES.stack(
    "dashboard-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="The number of dashboards stays within what was agreed.",
    remedy="Put more charts on one dashboard.",
    limits=(PolicyLimit("dashboards", 6, "The most dashboards of a stack: the foundation's and one a subsystem."),),
)
def _check_dashboard_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _counted(stack, len(stack.list_resources(DASHBOARD)), "dashboards")


@POLICIES.stack(
    "custom-metric-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="The number of metrics of our own stays within what was agreed.",
    remedy="Give a metric fewer dimensions: each combination of their values is one metric.",
    limits=(PolicyLimit("metrics", 60, "The most custom metrics of a stack."),),
)
def _check_custom_metric_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    """Metrics of log filters, and those that functions put, as the platform publishes them."""
    published = [
        block["customMetrics"]
        for platform in stack.list_resources(PLATFORM)
        for block in platform.props["usage"].values()
        if "customMetrics" in block
    ]
    yield from _counted(stack, len(stack.list_resources(METRIC_FILTER)) + sum(published), "metrics")


def _counted(stack: CheckedStack, count: float, what: str) -> Iterator[Finding]:
    most = stack.limits[what]
    if count > most:
        yield Finding(f"There are {count:g} {what}, each paid by the month; at most {most:g} are agreed.")

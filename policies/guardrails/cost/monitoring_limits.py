"""Watching costs too: alarms, dashboards and metrics of our own stay within what was agreed."""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM, DASHBOARD, METRIC_FILTER, PLATFORM
from guardrails.pack.policy_kinds import NOT_IN_DEV, Finding, Group, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.COST)


@POLICIES.stack(
    "alarm-ceiling",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="The number of alarms stays within what was agreed.",
    remedy="Watch fewer symptoms by more telling metrics, or ask for an exception.",
    limits=(Limit("alarms", 200, "The most alarms of a stack."),),
)
def _alarms(stack: Stack) -> Iterator[Finding]:
    yield from _counted(stack, len(stack.of(ALARM, COMPOSITE_ALARM)), "alarms")


@POLICIES.stack(
    "dashboard-ceiling",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="The number of dashboards stays within what was agreed.",
    remedy="Put more charts on one dashboard.",
    limits=(Limit("dashboards", 6, "The most dashboards of a stack: the foundation's and one a subsystem."),),
)
def _dashboards(stack: Stack) -> Iterator[Finding]:
    yield from _counted(stack, len(stack.of(DASHBOARD)), "dashboards")


@POLICIES.stack(
    "custom-metric-ceiling",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="The number of metrics of our own stays within what was agreed.",
    remedy="Give a metric fewer dimensions: each combination of their values is one metric.",
    limits=(Limit("metrics", 60, "The most custom metrics of a stack."),),
)
def _metrics(stack: Stack) -> Iterator[Finding]:
    """Metrics of log filters, and those that functions put, as the platform publishes them."""
    published = [
        block["customMetrics"]
        for platform in stack.of(PLATFORM)
        for block in platform.props["usage"].values()
        if "customMetrics" in block
    ]
    yield from _counted(stack, len(stack.of(METRIC_FILTER)) + sum(published), "metrics")


def _counted(stack: Stack, count: float, what: str) -> Iterator[Finding]:
    most = stack.limits[what]
    if count > most:
        yield Finding(f"There are {count:g} {what}, each paid by the month; at most {most:g} are agreed.")

"""Guardrail policies about the cost of monitoring: limits on the number of alarms, dashboards and custom metrics."""

from collections.abc import Iterator

from guardrails.model.resource_types import ALARM, COMPOSITE_ALARM, DASHBOARD, METRIC_FILTER, PLATFORM
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    CheckedStack,
    Finding,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.COST)

MAX_ALARMS = 200
"""Maximum number of alarms of a stack."""
MAX_DASHBOARDS = 1
"""Maximum number of dashboards of a stack: one of the whole platform."""
MAX_CUSTOM_METRICS = 60
"""Maximum number of custom metrics of a stack."""


@POLICIES.stack(
    "alarm-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"A stack has at most {MAX_ALARMS} alarms.",
    remedy=(
        "Watch fewer metrics, or combine several metrics in one alarm (metric math), or add an exception for the "
        "resource `platform`."
    ),
)
def _check_alarm_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _compare_with_limit(len(stack.list_resources(ALARM, COMPOSITE_ALARM)), MAX_ALARMS, "alarms")


@POLICIES.stack(
    "dashboard-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"A stack has at most {MAX_DASHBOARDS} dashboard.",
    remedy="Put more charts on one dashboard.",
)
def _check_dashboard_ceiling(stack: CheckedStack) -> Iterator[Finding]:
    yield from _compare_with_limit(len(stack.list_resources(DASHBOARD)), MAX_DASHBOARDS, "dashboards")


@POLICIES.stack(
    "custom-metric-ceiling",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description=f"A stack has at most {MAX_CUSTOM_METRICS} custom metrics.",
    remedy="Give the metrics fewer dimensions. Each combination of dimension values is one metric.",
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
    count = len(stack.list_resources(METRIC_FILTER)) + sum(published)
    yield from _compare_with_limit(count, MAX_CUSTOM_METRICS, "metrics")


def _compare_with_limit(count: float, max_count: int, counted: str) -> Iterator[Finding]:
    if count > max_count:
        yield Finding(f"The stack has {count:g} {counted}, each billed monthly; at most {max_count} are allowed.")

"""Generator of `docs/reference/alarms.md`: every alarm of production, and what raises it."""

from collections.abc import Iterator
from typing import Any

from local.generate import documented_resource_graph
from local.generate.documented_resource_graph import STACK

INTRODUCTION = """\
# Alarms

`make docs` generates this page from the resources that a preview of production registers. An alarm is named
`polyphony-<stack>-<subsystem>-<name>-<severity>`. It is raised if its metric is above its threshold (or at least as high, with `>=`) in one
period, or in as many successive periods as the page says. Its first step is in its [runbook](../runbooks/README.md).

| alarm | is raised if | runbook |
|---|---|---|
"""


def render_page() -> str:
    """Return the page."""
    resources = documented_resource_graph.build_stack_graph().customs()
    alarms = (resource.inputs for resource in resources if resource.kind == "MetricAlarm")
    return INTRODUCTION + "\n".join(sorted(map(_row, alarms))) + "\n"


def _row(alarm: dict[str, Any]) -> str:
    # The description of an alarm ends with the URL of its runbook.
    runbook = alarm["alarmDescription"].rpartition("Runbook: ")[2].rpartition("/")[2]
    condition = " ".join(_describe_condition(alarm))
    return f"| `{alarm['name'].removeprefix(f'polyphony-{STACK}-')}` | {condition} | [{runbook.removesuffix('.md')}](../runbooks/{runbook}) |"


def _describe_condition(alarm: dict[str, Any]) -> Iterator[str]:
    """Yield the parts of the condition: metric with statistic, comparison, threshold with period, and number of periods."""
    statistic = alarm.get("statistic") or alarm["extendedStatistic"]
    yield f"`{alarm['namespace']}` `{alarm['metricName']}`, {statistic}"
    yield ">=" if alarm["comparisonOperator"].startswith("GreaterThanOrEqual") else ">"
    yield f"{alarm['threshold']:g} in {alarm['period']} s"
    if alarm["evaluationPeriods"] > 1:
        yield f"({alarm['evaluationPeriods']} periods)"

"""What rings for a function: its alias' errors and throttles, and memory where somebody asks for it."""

from typing import Any

import pulumi
import pytest

from components.blocks.function_watch import FunctionWatchArgs, watch_function
from tests.engine import Engine, Recorded, scope

DIMENSIONS: dict[str, pulumi.Input[str]] = {"FunctionName": "a", "Resource": "a:live"}


def watched(engine: Engine, **changes: Any) -> Recorded:
    given = {
        "scope": scope(),
        "logical_name": "Builder",
        "dimensions": DIMENSIONS,
        "log_group": "/aws/lambda/a",
        "errors_above": 0,
        "throttles_above": 0,
        "memory_mb": 512,
        "memory_percent_above": None,
    }
    args = FunctionWatchArgs(**{**given, **changes})
    return engine.run(lambda: watch_function("builder", args, pulumi.ResourceOptions()))


def test_errors_are_critical_and_throttles_a_warning_each_above_its_threshold(engine: Engine) -> None:
    alarms = watched(engine, errors_above=5, throttles_above=10).all("cloudwatch.MetricAlarm")
    found = {one.inputs["metricName"]: (one.inputs["name"], one.inputs["threshold"]) for one in alarms}
    assert found == {
        "Errors": ("polyphony-test-ingestion-builder-errors-critical", 5),
        "Throttles": ("polyphony-test-ingestion-builder-throttles-warning", 10),
    }
    assert all(one.inputs["dimensions"] == DIMENSIONS for one in alarms)


def test_memory_is_not_looked_at_unless_somebody_asks(engine: Engine) -> None:
    assert watched(engine).all("cloudwatch.LogMetricFilter") == []


@pytest.mark.parametrize(("memory_mb", "percent", "threshold"), [(512, 90, 460.8), (768, 90, 691.2), (1024, 100, 1024)])
def test_memory_rings_at_a_share_of_the_functions_own(
    engine: Engine, memory_mb: int, percent: int, threshold: float
) -> None:
    recorded = watched(engine, memory_mb=memory_mb, memory_percent_above=percent)
    alarm = recorded.one("cloudwatch.MetricAlarm", "memory").inputs
    assert alarm["threshold"] == pytest.approx(threshold)
    assert (alarm["statistic"], alarm["name"].rpartition("-")[2]) == ("Maximum", "warning")
    assert alarm["alarmDescription"].endswith("/function-memory.md")


def test_memory_comes_from_the_line_that_lambda_ends_an_invocation_with(engine: Engine) -> None:
    recorded = watched(engine, memory_percent_above=90)
    made, alarm = recorded.one("cloudwatch.LogMetricFilter").inputs, recorded.one("cloudwatch.MetricAlarm", "memory")
    assert (made["logGroupName"], made["pattern"]) == ("/aws/lambda/a", '{ $.type = "platform.report" }')
    assert made["metricTransformation"]["value"] == "$.record.metrics.maxMemoryUsedMB"
    assert alarm.inputs["metricName"] == made["metricTransformation"]["name"]

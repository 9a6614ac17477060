"""Metrics of log lines: this stack's own, and read by the name under which they are written."""

import pulumi

from components.blocks.alarm import Metric
from components.blocks.logged import LoggedArgs, logged
from local.values import Props
from tests.engine import Engine, context, scope

LINES = '{ $.message = "late" }'


def made(engine: Engine, args: LoggedArgs) -> tuple[Props, Metric]:
    metrics: list[Metric] = []
    recorded = engine.run(lambda: metrics.append(logged("late", args, pulumi.ResourceOptions())))
    return recorded.one("cloudwatch.LogMetricFilter").inputs, metrics[0]


def test_the_metric_is_read_where_the_filter_writes_it(engine: Engine) -> None:
    inputs, metric = made(engine, LoggedArgs(scope(), "/aws/lambda/a", LINES, "$.seconds", "Maximum", 60))
    written = inputs["metricTransformation"]
    assert (metric.namespace, metric.name) == (written["namespace"], written["name"])
    assert metric.dimensions == {}, "the filter writes none, so an alarm with some would see nothing"
    assert (metric.statistic, metric.period_seconds) == ("Maximum", 60)
    assert (inputs["logGroupName"], inputs["pattern"], written["value"]) == ("/aws/lambda/a", LINES, "$.seconds")


def test_lines_are_counted_where_they_have_no_number(engine: Engine) -> None:
    inputs, metric = made(engine, LoggedArgs(scope(), "/aws/lambda/a", LINES))
    assert (inputs["metricTransformation"]["value"], metric.statistic) == ("1", "Sum")


def test_lines_of_another_function_add_to_its_metric_by_a_filter_of_their_own(engine: Engine) -> None:
    inputs, metric = made(engine, LoggedArgs(scope(), "/aws/lambda/b", LINES, into="early"))
    assert (inputs["metricTransformation"]["name"], metric.name) == ("early", "early")
    assert inputs["name"].endswith("-late")


def test_two_stacks_of_one_account_never_add_to_each_others_metric(engine: Engine) -> None:
    found = [
        made(engine, LoggedArgs(scope(context=context(stack)), "/aws/lambda/a", LINES)) for stack in ("dev", "staging")
    ]
    assert len({metric.namespace for _, metric in found}) == 2
    assert len({inputs["name"] for inputs, _ in found}) == 2

"""Alarms say how bad it is and where to look; metrics of log lines are this stack's own."""

import pulumi

from components.blocks.alarm import Comparison, Metric, Severity, alarm
from components.blocks.logged import logged
from local.values import Props
from tests.engine import Engine, context, scope

LINES = '{ $.message = "late" }'
OLDEST = Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "q"}, "Maximum", 60)
OPTS = pulumi.ResourceOptions()


def test_severity_stands_in_name_and_description_beside_the_runbook(engine: Engine) -> None:
    recorded = engine.run(lambda: alarm("oldest", scope(), OLDEST, 900, "Files wait.", "dead-letters", OPTS))
    found = recorded.one("cloudwatch.MetricAlarm").inputs
    assert found["name"] == "polyphony-test-ingestion-oldest-warning"
    assert found["alarmDescription"] == "WARNING: Files wait. Runbook: docs/runbooks/dead-letters.md"
    assert (found["namespace"], found["metricName"], found["dimensions"]) == (
        "AWS/SQS",
        "ApproximateAgeOfOldestMessage",
        {"QueueName": "q"},
    )
    assert (found["statistic"], found["period"], found["evaluationPeriods"]) == ("Maximum", 60, 1)
    assert (found["threshold"], found["comparisonOperator"]) == (900, "GreaterThanThreshold")
    assert found["treatMissingData"] == "notBreaching", "the default would keep an alarm in the state it had"


def test_people_hear_of_it_and_of_its_end(engine: Engine) -> None:
    recorded = engine.run(lambda: alarm("oldest", scope(), OLDEST, 900, "Files wait.", "dead-letters", OPTS))
    found = recorded.one("cloudwatch.MetricAlarm").inputs
    assert found["alarmActions"] == found["okActions"] == [scope().alerts_topic]


def test_a_percentile_is_an_extended_statistic(engine: Engine) -> None:
    def program() -> None:
        slow = Metric("N", "Latency", {}, "p95")
        at_least = Comparison.AT_LEAST
        alarm("slow", scope(), slow, 1, "x", "y", OPTS, severity=Severity.CRITICAL, comparison=at_least, periods=2)

    found = engine.run(program).one("cloudwatch.MetricAlarm").inputs
    assert (found["extendedStatistic"], "statistic" in found) == ("p95", False)
    assert (found["comparisonOperator"], found["evaluationPeriods"]) == ("GreaterThanOrEqualToThreshold", 2)
    assert found["name"].endswith("-slow-critical")


def filtered(engine: Engine, stack: str = "test", **reading: str) -> tuple[Props, Metric]:
    """Return the filter and the metric that `reading` makes of the lines of a log group."""
    metrics: list[Metric] = []
    own = scope(context=context(stack))
    recorded = engine.run(lambda: metrics.append(logged("late", own, "/aws/lambda/a", LINES, OPTS, **reading)))  # type: ignore[arg-type]
    return recorded.one("cloudwatch.LogMetricFilter").inputs, metrics[0]


def test_the_metric_is_read_where_the_filter_writes_it(engine: Engine) -> None:
    inputs, metric = filtered(engine, value="$.seconds", statistic="Maximum")
    written = inputs["metricTransformation"]
    assert (metric.namespace, metric.name) == (written["namespace"], written["name"])
    assert metric.dimensions == {}, "the filter writes none, so an alarm with some would see nothing"
    assert (metric.statistic, metric.period_seconds) == ("Maximum", 300)
    assert (inputs["logGroupName"], inputs["pattern"], written["value"]) == ("/aws/lambda/a", LINES, "$.seconds")
    assert filtered(engine)[0]["metricTransformation"]["value"] == "1", "lines without a number are counted"


def test_lines_of_another_function_add_to_its_metric_by_a_filter_of_their_own(engine: Engine) -> None:
    inputs, metric = filtered(engine, into="early")
    assert (inputs["metricTransformation"]["name"], metric.name) == ("early", "early")
    assert inputs["name"].endswith("-late")


def test_two_stacks_of_one_account_never_add_to_each_others_metric(engine: Engine) -> None:
    found = [filtered(engine, stack) for stack in ("dev", "staging")]
    assert len({metric.namespace for _, metric in found}) == 2
    assert len({inputs["name"] for inputs, _ in found}) == 2

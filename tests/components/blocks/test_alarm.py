"""Alarms say how bad it is, where to look, and what missing data means."""

import pulumi

from components.blocks.alarm import AlarmArgs, Comparison, Metric, MissingData, Severity, alarm
from local import ROOT
from local.values import Props
from tests.engine import Engine, scope


def made(engine: Engine, **changes: object) -> Props:
    args = AlarmArgs(
        **{  # type: ignore[arg-type]
            "scope": scope(),
            "metric": Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": "q"}, "Maximum", 60),
            "severity": Severity.WARNING,
            "threshold": 900,
            "says": "Files wait.",
            "runbook": "dead-letters",
            **changes,
        }
    )
    recorded = engine.run(lambda: alarm("oldest", args, pulumi.ResourceOptions()))
    return recorded.one("cloudwatch.MetricAlarm").inputs


def test_severity_stands_in_name_and_description_beside_the_runbook(engine: Engine) -> None:
    found = made(engine)
    assert found["name"] == "polyphony-test-ingestion-oldest-warning"
    assert found["alarmDescription"] == "WARNING: Files wait. Runbook: docs/runbooks/dead-letters.md"
    assert (ROOT / "docs/runbooks/dead-letters.md").exists()


def test_people_hear_of_it_and_of_its_end(engine: Engine) -> None:
    found = made(engine)
    assert found["alarmActions"] == found["okActions"] == [scope().alerts_topic]


def test_missing_data_is_always_decided(engine: Engine) -> None:
    assert made(engine)["treatMissingData"] == "notBreaching"
    assert made(engine, missing_data=MissingData.BREACHING)["treatMissingData"] == "breaching"


def test_a_percentile_is_an_extended_statistic(engine: Engine) -> None:
    found = made(engine, metric=Metric("N", "Latency", {}, "p95"), comparison=Comparison.AT_LEAST, periods=2)
    assert (found["extendedStatistic"], "statistic" in found) == ("p95", False)
    assert (found["comparisonOperator"], found["evaluationPeriods"]) == ("GreaterThanOrEqualToThreshold", 2)

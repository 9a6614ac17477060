"""Tests that the deployed services publish the metrics that alarms read, and that all alarms of the platform are
evaluated."""

from typing import Any

import pytest

from local.emulation.cloudwatch.available_metrics import PUBLISHED_AWS_METRICS, why_not_evaluated
from local.flows import eventually
from tests.end_to_end.conftest import Platform

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]


def read_alarms(platform: Platform) -> list[dict[str, Any]]:
    pages = platform.client("cloudwatch").get_paginator("describe_alarms").paginate()
    return [alarm for page in pages for alarm in page["MetricAlarms"]]


def identify(metric: dict[str, Any]) -> tuple[str, str, frozenset[tuple[str, str]]]:
    """Return namespace, name and dimensions of a metric, or of the metric of an alarm."""
    dimensions = frozenset((dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"])
    return metric["Namespace"], metric["MetricName"], dimensions


@pytest.mark.usefixtures("transcription_flow_run", "voice_qa_flow_run", "livestream_flow_run")
def test_the_flows_publish_the_metrics_that_alarms_use(platform: Platform) -> None:
    """A metric with other dimensions than the alarm's would leave the alarm without data."""
    expected = {(namespace, name) for namespace, names in PUBLISHED_AWS_METRICS.items() for name in names}
    expected.remove(("AWS/States", "ExecutionsFailed"))  # no execution has failed

    def find_published() -> set[tuple[str, str]] | None:
        pages = platform.client("cloudwatch").get_paginator("list_metrics").paginate()
        published = {identify(metric) for page in pages for metric in page["Metrics"]}
        metrics_of_alarms = {
            (alarm["Namespace"], alarm["MetricName"]) for alarm in read_alarms(platform) if identify(alarm) in published
        }
        return metrics_of_alarms if metrics_of_alarms >= expected else None

    eventually(find_published, f"alarms' metrics {sorted(expected)}")


def test_every_alarm_is_evaluated_unless_its_metric_does_not_exist_here(platform: Platform) -> None:
    for alarm in read_alarms(platform):
        is_evaluated = why_not_evaluated(alarm["Namespace"], alarm["MetricName"]) is None
        assert (alarm["StateValue"] != "INSUFFICIENT_DATA") == is_evaluated, alarm["AlarmName"]

"""Tests that a resource of the stack publishes each metric that a chart shows or an alarm evaluates.

CloudWatch accepts charts and alarms of metrics that no source publishes. Such a chart stays empty, and such an alarm
never changes to the state ALARM.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from handlers.meetings import metrics as meeting_metrics
from handlers.transcription import environment as transcription
from local.preview.resource_graph import Graph
from local.property_values import UNKNOWN
from tests.whole_program import ONE_WORKER, STACKS, graph

pytestmark = ONE_WORKER


class ReadMetric(NamedTuple):
    """Metric that a chart or an alarm reads."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, Any], ...]


def read_metrics(stack: Graph) -> Iterator[ReadMetric]:
    yield from charted_metrics(stack)
    for alarm in resources(stack, "MetricAlarm"):
        dimensions = tuple(sorted((alarm.get("dimensions") or {}).items()))
        yield ReadMetric(alarm["namespace"], alarm["metricName"], dimensions)


def charted_metrics(stack: Graph) -> Iterator[ReadMetric]:
    [dashboard] = resources(stack, "Dashboard")
    for widget in json.loads(dashboard["dashboardBody"])["widgets"]:
        for namespace, name, *dimensions, _options in widget["properties"]["metrics"]:
            yield ReadMetric(namespace, name, tuple(zip(dimensions[::2], dimensions[1::2], strict=True)))


def resources(stack: Graph, kind: str) -> list[dict[str, Any]]:
    return [dict(resource.inputs) for resource in stack.customs() if resource.kind == kind]


PUBLISHED = {
    ("AWS/ApiGateway", "ApiId"): {"ClientError", "ConnectCount", "ExecutionError", "IntegrationError"},
    ("AWS/ApiGateway", "ApiName"): {"4XXError", "5XXError", "Latency"},
    ("AWS/DynamoDB", "TableName"): {"ReadThrottleEvents", "WriteThrottleEvents"},
    ("AWS/Lambda", ""): {"ConcurrentExecutions", "Throttles"},
    ("AWS/Lambda", "FunctionName"): {"Duration", "Errors", "Throttles"},
    ("AWS/SQS", "QueueName"): {
        *("ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "NumberOfMessagesSent"),
    },
    ("AWS/States", "StateMachineArn"): {
        *("ExecutionThrottled", "ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"),
    },
}
"""Metrics that AWS publishes, by namespace and by the dimension that names the resource. The account's have none."""


def dimension_values(stack: Graph) -> dict[str, set[Any]]:
    """Return the values that each dimension can have in a stack. The id of an API is unknown before its deployment."""
    kinds = {
        "ApiName": "RestApi",
        "FunctionName": "Function",
        "QueueName": "Queue",
        "StateMachineArn": "StateMachine",
        "TableName": "Table",
    }
    values: dict[str, set[Any]] = {
        dimension: {resource["name"] for resource in resources(stack, kind)} for dimension, kind in kinds.items()
    }
    values["Resource"] = {f"{alias['functionName']}:{alias['name']}" for alias in resources(stack, "Alias")}
    values["Stage"] = {stage.get("stageName") or stage["name"] for stage in resources(stack, "Stage")}
    return {**values, "ApiId": {UNKNOWN}}


def is_published_by_aws(metric: ReadMetric, values: Mapping[str, set[Any]]) -> bool:
    names = [name for name, _ in metric.dimensions] or [""]
    return any(metric.name in PUBLISHED.get((metric.namespace, name), ()) for name in names) and all(
        value in values[name] or str(value).rpartition(":")[2] in values[name] for name, value in metric.dimensions
    )


HANDLER_METRICS = {
    transcription.METRICS_NAMESPACE: transcription,
    meeting_metrics.NAMESPACE: meeting_metrics,
}
"""Modules that name the metrics which handlers publish, by namespace."""


def is_published_by_a_handler(stack: Graph, metric: ReadMetric) -> bool:
    """Handlers publish a metric if a constant of theirs is its name, and a role may publish the namespace."""
    names = vars(HANDLER_METRICS[metric.namespace]).values() if metric.namespace in HANDLER_METRICS else ()
    policies = [str(policy["policy"]) for policy in resources(stack, "RolePolicy")]
    namespace = json.dumps(metric.namespace)
    return metric.name in names and any("cloudwatch:PutMetricData" in text and namespace in text for text in policies)


def is_counted_in_logs(stack: Graph, metric: ReadMetric) -> bool:
    transformations = [log_filter["metricTransformation"] for log_filter in resources(stack, "LogMetricFilter")]
    return not metric.dimensions and (metric.namespace, metric.name) in {
        (transformation["namespace"], transformation["name"]) for transformation in transformations
    }


@pytest.mark.parametrize("stack", STACKS)
def test_every_chart_and_alarm_reads_metrics_that_the_stack_publishes(stack: str) -> None:
    metrics, values = list(read_metrics(graph(stack))), dimension_values(graph(stack))
    assert len(metrics) > 100
    assert [
        metric
        for metric in metrics
        if not is_published_by_aws(metric, values)
        and not is_published_by_a_handler(graph(stack), metric)
        and not is_counted_in_logs(graph(stack), metric)
    ] == []


@pytest.mark.parametrize("stack", STACKS)
def test_the_overview_shows_failures_of_every_function_queue_workflow_and_api(stack: str) -> None:
    shown_names = {
        (metric.name, str(value).rpartition(":")[2])
        for metric in charted_metrics(graph(stack))
        for key, value in metric.dimensions
        if key in {"ApiName", "FunctionName", "QueueName", "StateMachineArn"}
    }
    expected_names = {
        (metric, resource["name"])
        for kind, metrics in {
            "Function": ("Duration", "Errors"),
            "Queue": ("ApproximateNumberOfMessagesVisible",),
            "RestApi": ("5XXError", "Latency"),
            "StateMachine": ("ExecutionsFailed", "ExecutionsTimedOut"),
        }.items()
        for resource in resources(graph(stack), kind)
        for metric in metrics
        if kind != "Queue" or "redriveAllowPolicy" in resource  # only dead-letter queues have it
    }
    assert shown_names == expected_names

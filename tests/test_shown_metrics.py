"""Tests that a resource of the stack publishes each metric that a chart shows or an alarm evaluates.

CloudWatch accepts charts and alarms of metrics that no source publishes. Such a chart stays empty, and such an alarm
never changes to the state ALARM.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple

import pytest

from handlers.meetings import metrics as meeting_metrics
from handlers.transcription import environment as transcription
from local import ROOT
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


def has_resource(stack: Graph, kind: str, **inputs: object) -> bool:
    """Return True if the stack has a resource of this kind with these inputs."""
    return any(all(resource.get(key) == value for key, value in inputs.items()) for resource in resources(stack, kind))


def is_lambda_metric(stack: Graph, name: str, dimensions: Mapping[str, Any]) -> bool:
    if not dimensions:
        return name in {"ConcurrentExecutions", "Throttles"}  # the metrics of the account
    function, _, alias = dimensions["Resource"].partition(":")
    return (
        name in {"Duration", "Errors", "Throttles"}
        and function == dimensions["FunctionName"]
        and has_resource(stack, "Alias", functionName=function, name=alias)
    )


def is_queue_metric(stack: Graph, name: str, dimensions: Mapping[str, Any]) -> bool:
    published = {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible", "NumberOfMessagesSent"}
    return name in published and has_resource(stack, "Queue", name=dimensions["QueueName"])


def is_table_metric(stack: Graph, name: str, dimensions: Mapping[str, Any]) -> bool:
    published = {"ReadThrottleEvents", "WriteThrottleEvents"}
    return name in published and has_resource(stack, "Table", name=dimensions["TableName"])


def is_workflow_metric(stack: Graph, name: str, dimensions: Mapping[str, Any]) -> bool:
    published = {"ExecutionThrottled", "ExecutionsAborted", "ExecutionsFailed", "ExecutionsTimedOut"}
    return name in published and has_resource(
        stack, "StateMachine", name=dimensions["StateMachineArn"].rpartition(":")[2]
    )


def is_api_metric(stack: Graph, name: str, dimensions: Mapping[str, Any]) -> bool:
    """REST APIs are named by `ApiName`, WebSocket APIs by `ApiId`, which is unknown before the deployment."""
    if dimensions.get("ApiId") is UNKNOWN:
        return name in {"ClientError", "ConnectCount", "ExecutionError", "IntegrationError"} and has_resource(
            stack, "Stage", name=dimensions["Stage"]
        )
    return (
        name in {"4XXError", "5XXError", "Latency"}
        and has_resource(stack, "RestApi", name=dimensions["ApiName"])
        and has_resource(stack, "Stage", stageName=dimensions["Stage"])
    )


SERVICES: dict[str, Callable[[Graph, str, Mapping[str, Any]], bool]] = {
    "AWS/ApiGateway": is_api_metric,
    "AWS/DynamoDB": is_table_metric,
    "AWS/Lambda": is_lambda_metric,
    "AWS/SQS": is_queue_metric,
    "AWS/States": is_workflow_metric,
}
"""Metrics that AWS services publish, by namespace."""
HANDLER_METRICS = {
    transcription.METRICS_NAMESPACE: transcription,
    meeting_metrics.NAMESPACE: meeting_metrics,
}
"""Modules that name the metrics which handlers publish, by namespace."""


@cache
def handler_sources() -> dict[str, str]:
    return {path.as_posix(): path.read_text(encoding="utf-8") for path in (ROOT / "handlers").rglob("*.py")}


def is_published_by_a_handler(stack: Graph, metric: ReadMetric) -> bool:
    """Handlers publish a metric if one of their other modules uses its name, and a role may publish the namespace."""
    module: Any = HANDLER_METRICS.get(metric.namespace)
    if module is None:
        return False
    constants = [constant for constant, value in vars(module).items() if value == metric.name]
    sources = [source for path, source in handler_sources().items() if path != module.__file__]
    is_used = any(re.search(rf"\b{constant}\b", source) for constant in constants for source in sources)
    policies = [str(policy["policy"]) for policy in resources(stack, "RolePolicy")]
    namespace = json.dumps(metric.namespace)
    return is_used and any("cloudwatch:PutMetricData" in text and namespace in text for text in policies)


def is_counted_in_logs(stack: Graph, metric: ReadMetric) -> bool:
    transformations = [log_filter["metricTransformation"] for log_filter in resources(stack, "LogMetricFilter")]
    return not metric.dimensions and (metric.namespace, metric.name) in {
        (transformation["namespace"], transformation["name"]) for transformation in transformations
    }


def find_unpublished_metrics(stack: Graph) -> list[ReadMetric]:
    return [
        metric
        for metric in read_metrics(stack)
        if not (
            SERVICES[metric.namespace](stack, metric.name, dict(metric.dimensions))
            if metric.namespace in SERVICES
            else is_published_by_a_handler(stack, metric) or is_counted_in_logs(stack, metric)
        )
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_every_chart_and_alarm_reads_metrics_that_the_stack_publishes(stack: str) -> None:
    assert len(list(read_metrics(graph(stack)))) > 100
    assert find_unpublished_metrics(graph(stack)) == []


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

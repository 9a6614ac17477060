"""CloudWatch dashboard of the whole platform: errors, work that failed, and the latency of each backend.

`Platform` creates it last. The context knows the names of all resources that were created before, so the dashboard
needs no reference to them.
"""

import json

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.function import LIVE
from components.blocks.rest_api import STAGE
from components.core import Context, Kind, Subsystem

DEAD_LETTER_SUFFIXES = ("-dlq", "-failed", "-failed-events")
"""Endings of the names of dead-letter queues."""


def create_overview_dashboard(context: Context, opts: pulumi.ResourceOptions) -> None:
    """Create the dashboard of the resources whose names the context already knows."""

    def function_metrics(metric: str, statistic: str, subsystem: Subsystem | None = None) -> list[list[object]]:
        names = context.names(Kind.FUNCTION, subsystem)
        return [_metric("AWS/Lambda", metric, statistic, FunctionName=n, Resource=f"{n}:{LIVE}") for n in names]

    def api_metrics(metric: str, statistic: str, subsystem: Subsystem | None = None) -> list[list[object]]:
        names = context.names(Kind.REST_API, subsystem)
        return [_metric("AWS/ApiGateway", metric, statistic, ApiName=name, Stage=STAGE) for name in names]

    queues = [name for name in context.names(Kind.QUEUE) if name.endswith(DEAD_LETTER_SUFFIXES)]
    messages = [_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum", QueueName=name) for name in queues]
    workflows = [context.arn("states", f"stateMachine:{name}") for name in context.names(Kind.STATE_MACHINE)]
    failures = ("ExecutionsFailed", "ExecutionsTimedOut")
    executions = [_metric("AWS/States", name, "Sum", StateMachineArn=arn) for arn in workflows for name in failures]
    charts = {
        "Errors of functions": function_metrics("Errors", "Sum"),
        "Messages in dead-letter queues": messages,
        "Failed executions of workflows": executions,
        "Server errors of REST APIs": api_metrics("5XXError", "Sum"),
    }
    for subsystem in Subsystem:
        latencies = api_metrics("Latency", "p95", subsystem) + function_metrics("Duration", "p95", subsystem)
        charts[f"Latency of {subsystem}, 95th percentile in milliseconds"] = latencies
    properties = [{"title": title, "region": context.region, "metrics": charts[title]} for title in charts]
    widgets = [{"type": "metric", "width": 12, "properties": p} for p in properties if p["metrics"]]
    cloudwatch.Dashboard(
        "foundation-overview-dashboard",
        dashboard_name=context.name(Kind.DASHBOARD, Subsystem.FOUNDATION, "overview"),
        dashboard_body=json.dumps({"widgets": widgets}),
        opts=opts,
    )


def _metric(namespace: str, name: str, statistic: str, **dimensions: str) -> list[object]:
    """Return a metric in the form of a dashboard's source. Its period is five minutes, CloudWatch's default."""
    return [namespace, name, *(text for pair in dimensions.items() for text in pair), {"stat": statistic}]

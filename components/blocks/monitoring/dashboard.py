"""CloudWatch dashboard: rows of charts on a grid of 24 columns, and standard charts of functions, queues and tables."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.block import Block
from components.blocks.compute.function import Function
from components.blocks.messaging.queue import Queue
from components.blocks.monitoring.alarm import Metric
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from components.blocks.storage.table import Table

COLUMNS = 24
"""Width of every dashboard, in grid units."""
HEIGHT = 6
"""Height of a chart, in grid units."""


@dataclass(frozen=True)
class Chart:
    title: str
    metrics: Sequence[Metric]
    """Metrics of the chart. Their dimensions must be plain strings, because the dashboard's JSON is written at
    preview."""


@dataclass(frozen=True)
class DashboardArgs:
    scope: Scope
    rows: Sequence[Sequence[Chart]]
    """Rows from top to bottom, each with its charts from left to right."""


class Dashboard(Block):
    def __init__(self, short_name: str, args: DashboardArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Dashboard", short_name, args.scope, opts)
        self.name = args.scope.name(Kind.DASHBOARD, short_name)
        cloudwatch.Dashboard(
            self.part_name("dashboard"),
            dashboard_name=self.name,
            dashboard_body=json.dumps({"widgets": layout(args.rows, args.scope.context.region)}, sort_keys=True),
            opts=self.part_options(),
        )
        self.register_outputs({"name": self.name})


def layout(rows: Sequence[Sequence[Chart]], region: str) -> list[dict[str, object]]:
    """Return the widgets of the rows; the charts of a row share its width equally."""
    return [
        {
            "type": "metric",
            "x": column * (COLUMNS // len(row)),
            "y": line * HEIGHT,
            "width": COLUMNS // len(row),
            "height": HEIGHT,
            "properties": {
                "title": chart.title,
                "region": region,
                "view": "timeSeries",
                "metrics": [_metric(metric) for metric in chart.metrics],
            },
        }
        for line, row in enumerate(rows)
        for column, chart in enumerate(row)
    ]


def _metric(metric: Metric) -> list[object]:
    dimensions = [text for pair in sorted(metric.dimensions.items()) for text in pair]
    return [
        metric.namespace,
        metric.name,
        *dimensions,
        {"stat": metric.statistic, "period": metric.period_seconds},
    ]


def function_chart(function: Function) -> Chart:
    """Return a chart of a function's invocations, errors and throttles."""
    return Chart(
        f"{function.label}: calls",
        [function.metric(name) for name in ("Invocations", "Errors", "Throttles")],
    )


def duration_chart(function: Function) -> Chart:
    return Chart(f"{function.label}: milliseconds", [function.metric("Duration", s) for s in ("p50", "p95", "Maximum")])


def queue_chart(queue: Queue) -> Chart:
    """Return a chart of a queue's waiting messages, the age of the oldest one, and the dead-letter queue's messages."""
    return Chart(
        f"{queue.label}: messages, and age of the oldest one in seconds",
        [
            Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.name}, "Maximum"),
            Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue.name}, "Maximum"),
            Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.dead_letters.name}, "Maximum"),
        ],
    )


def table_chart(table: Table) -> Chart:
    """Return a chart of a table's consumed write and read capacity, and of its throttled writes."""
    return Chart(
        f"{table.label}: capacity units, and throttled writes",
        [
            Metric("AWS/DynamoDB", name, {"TableName": table.name})
            for name in ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", "WriteThrottleEvents")
        ],
    )

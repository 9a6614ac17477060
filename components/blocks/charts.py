"""The charts that every dashboard shows of a function, a queue or a table."""

from components.blocks.alarm import Metric
from components.blocks.dashboard import Chart
from components.blocks.function import Function
from components.blocks.queue import Queue
from components.blocks.table import Table


def function_chart(function: Function) -> Chart:
    """How often it is called, and how often that fails."""
    return Chart(
        f"{function.label}: calls",
        [function.metric(name) for name in ("Invocations", "Errors", "Throttles")],
    )


def duration_chart(function: Function) -> Chart:
    """How long it takes."""
    return Chart(f"{function.label}: milliseconds", [function.metric("Duration", s) for s in ("p50", "p95", "Maximum")])


def queue_chart(queue: Queue) -> Chart:
    """What waits, for how long, and what is parked."""
    return Chart(
        f"{queue.label}: messages",
        [
            Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.name}, "Maximum"),
            Metric("AWS/SQS", "ApproximateAgeOfOldestMessage", {"QueueName": queue.name}, "Maximum"),
            Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": queue.dead_letters.name}, "Maximum"),
        ],
    )


def table_chart(table: Table) -> Chart:
    """What it takes in and gives out, and what it refuses."""
    return Chart(
        f"{table.label}: capacity units",
        [
            Metric("AWS/DynamoDB", name, {"TableName": table.name})
            for name in ("ConsumedWriteCapacityUnits", "ConsumedReadCapacityUnits", "WriteThrottleEvents")
        ],
    )

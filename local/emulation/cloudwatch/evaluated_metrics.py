"""Metrics of AWS services that exist on the local platform. Alarms on other metrics are not evaluated here.

Metrics that handlers publish, and those of metric filters, exist too, unless this module names them.
"""

EVALUATED = {
    "AWS/ApiGateway": {
        "4XXError",
        "5XXError",
        "ClientError",
        "ConnectCount",
        "ExecutionError",
        "IntegrationError",
        "Latency",
    },
    "AWS/Lambda": {"ConcurrentExecutions", "Duration", "Errors", "Throttles"},
    "AWS/SQS": {"ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesVisible"},
    "AWS/States": {"ExecutionsFailed"},
}
"""Metrics that the local platform publishes, by namespace."""
NOT_EVALUATED = {
    "AWS/DynamoDB ReadThrottleEvents": "the emulator throttles no table",
    "AWS/DynamoDB WriteThrottleEvents": "the emulator throttles no table",
    "AWS/States ExecutionThrottled": "the emulator throttles no execution",
    "AWS/States ExecutionsTimedOut": "the emulator does not end executions at their timeout",
    "audio-processor-memory": "the emulator does not measure the memory of functions",
}
"""Reason why an alarm's metric does not exist here, by namespace and name. A namespace of the program is left out,
because it contains the stack's name."""
UNKNOWN_METRIC = "the local platform does not publish this metric"


def metric_label(namespace: str, name: str) -> str:
    """Return a metric as `NOT_EVALUATED` names it."""
    return f"{namespace} {name}" if namespace.startswith("AWS/") else name


def why_not_evaluated(namespace: str, name: str) -> str | None:
    """Return the reason why alarms on a metric are not evaluated, or None if they are."""
    if reason := NOT_EVALUATED.get(metric_label(namespace, name)):
        return reason
    is_published = not namespace.startswith("AWS/") or name in EVALUATED.get(namespace, ())
    return None if is_published else UNKNOWN_METRIC

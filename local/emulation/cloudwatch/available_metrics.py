"""Lists of the metrics that exist on the local platform, because only alarms on these metrics can be evaluated.

`PUBLISHED_AWS_METRICS` lists the existing metrics of AWS services. The project's own metrics, which handlers publish or
metric filters derive from logs, all exist except `audio-processor-memory`. `MISSING_METRIC_REASONS` says why metrics of
both kinds do not exist.
"""

PUBLISHED_AWS_METRICS = {
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
"""Metrics of AWS services that the local platform publishes, by namespace."""
MISSING_METRIC_REASONS = {
    "AWS/DynamoDB ReadThrottleEvents": "the emulator throttles no table",
    "AWS/DynamoDB WriteThrottleEvents": "the emulator throttles no table",
    "AWS/States ExecutionThrottled": "the emulator throttles no execution",
    "AWS/States ExecutionsTimedOut": "the emulator does not end executions at their timeout",
    "audio-processor-memory": "the emulator does not measure the memory of functions",
}
"""Reasons why metrics do not exist here although alarms read them. The keys are results of `metric_label`."""
UNKNOWN_METRIC = "the local platform does not publish this metric"


def metric_label(namespace: str, name: str) -> str:
    """Return namespace and name of an AWS service's metric, or only the name of one of the project's own metrics.

    The namespace of the project's metrics contains the stack's name, so it differs between stacks.
    """
    return f"{namespace} {name}" if namespace.startswith("AWS/") else name


def why_not_evaluated(namespace: str, name: str) -> str | None:
    """Return the reason why alarms on a metric are not evaluated, or None if they are."""
    if reason := MISSING_METRIC_REASONS.get(metric_label(namespace, name)):
        return reason
    is_published = not namespace.startswith("AWS/") or name in PUBLISHED_AWS_METRICS.get(namespace, ())
    return None if is_published else UNKNOWN_METRIC

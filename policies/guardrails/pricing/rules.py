"""One rule a billable type: which prices apply, and how much of each."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

Quantities = Iterator[tuple[str, float]]
Rule = Callable[[Mapping[str, Any], Mapping[str, float]], Quantities]

SECONDS_A_MONTH = 30 * 86_400
REQUESTS_A_MESSAGE = 2
"""Sent and deleted, one by one; received in batches."""


def _function(props: Mapping[str, Any], usage: Mapping[str, float]) -> Quantities:
    gigabytes = float(props.get("memorySize", 128)) / 1024
    invocations = usage.get("invocations", 0)
    yield "lambda_request", invocations
    yield "lambda_gb_second_arm64", invocations * usage.get("milliseconds", 0) / 1000 * gigabytes


def _log_group(props: Mapping[str, Any], usage: Mapping[str, float]) -> Quantities:
    gigabytes = usage.get("logGb", 0)
    yield "logs_ingested", gigabytes
    yield "logs_stored", gigabytes * float(props.get("retentionInDays") or 3650) / 30


def _bucket(_: Mapping[str, Any], usage: Mapping[str, float]) -> Quantities:
    yield "s3_storage", usage.get("storageGb", 0)
    yield "s3_put", usage.get("puts", 0)
    yield "s3_get", usage.get("gets", 0)


def _table(props: Mapping[str, Any], usage: Mapping[str, float]) -> Quantities:
    yield "dynamodb_write", usage.get("writes", 0)
    yield "dynamodb_read", usage.get("reads", 0)
    yield "dynamodb_storage", usage.get("storageGb", 0)
    if (props.get("pointInTimeRecovery") or {}).get("enabled"):
        yield "dynamodb_point_in_time_recovery", usage.get("storageGb", 0)


def _queue(_: Mapping[str, Any], usage: Mapping[str, float]) -> Quantities:
    yield "sqs_request", usage.get("messages", 0) * REQUESTS_A_MESSAGE + usage.get("batches", 0)


def _alarm(_props: Mapping[str, Any], _usage: Mapping[str, float]) -> Quantities:
    yield "alarm", 1


RULES: dict[str, Rule] = {
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:cloudwatch/metricAlarm:MetricAlarm": _alarm,
    "aws:dynamodb/table:Table": _table,
    "aws:lambda/function:Function": _function,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:sqs/queue:Queue": _queue,
}

FREE = frozenset(
    {
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:lambda/alias:Alias",
        "aws:lambda/eventSourceMapping:EventSourceMapping",
        "aws:lambda/layerVersion:LayerVersion",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketLogging:BucketLogging",
        "aws:s3/bucketNotification:BucketNotification",
        "aws:s3/bucketOwnershipControls:BucketOwnershipControls",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:sns/topic:Topic",
        "aws:sns/topicPolicy:TopicPolicy",
        "aws:sns/topicSubscription:TopicSubscription",
        "aws:sqs/queuePolicy:QueuePolicy",
    }
)
"""Types that cost nothing themselves; what they cause is counted where it happens."""

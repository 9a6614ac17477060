"""Reliability: nothing that fails is lost, and somebody hears of it."""

import json
from collections.abc import Iterator

from guardrails.record import ALWAYS, Finding, Group, Judged, Severity, StackPolicy

QUEUE = "aws:sqs/queue:Queue"
ALARM = "aws:cloudwatch/metricAlarm:MetricAlarm"
FOURTEEN_DAYS = 1_209_600


def _queues_park_failures(resources: list[Judged]) -> Iterator[Finding]:
    queues = {one.props["name"]: one for one in resources if one.type == QUEUE}
    targets: set[str] = set()
    for one in queues.values():
        if "redrivePolicy" in one.props:
            redrive = json.loads(one.props["redrivePolicy"])
            targets.add(redrive["deadLetterTargetArn"].rpartition(":")[2])
            if int(redrive["maxReceiveCount"]) < 3:
                yield Finding("Its maxReceiveCount is below 3: one hiccup would park a good message.", one.urn)
    watched = {
        one.props["dimensions"]["QueueName"]
        for one in resources
        if one.type == ALARM and one.props["metricName"] == "ApproximateNumberOfMessagesVisible"
    }
    for name, one in queues.items():
        is_target = name in targets or name.endswith("-dlq")
        if not is_target and "redrivePolicy" not in one.props:
            yield Finding("It has no dead-letter queue: what fails is dropped.", one.urn)
        if is_target and one.props.get("messageRetentionSeconds") != FOURTEEN_DAYS:
            yield Finding("It holds failed work for less than 14 days.", one.urn)
        if is_target and name not in watched:
            yield Finding("It has no alarm on visible messages: failed work would lie there unseen.", one.urn)


POLICIES = (
    StackPolicy(
        name="queues-park-failures",
        group=Group.RELIABILITY,
        severity=Severity.HIGH,
        levels=ALWAYS,
        description="Every queue has a dead-letter queue of 14 days with an alarm.",
        remedy="Use the queue block, which brings both.",
        check=_queues_park_failures,
    ),
)

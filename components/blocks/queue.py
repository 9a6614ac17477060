"""SQS queue whose messages a Lambda function (the consumer) processes, and the dead-letter queue, which has an alarm.

A message that the consumer failed to process `max_receive_count` times moves to the dead-letter queue. Both queues
delete a message some days after it was first sent: 4 days in the queue, which is the default of SQS, and 14 in the
dead-letter queue. So a message that moves has at least 10 days left.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple

import pulumi
from pulumi_aws import sqs

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.iam import Grant, grant, json_document, refuse_without_tls, sends_account_to_queues
from components.core import Block, Kind, Scope

FOURTEEN_DAYS = 14 * 86_400  # in seconds
VISIBILITY_FACTOR = 6
"""A received message stays hidden for six times the consumer's timeout, plus the time for which Lambda waits for a full
batch. AWS recommends it (Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping")."""


class Sender(NamedTuple):
    """AWS service that may send messages to a queue on behalf of one resource, such as an EventBridge rule."""

    service: str
    source_arn: str


class Queue(Block):
    """SQS queue with its dead-letter queue. A function with this queue as its `QueueSource` consumes it."""

    url: pulumi.Output[str]

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        consumer_timeout: int,
        batching_window: int = 0,
        max_receive_count: int = 5,
        senders: Sequence[Sender] = (),
    ) -> None:
        """Create the queue and its dead-letter queue.

        `consumer_timeout` is the timeout of the function that consumes the queue, in seconds. `batching_window` is the
        time in seconds for which Lambda waits for a full batch. It must be at least 1 if the batch size is above 10.
        `senders` are the AWS services that send to the queue. Functions that send to it get a grant instead.
        """
        super().__init__("Queue", scope, short_name, display_name)
        dead_letters = DeadLetterQueue(
            self.scope, f"{short_name}-dlq", display_name=f"{display_name}DLQ", sources=[short_name]
        )
        self.name = scope.name(Kind.QUEUE, short_name)
        self.arn = scope.context.arn("sqs", self.name)
        self.batching_window = batching_window
        queue = sqs.Queue(
            self.part_name("queue"),
            name=self.name,
            visibility_timeout_seconds=VISIBILITY_FACTOR * consumer_timeout + batching_window,
            sqs_managed_sse_enabled=True,
            redrive_policy=json.dumps({"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": max_receive_count}),
            tags=self.tags,
            opts=self.scope.options(after=[dead_letters.queue]),
        )
        self.url = queue.url
        self.policy = _create_queue_policy(self, queue, self.arn, senders)
        """Queue policy. It must exist before a sender is set up, because the queue refuses messages without it."""
        self.register_outputs({"arn": self.arn, "url": self.url, "deadLetterArn": dead_letters.arn})

    def grant(self, *actions: str, variable: str | None = None) -> Grant:
        """Grant actions on this queue: `grant("SendMessage")`. `variable` is the field of the handler's environment
        model that gets the queue's URL.
        """
        return grant("sqs", actions, self.arn).with_variable(variable, self.url)


class DeadLetterQueue(Block):
    """Queue for failed work, with an alarm: for failed messages of other queues, or for failed events and calls."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        sources: Sequence[str] = (),
        senders: Sequence[Sender] = (),
    ) -> None:
        """Create the queue.

        `sources` are the short names of the subsystem's queues whose failed messages move here, and `senders` the AWS
        services that send failed events here. Functions and schedules that do so get a grant instead.
        """
        super().__init__("DeadLetterQueue", scope, short_name, display_name)
        self.name = scope.name(Kind.QUEUE, short_name)
        self.arn = scope.context.arn("sqs", self.name)
        source_arns = [scope.context.arn("sqs", scope.name(Kind.QUEUE, source)) for source in sources]
        self.queue = sqs.Queue(
            self.part_name("queue"),
            name=self.name,
            message_retention_seconds=FOURTEEN_DAYS,
            sqs_managed_sse_enabled=True,
            redrive_allow_policy=json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": source_arns}
                if source_arns
                else {"redrivePermission": "denyAll"}
            ),
            tags=self.tags,
            opts=self.scope.options(),
        )
        self.policy = _create_queue_policy(self, self.queue, self.arn, senders)
        dimensions: dict[str, pulumi.Input[str]] = {"QueueName": self.name}
        if sources:
            # Failed messages raise the alarm until they are processed again or deleted. The requirements name this metric
            # and its average.
            metric = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", dimensions, "Average")
        else:
            # Failed events and calls raise the alarm for an hour, so a later failure raises it again although the
            # queue still has messages. This metric does not count messages that move from another queue (SQS
            # developer guide, "Using dead-letter queues"). SQS may delay the metrics of an unused queue by 15
            # minutes, so the period is longer.
            metric = Metric("AWS/SQS", "NumberOfMessagesSent", dimensions, period_seconds=3600)
        create_alarm(
            self.scope,
            short_name,
            metric,
            threshold=0,
            problem=f"Failed work is kept in {self.name}.",
            runbook="queues",
            severity=Severity.CRITICAL,
        )
        self.register_outputs({"arn": self.arn, "url": self.queue.url})

    def grant(self, *actions: str) -> Grant:
        return grant("sqs", actions, self.arn)


def _create_queue_policy(block: Block, queue: sqs.Queue, arn: str, senders: Sequence[Sender]) -> sqs.QueuePolicy:
    """Create the queue policy, which denies requests without TLS and lets each sender send messages for its resource.

    The condition on the account is left out for EventBridge, which does not send the account with a message.
    """
    statements = [refuse_without_tls("sqs:*", arn)]
    account = {"StringEquals": {"aws:SourceAccount": block.scope.context.account}}
    statements.extend(
        {
            "Effect": "Allow",
            "Principal": {"Service": sender.service},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": sender.source_arn},
                **(account if sends_account_to_queues(sender.service) else {}),
            },
        }
        for sender in senders
    )
    policy = json_document(statements)
    return sqs.QueuePolicy(block.part_name("policy"), queue_url=queue.url, policy=policy, opts=block.scope.options())

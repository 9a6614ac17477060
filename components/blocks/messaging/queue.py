"""SQS queue whose messages a Lambda function (the consumer) processes, with a dead-letter queue that has an alarm.

A message that the consumer failed to process `max_receive_count` times moves to the dead-letter queue. Both queues
delete a message some days after it was first sent: 4 days in the queue, 14 in the dead-letter queue. So a message that
moves has at least 10 days left.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import sqs

from components.blocks.block import Block
from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.trust_policy import SOURCE_ARN_ONLY_SERVICES
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope

FOURTEEN_DAYS = 14 * 86_400  # in seconds
FOUR_DAYS = 4 * 86_400  # in seconds
VISIBILITY_FACTOR = 6
"""A received message stays hidden for six times the consumer's timeout, plus the time for which Lambda waits for a full
batch (Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping")."""


@dataclass(frozen=True)
class Sender:
    """AWS service that may send messages to a queue on behalf of one resource, such as an EventBridge rule."""

    service: str
    source_arn: str


@dataclass(frozen=True)
class QueueArgs:
    scope: Scope
    display_name: str
    consumer_timeout_seconds: int
    """Timeout of the function that consumes the queue."""
    batching_window_seconds: int = 0
    """Time for which Lambda waits for a full batch. At least 1 if the function's batch size is above 10."""
    max_receive_count: int = 5
    senders: Sequence[Sender] = ()
    """AWS services that send to the queue. Functions that send to it get a grant instead."""


class Queue(Block):
    url: pulumi.Output[str]

    def __init__(self, short_name: str, args: QueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Queue", short_name, args.scope, opts)
        self.dead_letters = DeadLetterQueue(
            f"{short_name}-dlq",
            DeadLetterQueueArgs(args.scope, f"{args.display_name}DLQ", sources=[short_name]),
            self.part_options(),
        )
        self.name = args.scope.name(Kind.QUEUE, short_name)
        self.arn = args.scope.context.arn("sqs", self.name)
        self.batching_window_seconds = args.batching_window_seconds
        queue = sqs.Queue(
            self.part_name("queue"),
            name=self.name,
            visibility_timeout_seconds=VISIBILITY_FACTOR * args.consumer_timeout_seconds + args.batching_window_seconds,
            message_retention_seconds=FOUR_DAYS,
            receive_wait_time_seconds=20,
            sqs_managed_sse_enabled=True,
            redrive_policy=json.dumps(
                {"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": args.max_receive_count}
            ),
            tags=args.scope.tags(args.display_name),
            opts=self.part_options(self.dead_letters.queue),
        )
        self.url = queue.url
        self.policy = _create_queue_policy(self, queue, self.arn, args.senders)
        self.register_outputs({"arn": self.arn, "url": self.url, "deadLetterArn": self.dead_letters.arn})

    def grant(self, *actions: str) -> Grant:
        """Grant actions on this queue: `grant("SendMessage")`."""
        return grant("sqs", actions, self.arn)


@dataclass(frozen=True)
class DeadLetterQueueArgs:
    scope: Scope
    display_name: str
    sources: Sequence[str] = ()
    """Short names of the subsystem's queues whose failed messages move here."""
    senders: Sequence[Sender] = ()
    """AWS services that send failed events here. Functions and schedules that do so get a grant instead."""


class DeadLetterQueue(Block):
    """Queue for messages, events or calls that failed, with an alarm that goes off when the queue has any."""

    def __init__(self, short_name: str, args: DeadLetterQueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("DeadLetterQueue", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.QUEUE, short_name)
        self.arn = scope.context.arn("sqs", self.name)
        sources = [scope.context.arn("sqs", scope.name(Kind.QUEUE, source)) for source in args.sources]
        self.queue = sqs.Queue(
            self.part_name("queue"),
            name=self.name,
            message_retention_seconds=FOURTEEN_DAYS,
            sqs_managed_sse_enabled=True,
            redrive_allow_policy=json.dumps(
                {"redrivePermission": "byQueue", "sourceQueueArns": sources}
                if sources
                else {"redrivePermission": "denyAll"}
            ),
            tags=scope.tags(args.display_name),
            opts=self.part_options(),
        )
        self.policy = _create_queue_policy(self, self.queue, self.arn, args.senders)
        waiting_messages = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": self.name}, "Average")
        AlarmGroup(scope, "queues", self.part_options(self.queue)).register(
            short_name, waiting_messages, 0, f"Failed work is waiting in {self.name}.", severity=Severity.CRITICAL
        )
        self.register_outputs({"arn": self.arn, "url": self.queue.url})

    def grant(self, *actions: str) -> Grant:
        return grant("sqs", actions, self.arn)


def _create_queue_policy(block: Block, queue: sqs.Queue, arn: str, senders: Sequence[Sender]) -> sqs.QueuePolicy:
    """Create the queue policy, which denies requests without TLS and lets each sender send messages for its
    resource.
    """
    statements: list[dict[str, object]] = [
        {
            "Sid": "OnlyTls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ]
    account = {"StringEquals": {"aws:SourceAccount": block.scope.context.account}}
    statements.extend(
        {
            "Effect": "Allow",
            "Principal": {"Service": sender.service},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {
                "ArnEquals": {"aws:SourceArn": sender.source_arn},
                **({} if sender.service in SOURCE_ARN_ONLY_SERVICES else account),
            },
        }
        for sender in senders
    )
    return sqs.QueuePolicy(
        block.part_name("policy"),
        queue_url=queue.url,
        policy=json.dumps({"Version": "2012-10-17", "Statement": statements}),
        opts=block.part_options(),
    )

"""A queue with its dead-letter queue: nothing that fails is lost, and somebody hears of it.

The visibility timeout follows from the consumer's timeout, messages come back `max_receive_count` times and are then
parked for 14 days, and an alarm rings as soon as one is.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import sqs

from components.blocks.iam.grant import Grant, grant
from components.blocks.iam.trust_policy import SOURCE_ARN_ONLY_SERVICES
from components.blocks.monitoring.alarm import Metric, Severity, register_alarm
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope

FOURTEEN_DAYS = 1_209_600
FOUR_DAYS = 345_600
VISIBILITY_FACTOR = 6
"""Lambda's own advice: a message stays hidden for six timeouts of its consumer."""


@dataclass(frozen=True)
class Sender:
    """An AWS service that may put messages into a queue, for one resource of ours."""

    service: str
    source_arn: str


@dataclass(frozen=True)
class QueueArgs:
    """One queue and its dead-letter queue."""

    scope: Scope
    logical_name: str
    consumer_timeout_seconds: int
    max_receive_count: int = 5
    senders: Sequence[Sender] = ()
    """Services that send to it; functions of ours are given a grant instead."""


class Queue(Block):
    """A queue, where its messages end up when they fail, and the alarm on that."""

    url: pulumi.Output[str]

    def __init__(self, short_name: str, args: QueueArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("Queue", short_name, args.scope, opts)
        self.dead_letters = DeadLetterQueue(
            f"{short_name}-dlq",
            DeadLetterQueueArgs(args.scope, f"{args.logical_name}DLQ", sources=[short_name]),
            self.part_options(),
        )
        self.name = args.scope.name(Kind.QUEUE, short_name)
        self.arn = args.scope.context.arn("sqs", self.name)
        queue = sqs.Queue(
            self.part_name("queue"),
            name=self.name,
            visibility_timeout_seconds=VISIBILITY_FACTOR * args.consumer_timeout_seconds,
            message_retention_seconds=FOUR_DAYS,
            receive_wait_time_seconds=20,
            sqs_managed_sse_enabled=True,
            redrive_policy=json.dumps(
                {"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": args.max_receive_count}
            ),
            tags=args.scope.tags(args.logical_name),
            opts=self.part_options(self.dead_letters.queue),
        )
        self.url = queue.url
        self.policy = _policy(self, queue, self.arn, args.senders)
        self.register_outputs({"arn": self.arn, "url": self.url, "deadLetterArn": self.dead_letters.arn})

    def grant(self, *actions: str) -> Grant:
        """What a role may do with this queue: `grant("SendMessage")`."""
        return grant("sqs", actions, self.arn)


@dataclass(frozen=True)
class DeadLetterQueueArgs:
    """A place for failed work."""

    scope: Scope
    logical_name: str
    sources: Sequence[str] = ()
    """Queues of this scope whose messages may be moved here."""
    senders: Sequence[Sender] = ()


class DeadLetterQueue(Block):
    """A queue where failed work is parked for 14 days, with an alarm that rings when there is some."""

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
            tags=scope.tags(args.logical_name),
            opts=self.part_options(),
        )
        self.policy = _policy(self, self.queue, self.arn, args.senders)
        waiting = Metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": self.name}, "Average")
        problem = f"Failed work is waiting in {self.name}."
        register_alarm(
            short_name,
            scope,
            waiting,
            0,
            problem,
            "dead-letters",
            self.part_options(self.queue),
            severity=Severity.CRITICAL,
        )
        self.register_outputs({"arn": self.arn, "url": self.queue.url})

    def grant(self, *actions: str) -> Grant:
        """What a role may do with this queue."""
        return grant("sqs", actions, self.arn)


def _policy(block: Block, queue: sqs.Queue, arn: str, senders: Sequence[Sender]) -> sqs.QueuePolicy:
    """Only TLS, and only the named services, each for one resource of this account."""
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

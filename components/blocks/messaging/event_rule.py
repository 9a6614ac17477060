"""EventBridge rule on the default event bus, with one target and a dead-letter queue.

The target is a queue with a consumer, which must name the rule among its senders (`rule_sender`). An event for operators
goes directly to the dead-letter queue, whose alarm notifies them.

No rule sends events to the alerts topic. EventBridge's guide shows a topic policy without conditions only, but without
a condition on the account, every AWS account could publish to the topic through its own rule. For a queue, the guide
shows a condition on the rule's ARN ("Using resource-based policies for Amazon EventBridge").
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.block import Block
from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, Sender
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import Scope
from handlers.common.aws.eventbridge_events import OBJECT_CREATED, S3_SOURCE

SERVICE = "events.amazonaws.com"


@dataclass(frozen=True)
class EventRuleArgs:
    """Arguments of a rule with one target."""

    scope: Scope
    logical_name: str
    pattern: Mapping[str, object]
    """EventBridge event pattern; events that match it are sent to the target."""
    target: Queue | None = None
    """Queue of a function that processes the events. None if the events are for operators."""


def object_created_pattern(bucket: str, prefix: str) -> Mapping[str, object]:
    """Return the event pattern for new objects below a prefix of a bucket, for every way of uploading."""
    return {
        "source": [S3_SOURCE],
        "detail-type": [OBJECT_CREATED],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": prefix}]}},
    }


class EventRule(Block):
    """Rule that sends matching events to its target.

    Events that cannot be delivered go to a dead-letter queue with an alarm.
    """

    def __init__(self, short_name: str, args: EventRuleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("EventRule", short_name, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.EVENT_RULE, short_name)
        self.arn = rule_arn(scope, short_name)
        self.dead_letters = DeadLetterQueue(
            f"{short_name}-dlq",
            DeadLetterQueueArgs(scope, f"{args.logical_name}DLQ", senders=[Sender(SERVICE, self.arn)]),
            self.part_options(),
        )
        rule = cloudwatch.EventRule(
            self.part_name("rule"),
            name=self.name,
            event_pattern=json.dumps(args.pattern, sort_keys=True),
            state="ENABLED",
            tags=scope.tags(args.logical_name),
            opts=self.part_options(),
        )
        target = args.target or self.dead_letters
        cloudwatch.EventTarget(
            self.part_name("target"),
            rule=rule.name,
            target_id=short_name,
            arn=target.arn,
            retry_policy={"maximum_retry_attempts": 8, "maximum_event_age_in_seconds": 3600},
            dead_letter_config={"arn": self.dead_letters.arn},
            opts=self.part_options(self.dead_letters.policy, target.policy),
        )
        self.register_outputs({"arn": self.arn})


def rule_arn(scope: Scope, short_name: str) -> str:
    """Return the ARN of a rule; the rule need not exist yet."""
    return scope.context.arn("events", f"rule/{scope.name(Kind.EVENT_RULE, short_name)}")


def rule_sender(scope: Scope, short_name: str) -> Sender:
    """Return a rule as a sender that its target queue admits."""
    return Sender(SERVICE, rule_arn(scope, short_name))

"""EventBridge rule on the default event bus, with one target and a dead-letter queue.

The target is normally the queue of a function. The queue must be created with the rule among its senders
(`rule_sender`), or it refuses the events. A rule whose events are for operators has its own dead-letter queue as the
target, because that queue's alarm notifies them.

The topic for alerts cannot be a target, because EventBridge's guide shows a topic policy only without conditions
("Using resource-based policies for Amazon EventBridge"). With such a policy, every AWS account could create a rule that
publishes to the topic. For a queue, the guide shows a condition on the rule's ARN.
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
from handlers.common.aws.eventbridge_event_models import OBJECT_CREATED, S3_SOURCE

SERVICE = "events.amazonaws.com"


@dataclass(frozen=True)
class EventRuleArgs:
    scope: Scope
    display_name: str
    pattern: Mapping[str, object]
    """EventBridge event pattern; events that match it are sent to the target."""
    target: Queue | None = None
    """Queue of a function that processes the events. None sends them to the dead-letter queue, for operators."""


def object_created_pattern(bucket: str, prefix: str) -> Mapping[str, object]:
    """Return the event pattern for every object that is created below a prefix of a bucket."""
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
            DeadLetterQueueArgs(scope, f"{args.display_name}DLQ", senders=[Sender(SERVICE, self.arn)]),
            self.part_options(),
        )
        rule = cloudwatch.EventRule(
            self.part_name("rule"),
            name=self.name,
            event_pattern=json.dumps(args.pattern, sort_keys=True),
            state="ENABLED",
            tags=scope.tags(args.display_name),
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
    """Return the ARN of a rule, which may be created later."""
    return scope.context.arn("events", f"rule/{scope.name(Kind.EVENT_RULE, short_name)}")


def rule_sender(scope: Scope, short_name: str) -> Sender:
    """Return the sender that a queue must admit to be a rule's target. The rule may be created later."""
    return Sender(SERVICE, rule_arn(scope, short_name))

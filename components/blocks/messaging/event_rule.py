"""A rule on the default event bus: which events, who gets them, and where they land when that fails.

A queue as the target keeps events for as long as its consumer needs; it names the rule among its senders (`sender`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
from pulumi_aws import cloudwatch

from components.blocks.messaging.queue import DeadLetterQueue, DeadLetterQueueArgs, Queue, Sender
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import Block, Scope
from handlers.common.aws.event_bus import OBJECT_CREATED, S3_SOURCE

SERVICE = "events.amazonaws.com"


@dataclass(frozen=True)
class EventRuleArgs:
    """One rule with one target: a queue, or the alerts topic."""

    scope: Scope
    logical_name: str
    pattern: Mapping[str, object]
    target: Queue | None = None
    """None tells people: the event goes to the alerts topic."""


def objects_created(bucket: str, prefix: str) -> Mapping[str, object]:
    """The pattern of what a bucket tells of new objects below a prefix, however they were uploaded."""
    return {
        "source": [S3_SOURCE],
        "detail-type": [OBJECT_CREATED],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [{"prefix": prefix}]}},
    }


class EventRule(Block):
    """Events that match, delivered; what cannot be delivered is parked, with an alarm."""

    def __init__(self, what: str, args: EventRuleArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("EventRule", what, args.scope, opts)
        scope = args.scope
        self.name = scope.name(Kind.EVENT_RULE, what)
        self.arn = rule_arn(scope, what)
        self.dead_letters = DeadLetterQueue(
            f"{what}-dlq",
            DeadLetterQueueArgs(scope, f"{args.logical_name}DLQ", senders=[Sender(SERVICE, self.arn)]),
            self.inside(),
        )
        rule = cloudwatch.EventRule(
            self.part("rule"),
            name=self.name,
            event_pattern=json.dumps(args.pattern, sort_keys=True),
            state="ENABLED",
            tags=scope.tags(args.logical_name),
            opts=self.inside(),
        )
        before = [self.dead_letters.policy, *([args.target.policy] if args.target else [])]
        cloudwatch.EventTarget(
            self.part("target"),
            rule=rule.name,
            target_id=what,
            arn=args.target.arn if args.target else scope.alerts_topic,
            retry_policy={"maximum_retry_attempts": 8, "maximum_event_age_in_seconds": 3600},
            dead_letter_config={"arn": self.dead_letters.arn},
            opts=self.inside(*before),
        )
        self.register_outputs({"arn": self.arn})


def rule_arn(scope: Scope, what: str) -> str:
    """The ARN of a rule, before there is one."""
    return scope.context.arn("events", f"rule/{scope.name(Kind.EVENT_RULE, what)}")


def sender(scope: Scope, what: str) -> Sender:
    """A rule, as a queue that is its target lets it in."""
    return Sender(SERVICE, rule_arn(scope, what))


@dataclass(frozen=True)
class EventArchiveArgs:
    """One archive."""

    scope: Scope
    logical_name: str
    source: str
    """Whose events are kept: `polyphony-prod.livestream`."""
    days: int


class EventArchive(Block):
    """Kept events of one source of ours, which somebody may replay (docs/runbooks/replay-events.md); archives take no tags.

    A replay gives rules the same events again, so whoever takes them must be able to see an event twice.
    """

    def __init__(self, what: str, args: EventArchiveArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("EventArchive", what, args.scope, opts)
        self.name = args.scope.name(Kind.EVENT_ARCHIVE, what)
        cloudwatch.EventArchive(
            self.part("archive"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {args.scope.subsystem}",
            event_source_arn=args.scope.context.arn("events", "event-bus/default"),
            event_pattern=json.dumps({"source": [args.source]}),
            retention_days=args.days,
            opts=self.inside(),
        )
        self.register_outputs({"name": self.name})

"""EventBridge: rules on the default event bus, each with one target, the queue for failed events, and an archive of
events.

The target of a rule is normally the queue of a function. The queue must be created with the rule among its senders
(`rule_sender`), or it refuses the events. Events that cannot be delivered go to the subsystem's queue `failed-events`. It
is also the target of a rule whose events are for operators, because its alarm notifies them.

A topic for alerts cannot be a target, because EventBridge's guide shows a topic policy only without conditions
("Using resource-based policies for Amazon EventBridge"). With such a policy, every AWS account could create a rule that
publishes to the topic. For a queue, the guide shows a condition on the rule's ARN.
"""

import json
from collections.abc import Mapping

from pulumi_aws import cloudwatch

from components.blocks.queue import DeadLetterQueue, Queue, Sender
from components.core import Block, Kind, Scope
from handlers.common.events import OBJECT_CREATED, S3_SOURCE

SERVICE = "events.amazonaws.com"


def object_created_pattern(bucket: str, key: Mapping[str, str]) -> Mapping[str, object]:
    """Return the event pattern for the objects in a bucket whose key matches, for example `{"prefix": "videos/"}`."""
    return {
        "source": [S3_SOURCE],
        "detail-type": [OBJECT_CREATED],
        "detail": {"bucket": {"name": [bucket]}, "object": {"key": [key]}},
    }


def create_failed_events_queue(scope: Scope) -> DeadLetterQueue:
    """Create a subsystem's queue `failed-events`, for failed events of all its rules and schedules, and for failed calls
    of its scheduled functions. The messages name the rule, schedule or function (docs/runbooks/queues.md).
    """
    rules = scope.context.arn("events", f"rule/{scope.context.stack_label}-{scope.subsystem}-*")
    return DeadLetterQueue(scope, "failed-events", display_name="FailedEvents", senders=[Sender(SERVICE, rules)])


class EventRule(Block):
    """Rule that sends matching events to its target, and events that cannot be delivered to the queue for failed events."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        pattern: Mapping[str, object],
        failed_events: DeadLetterQueue,
        target: Queue | None = None,
    ) -> None:
        """Create the rule.

        `target` is the queue of a function that processes the events. None sends them to `failed_events`, for operators.
        """
        super().__init__("EventRule", scope, short_name, display_name)
        rule = cloudwatch.EventRule(
            self.part_name("rule"),
            name=scope.name(Kind.EVENT_RULE, short_name),
            event_pattern=json.dumps(pattern),
            state="ENABLED",
            tags=self.tags,
            opts=self.scope.options(),
        )
        queue = target or failed_events
        cloudwatch.EventTarget(
            self.part_name("target"),
            rule=rule.name,
            target_id=short_name,
            arn=queue.arn,
            retry_policy={"maximum_retry_attempts": 8, "maximum_event_age_in_seconds": 3600},
            dead_letter_config={"arn": failed_events.arn},
            opts=self.scope.options(after=[failed_events.policy, queue.policy]),
        )
        self.register_outputs({"arn": rule_sender(scope, short_name).source_arn})


def rule_sender(scope: Scope, short_name: str) -> Sender:
    """Return the rule as a sender, which a queue must admit to be the rule's target. The rule may be created later."""
    return Sender(SERVICE, scope.context.arn("events", f"rule/{scope.name(Kind.EVENT_RULE, short_name)}"))


class EventArchive(Block):
    """Archive of the events of one source, which an operator may replay (docs/runbooks/episodes.md).

    A replay delivers events a second time, so consumers must be idempotent.
    """

    def __init__(self, scope: Scope, short_name: str, *, display_name: str, source: str, days: int) -> None:
        """Create the archive. `source` is the source of the archived events: `polyphony-prod.livestream`."""
        super().__init__("EventArchive", scope, short_name, display_name)
        archive = cloudwatch.EventArchive(
            self.part_name("archive"),
            name=scope.name(Kind.EVENT_ARCHIVE, short_name),
            description=self.description,
            event_source_arn=scope.context.arn("events", "event-bus/default"),
            event_pattern=json.dumps({"source": [source]}),
            retention_days=days,
            opts=self.scope.options(),
        )
        self.register_outputs({"name": archive.name})

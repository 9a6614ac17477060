"""Where failed work lands: everywhere that work can fail, for 14 days, and an alarm rings as soon as there is some."""

import json
from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.related_resources import SCHEDULER, find_calling_services, refers_to_function
from guardrails.model.resource_types import ALARM, EVENT_TARGET, FUNCTION, FUNCTION_ASYNC_CONFIG, QUEUE, SCHEDULE
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    REASON_TAG,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

FOURTEEN_DAYS = 1_209_600
ASYNCHRONOUS = frozenset({"events.amazonaws.com", "s3.amazonaws.com", SCHEDULER, "sns.amazonaws.com"})
"""Services that do not wait for a function's answer."""
SUFFIX = "-dlq"


def _last(arn: object) -> str:
    return str(arn).rpartition(":")[2]


def parked_in(stack: CheckedStack) -> set[str]:
    """Names of the queues in which failed work ends, wherever it failed."""
    found = {name for queue in stack.list_resources(QUEUE) for name in _parks_in(queue)}
    found |= {_last(target.get_nested("deadLetterConfig", "arn")) for target in stack.list_resources(EVENT_TARGET)}
    found |= {
        _last(schedule.get_nested("target", "deadLetterConfig", "arn")) for schedule in stack.list_resources(SCHEDULE)
    }
    found |= {
        _last(async_config.get_nested("destinationConfig", "onFailure", "destination"))
        for async_config in stack.list_resources(FUNCTION_ASYNC_CONFIG)
    }
    return found | {
        str(queue.props.get("name"))
        for queue in stack.list_resources(QUEUE)
        if str(queue.props.get("name")).endswith(SUFFIX)
    }


def redrive(queue: CheckedResource) -> dict[str, object]:
    """A queue's redrive policy."""
    loaded: dict[str, object] = json.loads(queue.props.get("redrivePolicy") or "{}")
    return loaded


def _parks_in(queue: CheckedResource) -> set[str]:
    """Names of the queue in which a queue's messages end.

    A provider answers a queue without a redrive policy with an unknown one, later with an empty one; a policy that was
    given and is not known yet has another queue's ARN in it.
    """
    try:
        arn = redrive(queue).get("deadLetterTargetArn")
    except UnknownValueError:
        return {
            str(target.props.get("name"))
            for target in queue.references.get("redrivePolicy", ())
            if target.type == QUEUE
        }
    return {_last(arn)} if arn else set()


@POLICIES.relation(
    "queue-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every queue has a dead-letter queue.",
    remedy="Use the queue block, which brings one.",
    types={QUEUE},
)
def _check_queue_has_dead_letters(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name, parks_in = queue.props.get("name"), _parks_in(queue)
    if name in parks_in:
        yield "Its dead-letter queue is itself: a message that fails again and again never leaves it."
    elif not parks_in and name not in parked_in(stack):
        yield "It has no dead-letter queue: a message that fails again and again is dropped in the end."


@POLICIES.relation(
    "dead-letters-kept",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Failed work is kept for 14 days, the longest that SQS can.",
    remedy="Set messageRetentionSeconds to 1209600.",
    types={QUEUE},
)
def _check_dead_letters_kept(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    seconds = queue.props.get("messageRetentionSeconds", 345_600)
    if queue.props.get("name") in parked_in(stack) and seconds != FOURTEEN_DAYS:
        yield f"It holds failed work for {seconds / 86_400:g} days, not 14."


@POLICIES.relation(
    "dead-letters-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An alarm rings as soon as failed work lies in a dead-letter queue.",
    remedy="Use the dead-letter queue block, which brings the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={QUEUE},
)
def _check_dead_letters_watched(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name = queue.props.get("name")
    if name in parked_in(stack) and not any(_watches(alarm, name) for alarm in stack.list_resources(ALARM)):
        yield "No alarm watches its visible messages: failed work would lie there unseen."


def _watches(alarm: CheckedResource, queue: str) -> bool:
    return (
        alarm.props.get("metricName") == "ApproximateNumberOfMessagesVisible"
        and alarm.get_nested("dimensions", "QueueName") == queue
        and _rings_at_one(str(alarm.props.get("comparisonOperator")), float(alarm.props.get("threshold", 0)))
    )


def _rings_at_one(comparison: str, threshold: float) -> bool:
    match comparison:
        case "GreaterThanThreshold":
            return 0 <= threshold < 1
        case "GreaterThanOrEqualToThreshold":
            return 0 < threshold <= 1
    return False


@POLICIES.resource(
    "queue-retries-first",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="A message is tried several times before it is parked.",
    remedy="Raise maxReceiveCount.",
    limits=(PolicyLimit("receives", 3, "The fewest attempts at a message."),),
    types={QUEUE},
)
def _check_queue_retries_first(queue: CheckedResource) -> Iterator[str]:
    if (
        queue.has_property("redrivePolicy")
        and int(str(redrive(queue).get("maxReceiveCount", 0))) < queue.limits["receives"]
    ):
        yield f"Its maxReceiveCount is {redrive(queue).get('maxReceiveCount')}: one hiccup would park a good message."


@POLICIES.resource(
    "event-target-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every target of an event rule has a dead-letter queue.",
    remedy="Use the event rule block, which brings one.",
    types={EVENT_TARGET},
)
def _check_event_target_has_dead_letters(target: CheckedResource) -> Iterator[str]:
    if not target.get_nested("deadLetterConfig", "arn"):
        yield "An event that its target never takes is lost: it has no deadLetterConfig."


@POLICIES.resource(
    "schedule-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every schedule has a dead-letter queue.",
    remedy="Use the schedule block, which brings one.",
    types={SCHEDULE},
)
def _check_schedule_has_dead_letters(schedule: CheckedResource) -> Iterator[str]:
    if not schedule.get_nested("target", "deadLetterConfig", "arn"):
        yield "A call that its target never takes is lost: its target has no deadLetterConfig."


@POLICIES.relation(
    "async-failure-lands",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "A function that is called without waiting has a destination for calls that fail, or a reason for none."
    ),
    remedy=(
        "Give the function block asynchronous=…, which sets it on the alias, or the tag "
        f"{REASON_TAG} where nothing may stay."
    ),
    types={FUNCTION},
)
def _check_async_failure_lands(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    settled = [
        async_config
        for async_config in stack.list_resources(FUNCTION_ASYNC_CONFIG)
        if refers_to_function(async_config, function)
    ]
    if any(config.get_nested("destinationConfig", "onFailure", "destination") for config in settled):
        return
    for caller in sorted(find_calling_services(function, stack) & ASYNCHRONOUS):
        yield f"{caller} calls it without waiting, and what fails three times is dropped."
    if settled and not function.has_reason():
        yield f"Its asynchronous calls are dropped when they fail, and no tag {REASON_TAG} says why they may be."

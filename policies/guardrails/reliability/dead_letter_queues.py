"""Where failed work lands: everywhere that work can fail, for 14 days, and an alarm rings as soon as there is some."""

import json
from collections.abc import Iterator

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.related_resources import SCHEDULER, callers, concerns
from guardrails.model.resource_types import ALARM, EVENT_TARGET, FUNCTION, FUNCTION_ASYNC, QUEUE, SCHEDULE
from guardrails.pack.policy_kinds import ALWAYS, REASON, Group, Judged, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.RELIABILITY)

FOURTEEN_DAYS = 1_209_600
ASYNCHRONOUS = frozenset({"events.amazonaws.com", "s3.amazonaws.com", SCHEDULER, "sns.amazonaws.com"})
"""Services that do not wait for a function's answer."""
SUFFIX = "-dlq"


def _last(arn: object) -> str:
    return str(arn).rpartition(":")[2]


def parked_in(stack: Stack) -> set[str]:
    """Names of the queues in which failed work ends, wherever it failed."""
    found = {name for one in stack.of(QUEUE) for name in _parks_in(one)}
    found |= {_last(one.at("deadLetterConfig", "arn")) for one in stack.of(EVENT_TARGET)}
    found |= {_last(one.at("target", "deadLetterConfig", "arn")) for one in stack.of(SCHEDULE)}
    found |= {_last(one.at("destinationConfig", "onFailure", "destination")) for one in stack.of(FUNCTION_ASYNC)}
    return found | {
        str(one.props.get("name")) for one in stack.of(QUEUE) if str(one.props.get("name")).endswith(SUFFIX)
    }


def redrive(queue: Judged) -> dict[str, object]:
    """A queue's redrive policy."""
    loaded: dict[str, object] = json.loads(queue.props.get("redrivePolicy") or "{}")
    return loaded


def _parks_in(queue: Judged) -> set[str]:
    """Names of the queue in which a queue's messages end.

    A provider answers a queue without a redrive policy with an unknown one, later with an empty one; a policy that was
    given and is not known yet has another queue's ARN in it.
    """
    try:
        arn = redrive(queue).get("deadLetterTargetArn")
    except UnknownValueError:
        return {str(one.props.get("name")) for one in queue.references.get("redrivePolicy", ()) if one.type == QUEUE}
    return {_last(arn)} if arn else set()


@POLICIES.relation(
    "queue-has-dead-letters",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Every queue has a dead-letter queue.",
    remedy="Use the queue block, which brings one.",
    types={QUEUE},
)
def _dropped(queue: Judged, stack: Stack) -> Iterator[str]:
    name, parks_in = queue.props.get("name"), _parks_in(queue)
    if name in parks_in:
        yield "Its dead-letter queue is itself: a message that fails again and again never leaves it."
    elif not parks_in and name not in parked_in(stack):
        yield "It has no dead-letter queue: a message that fails again and again is dropped in the end."


@POLICIES.relation(
    "dead-letters-kept",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Failed work is kept for 14 days, the longest that SQS can.",
    remedy="Set messageRetentionSeconds to 1209600.",
    types={QUEUE},
)
def _short(queue: Judged, stack: Stack) -> Iterator[str]:
    seconds = queue.props.get("messageRetentionSeconds", 345_600)
    if queue.props.get("name") in parked_in(stack) and seconds != FOURTEEN_DAYS:
        yield f"It holds failed work for {seconds / 86_400:g} days, not 14."


@POLICIES.relation(
    "dead-letters-watched",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="An alarm rings as soon as failed work lies in a dead-letter queue.",
    remedy="Use the dead-letter queue block, which brings the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={QUEUE},
)
def _unwatched(queue: Judged, stack: Stack) -> Iterator[str]:
    name = queue.props.get("name")
    if name in parked_in(stack) and not any(_watches(alarm, name) for alarm in stack.of(ALARM)):
        yield "No alarm watches its visible messages: failed work would lie there unseen."


def _watches(alarm: Judged, queue: str) -> bool:
    return (
        alarm.props.get("metricName") == "ApproximateNumberOfMessagesVisible"
        and alarm.at("dimensions", "QueueName") == queue
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
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="A message is tried several times before it is parked.",
    remedy="Raise maxReceiveCount.",
    limits=(Limit("receives", 3, "The fewest attempts at a message."),),
    types={QUEUE},
)
def _impatient(one: Judged) -> Iterator[str]:
    if one.has("redrivePolicy") and int(str(redrive(one).get("maxReceiveCount", 0))) < one.limits["receives"]:
        yield f"Its maxReceiveCount is {redrive(one).get('maxReceiveCount')}: one hiccup would park a good message."


@POLICIES.resource(
    "event-target-has-dead-letters",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Every target of an event rule has a dead-letter queue.",
    remedy="Use the event rule block, which brings one.",
    types={EVENT_TARGET},
)
def _lost_event(one: Judged) -> Iterator[str]:
    if not one.at("deadLetterConfig", "arn"):
        yield "An event that its target never takes is lost: it has no deadLetterConfig."


@POLICIES.resource(
    "schedule-has-dead-letters",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Every schedule has a dead-letter queue.",
    remedy="Use the schedule block, which brings one.",
    types={SCHEDULE},
)
def _lost_call(one: Judged) -> Iterator[str]:
    if not one.at("target", "deadLetterConfig", "arn"):
        yield "A call that its target never takes is lost: its target has no deadLetterConfig."


@POLICIES.relation(
    "async-failure-lands",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A function that is called without waiting has a destination for calls that fail, or a reason for none.",
    remedy=f"Give the function block asynchronous=…, which sets it on the alias, or the tag {REASON} where nothing may stay.",
    types={FUNCTION},
)
def _lost_invocation(function: Judged, stack: Stack) -> Iterator[str]:
    settled = [one for one in stack.of(FUNCTION_ASYNC) if concerns(one, function)]
    if any(one.at("destinationConfig", "onFailure", "destination") for one in settled):
        return
    for caller in sorted(callers(function, stack) & ASYNCHRONOUS):
        yield f"{caller} calls it without waiting, and what fails three times is dropped."
    if settled and not function.explains():
        yield f"Its asynchronous calls are dropped when they fail, and no tag {REASON} says why they may be."

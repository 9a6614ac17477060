"""Guardrail policies about dead-letter queues, which keep messages, events and calls that failed: queues, event
targets, schedules and asynchronous functions have one. Each keeps its messages for 14 days and has an alarm.
"""

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
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

FOURTEEN_DAYS = 1_209_600
"""Fourteen days in seconds."""
MIN_RECEIVES = 3
"""Minimum number of receives of a message before it moves to the dead-letter queue."""
ASYNCHRONOUS_CALLERS = frozenset({"events.amazonaws.com", "s3.amazonaws.com", SCHEDULER, "sns.amazonaws.com"})
"""Services that call a function asynchronously."""
DEAD_LETTER_SUFFIX = "-dlq"
"""End of the names of dead-letter queues in this program."""
FAILURE_ARN_PATHS = {
    EVENT_TARGET: ("deadLetterConfig", "arn"),
    SCHEDULE: ("target", "deadLetterConfig", "arn"),
    FUNCTION_ASYNC_CONFIG: ("destinationConfig", "onFailure", "destination"),
}
"""Path of the property with the ARN of the queue that receives failed events or calls, by resource type."""


def _last_arn_part(arn: object) -> str:
    return str(arn).rpartition(":")[2]


def _find_dead_letter_queues(stack: CheckedStack) -> set[str]:
    """Return the names of all dead-letter queues. They receive failed messages of other queues (by a redrive policy),
    failed events of rules and schedules, and failed events of asynchronous functions. Queues named `…-dlq` count too.
    """
    queues = stack.list_resources(QUEUE)
    redrive_targets = {name for queue in queues for name in _find_redrive_targets(queue)}
    destinations = {
        _last_arn_part(resource.get_nested(*path))
        for resource_type, path in FAILURE_ARN_PATHS.items()
        for resource in stack.list_resources(resource_type)
    }
    names = {str(queue.props.get("name")) for queue in queues}
    return redrive_targets | destinations | {name for name in names if name.endswith(DEAD_LETTER_SUFFIX)}


def _get_redrive_policy(queue: CheckedResource) -> dict[str, object]:
    redrive_policy: dict[str, object] = json.loads(queue.props.get("redrivePolicy") or "{}")
    return redrive_policy


def _find_redrive_targets(queue: CheckedResource) -> set[str]:
    """Return the names of the queues to which a queue's redrive policy moves messages.

    The policy can be unknown in a preview. If the program computes it from another queue, the reference names that
    queue. If the program sets no policy, the AWS provider returns an unknown value, which has no reference.
    """
    try:
        arn = _get_redrive_policy(queue).get("deadLetterTargetArn")
    except UnknownValueError:
        return {
            str(target.props.get("name"))
            for target in queue.references.get("redrivePolicy", ())
            if target.type == QUEUE
        }
    return {_last_arn_part(arn)} if arn else set()


@POLICIES.resource_in_stack(
    "queue-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every queue has a dead-letter queue.",
    remedy="Use the queue block (components/blocks/messaging/queue.py), which creates a dead-letter queue.",
    types={QUEUE},
)
def _check_queue_has_dead_letters(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name, redrive_targets = queue.props.get("name"), _find_redrive_targets(queue)
    if name in redrive_targets:
        yield "redrivePolicy names the queue itself, so a message that always fails is never removed."
    elif not redrive_targets and name not in _find_dead_letter_queues(stack):
        yield "The queue has no dead-letter queue (redrivePolicy is not set), so failed messages are lost."


@POLICIES.resource_in_stack(
    "dead-letters-kept",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Dead-letter queues keep messages for 14 days, the maximum of SQS.",
    remedy="Set messageRetentionSeconds to 1209600.",
    types={QUEUE},
)
def _check_dead_letters_kept(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    seconds = queue.props.get("messageRetentionSeconds", 345_600)
    if queue.props.get("name") in _find_dead_letter_queues(stack) and seconds != FOURTEEN_DAYS:
        yield f"messageRetentionSeconds keeps failed work for {seconds / 86_400:g} days instead of 14."


@POLICIES.resource_in_stack(
    "dead-letters-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every dead-letter queue has an alarm with a threshold of one message.",
    remedy="Use the dead-letter queue block, which creates the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={QUEUE},
)
def _check_dead_letters_watched(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name = queue.props.get("name")
    if name in _find_dead_letter_queues(stack) and not any(
        _alarm_watches_queue(alarm, name) for alarm in stack.list_resources(ALARM)
    ):
        yield "No alarm watches ApproximateNumberOfMessagesVisible of this queue with a threshold of one message."


def _alarm_watches_queue(alarm: CheckedResource, queue: str) -> bool:
    return (
        alarm.props.get("metricName") == "ApproximateNumberOfMessagesVisible"
        and alarm.get_nested("dimensions", "QueueName") == queue
        and _alarms_at_one_message(str(alarm.props.get("comparisonOperator")), float(alarm.props.get("threshold", 0)))
    )


def _alarms_at_one_message(comparison: str, threshold: float) -> bool:
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
    description=f"A message is received at least {MIN_RECEIVES} times before it moves to the dead-letter queue.",
    remedy="Raise maxReceiveCount in redrivePolicy.",
    types={QUEUE},
)
def _check_queue_retries_first(queue: CheckedResource) -> Iterator[str]:
    if not queue.has_property("redrivePolicy"):
        return
    receives = _get_redrive_policy(queue).get("maxReceiveCount")
    if int(str(receives or 0)) < MIN_RECEIVES:
        yield (
            f"maxReceiveCount is {receives}; at least {MIN_RECEIVES} is required. Otherwise, a transient error can "
            "move a valid message to the dead-letter queue."
        )


@POLICIES.resource(
    "event-target-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every target of an event rule has a dead-letter queue.",
    remedy="Use the event rule block (components/blocks/messaging/event_rule.py), which creates a dead-letter queue.",
    types={EVENT_TARGET},
)
def _check_event_target_has_dead_letters(target: CheckedResource) -> Iterator[str]:
    if not target.get_nested("deadLetterConfig", "arn"):
        yield "deadLetterConfig is not set, so an event that cannot be delivered to the target is lost."


@POLICIES.resource(
    "event-target-is-no-topic",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "No event rule sends to a topic. EventBridge's guide shows only topic policies without conditions, which admit "
        "the rules of every account. A topic policy with a condition might block the events."
    ),
    remedy="Send the events to a queue with an alarm. The event rule block does so if it gets no target.",
    types={EVENT_TARGET},
)
def _check_event_target_is_no_topic(target: CheckedResource) -> Iterator[str]:
    if ":sns:" in str(target.props.get("arn")):
        yield "The target is a topic, so EventBridge may not deliver the events if the topic's policy has a condition."


@POLICIES.resource(
    "schedule-has-dead-letters",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every schedule has a dead-letter queue.",
    remedy="Use the schedule block (components/blocks/compute/schedule.py), which creates a dead-letter queue.",
    types={SCHEDULE},
)
def _check_schedule_has_dead_letters(schedule: CheckedResource) -> Iterator[str]:
    if not schedule.get_nested("target", "deadLetterConfig", "arn"):
        yield "target.deadLetterConfig is not set, so a call that cannot be delivered is lost."


@POLICIES.resource_in_stack(
    "async-failure-lands",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        "Every asynchronously called function has a failure destination. A function that only other functions call "
        f"needs none if its tag {REASON_TAG} states why."
    ),
    remedy=(
        "Pass asynchronous=… to the function block, which sets the destination on the alias. If only other "
        "functions call the function, and failed events must not be stored, give it the tag "
        f"{REASON_TAG} (15 characters or more)."
    ),
    types={FUNCTION},
)
def _check_async_failure_lands(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    configs = [
        async_config
        for async_config in stack.list_resources(FUNCTION_ASYNC_CONFIG)
        if refers_to_function(async_config, function)
    ]
    if configs and all(config.get_nested("destinationConfig", "onFailure", "destination") for config in configs):
        return
    # The tag does not excuse calls by an AWS service. A function of this program can repeat a failed call, but a service
    # does not send an event again that Lambda has accepted.
    for caller in sorted(find_calling_services(function, stack) & ASYNCHRONOUS_CALLERS):
        yield f"{caller} calls the function asynchronously, but there is no failure destination for its events."
    if configs and not function.has_reason():
        yield f"The function has no failure destination, and no tag {REASON_TAG} says why failed events may be lost."

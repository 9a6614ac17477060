"""Queues and the functions that they feed: hidden long enough, failing one by one, called by the alias."""

from collections.abc import Iterator

from guardrails.model.related_resources import refers_to_function
from guardrails.model.resource_types import (
    BUCKET_NOTIFICATION,
    EVENT_SOURCE_MAPPING,
    FUNCTION,
    FUNCTION_ASYNC_CONFIG,
    FUNCTION_PERMISSION,
    QUEUE,
    QUEUE_POLICY,
    TOPIC_POLICY,
)
from guardrails.pack.policy_kinds import (
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

LATEST = "$LATEST"


def _from_queue(mapping: CheckedResource) -> bool:
    return ":sqs:" in str(mapping.props.get("eventSourceArn"))


@POLICIES.relation(
    "queue-hides-long-enough",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A message stays hidden for six timeouts of its function, as Lambda's guide asks.",
    remedy="Raise visibilityTimeoutSeconds (the queue block takes the consumer's timeout).",
    limits=(PolicyLimit("timeouts", 6, "Visibility timeout in timeouts of the function."),),
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_hides_long_enough(source: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not _from_queue(source):
        return
    factor = stack.limits["timeouts"]
    queue_name = str(source.props.get("eventSourceArn")).rpartition(":")[2]
    for queue in stack.list_resources(QUEUE):
        if queue.props.get("name") != queue_name:
            continue
        hidden = float(queue.props.get("visibilityTimeoutSeconds", 30))
        for function in stack.list_resources(FUNCTION):
            timeout = float(function.props.get("timeout", 3))
            if refers_to_function(source, function) and hidden < factor * timeout:
                yield (
                    f"Messages of {queue_name} are hidden for {hidden:g} seconds, less than {factor:g} times the "
                    f"{timeout:g} seconds that {function.props.get('name')} may take."
                )


@POLICIES.resource(
    "queue-fails-one-by-one",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Of a batch, only messages that failed come again.",
    remedy="Set functionResponseTypes to [ReportBatchItemFailures], and answer with the failed ids.",
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_fails_one_by_one(mapping: CheckedResource) -> Iterator[str]:
    if _from_queue(mapping) and "ReportBatchItemFailures" not in (mapping.props.get("functionResponseTypes") or ()):
        yield "One bad message fails its whole batch, and the good ones are worked on again."


@POLICIES.relation(
    "queue-fed-function-no-dlq",
    severity=PolicySeverity.LOW,
    levels=MANDATORY_EVERYWHERE,
    description="A function that a queue feeds has no dead-letter queue of its own, which would stay empty.",
    remedy="Take deadLetterConfig away: the queue's redrive policy parks what fails.",
    types={FUNCTION},
)
def _check_queue_fed_function_no_dlq(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    fed = any(
        _from_queue(mapping) and refers_to_function(mapping, function)
        for mapping in stack.list_resources(EVENT_SOURCE_MAPPING)
    )
    if fed and function.get_nested("deadLetterConfig", "targetArn"):
        yield "Its deadLetterConfig never gets a message: a queue feeds it, and the queue parks what fails."


@POLICIES.resource(
    "function-called-by-alias",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Sources, permissions and asynchronous settings are those of an alias.",
    remedy="Name the alias (qualifier, or the alias' ARN).",
    types={FUNCTION_ASYNC_CONFIG, FUNCTION_PERMISSION, EVENT_SOURCE_MAPPING},
)
def _check_function_called_by_alias(resource: CheckedResource) -> Iterator[str]:
    if resource.type == EVENT_SOURCE_MAPPING:
        words = str(resource.props.get("functionName")).split(":")
        qualifier = words[7] if len(words) == 8 else words[1] if len(words) == 2 else ""
    else:
        qualifier = str(resource.props.get("qualifier") or "")
    if qualifier in {"", LATEST}:
        yield "It is about the bare function, not about an alias: callers of the alias do not have it."


@POLICIES.relation(
    "notification-after-permission",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="A bucket's notification is made after whoever is told lets S3 in.",
    remedy="Add the policy or permission to depends_on.",
    types={BUCKET_NOTIFICATION},
)
def _check_notification_after_permission(notification: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    """S3 tests a notification when it is set, so whoever is told must let S3 in before."""
    before = {dependency.type for dependency in notification.dependencies}
    if notification.props.get("queues") and QUEUE_POLICY not in before:
        yield "It is made before the queue's policy, so S3 refuses it."
    if notification.props.get("topics") and TOPIC_POLICY not in before:
        yield "It is made before the topic's policy, so S3 refuses it."
    if notification.props.get("lambdaFunctions") and FUNCTION_PERMISSION not in before:
        yield "It is made before the function's permission, so S3 refuses it."

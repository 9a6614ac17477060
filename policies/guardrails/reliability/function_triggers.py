"""Guardrail policies about the triggers of Lambda functions. The visibility timeout of a
queue is long enough for its function, and only the failed messages of a batch are delivered again. Triggers name an
alias of the function. A bucket's notification is created after the permission that S3 needs to send it.
"""

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
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

MIN_TIMEOUTS = 6
"""Minimum visibility timeout of a queue, as a multiple of its function's timeout."""
LATEST = "$LATEST"
"""Qualifier of the unpublished version of a function."""


def _reads_queue(mapping: CheckedResource) -> bool:
    return ":sqs:" in str(mapping.props.get("eventSourceArn"))


@POLICIES.resource_in_stack(
    "queue-hides-long-enough",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=(
        f"A queue's visibility timeout is at least {MIN_TIMEOUTS} times its function's timeout, plus the batching window."
    ),
    remedy=(
        "Raise visibilityTimeoutSeconds. The queue block (components/blocks/messaging/queue.py) computes it from the "
        "timeout and the batching window of the function that reads the queue."
    ),
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_hides_long_enough(mapping: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    if not _reads_queue(mapping):
        return
    queue_name = str(mapping.props.get("eventSourceArn")).rpartition(":")[2]
    window = float(mapping.props.get("maximumBatchingWindowInSeconds") or 0)
    for queue in stack.list_resources(QUEUE):
        if queue.props.get("name") != queue_name:
            continue
        visibility_timeout = float(queue.props.get("visibilityTimeoutSeconds", 30))
        for function in stack.list_resources(FUNCTION):
            timeout = float(function.props.get("timeout", 3))
            if refers_to_function(mapping, function) and visibility_timeout < MIN_TIMEOUTS * timeout + window:
                yield (
                    f"visibilityTimeoutSeconds of {queue_name} is {visibility_timeout:g} seconds, less than {MIN_TIMEOUTS} "
                    f"times the timeout of {function.props.get('name')} ({timeout:g} seconds), plus the batching window "
                    f"({window:g} seconds)."
                )


@POLICIES.resource(
    "queue-fails-one-by-one",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Only the failed messages of a batch are delivered again.",
    remedy="Set functionResponseTypes to [ReportBatchItemFailures], and return the ids of the failed messages.",
    types={EVENT_SOURCE_MAPPING},
)
def _check_queue_fails_one_by_one(mapping: CheckedResource) -> Iterator[str]:
    if _reads_queue(mapping) and "ReportBatchItemFailures" not in (mapping.props.get("functionResponseTypes") or ()):
        yield "functionResponseTypes lacks ReportBatchItemFailures, so one failed message repeats the whole batch."


@POLICIES.resource_in_stack(
    "queue-fed-function-no-dlq",
    severity=PolicySeverity.LOW,
    levels=MANDATORY_EVERYWHERE,
    description="A function that consumes a queue has no deadLetterConfig, because it would never be used.",
    remedy="Remove deadLetterConfig. The queue's redrive policy moves failed messages to the dead-letter queue.",
    types={FUNCTION},
)
def _check_queue_fed_function_no_dlq(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    consumes_queue = any(
        _reads_queue(mapping) and refers_to_function(mapping, function)
        for mapping in stack.list_resources(EVENT_SOURCE_MAPPING)
    )
    if consumes_queue and function.get_nested("deadLetterConfig", "targetArn"):
        yield "deadLetterConfig never receives a message, because the queue itself keeps failed messages."


@POLICIES.resource(
    "function-called-by-alias",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Event source mappings, permissions and asynchronous configurations name an alias of the function.",
    remedy="Set qualifier to the alias, or use the ARN of the alias.",
    types={FUNCTION_ASYNC_CONFIG, FUNCTION_PERMISSION, EVENT_SOURCE_MAPPING},
)
def _check_function_called_by_alias(resource: CheckedResource) -> Iterator[str]:
    if resource.type == EVENT_SOURCE_MAPPING:
        # The alias is the eighth part of an ARN, or the second part of `name:alias`.
        parts = str(resource.props.get("functionName")).split(":")
        qualifier = parts[7] if len(parts) == 8 else parts[1] if len(parts) == 2 else ""
    else:
        qualifier = str(resource.props.get("qualifier") or "")
    if qualifier in {"", LATEST}:
        yield "The resource names the function without an alias, so it concerns the unpublished version, not the alias."


@POLICIES.resource_in_stack(
    "notification-after-permission",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="A bucket notification depends on the queue policy, topic policy or function permission that allows S3 to send it.",
    remedy="Add the queue policy, topic policy or function permission to depends_on.",
    types={BUCKET_NOTIFICATION},
)
def _check_notification_after_permission(notification: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    """Yield a violation for each missing dependency. S3 sends a test message when a notification is created, so the
    permission must exist before.
    """
    # The checks of `@POLICIES.resource` get resources without dependencies.
    dependency_types = {dependency.type for dependency in notification.dependencies}
    for key, needed_type, description in (
        ("queues", QUEUE_POLICY, "queue policy"),
        ("topics", TOPIC_POLICY, "topic policy"),
        ("lambdaFunctions", FUNCTION_PERMISSION, "function permission"),
    ):
        if notification.props.get(key) and needed_type not in dependency_types:
            yield f"The notification does not depend on a {description}, so S3 can refuse to create it."

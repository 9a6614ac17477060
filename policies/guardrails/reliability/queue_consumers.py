"""Queues and the functions that they feed: hidden long enough, failing one by one, called by the alias."""

from collections.abc import Iterator

from guardrails.model.related_resources import concerns
from guardrails.model.resource_types import (
    BUCKET_NOTIFICATION,
    FUNCTION,
    FUNCTION_ASYNC,
    FUNCTION_PERMISSION,
    FUNCTION_SOURCE,
    QUEUE,
    QUEUE_POLICY,
    TOPIC_POLICY,
)
from guardrails.pack.policy_kinds import ALWAYS, Group, Judged, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.RELIABILITY)

LATEST = "$LATEST"


def _from_queue(one: Judged) -> bool:
    return ":sqs:" in str(one.props.get("eventSourceArn"))


@POLICIES.relation(
    "queue-hides-long-enough",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A message stays hidden for six timeouts of its function, as Lambda's guide asks.",
    remedy="Raise visibilityTimeoutSeconds (the queue block takes the consumer's timeout).",
    limits=(Limit("timeouts", 6, "Visibility timeout in timeouts of the function."),),
    types={FUNCTION_SOURCE},
)
def _seen_twice(source: Judged, stack: Stack) -> Iterator[str]:
    if not _from_queue(source):
        return
    factor = stack.limits["timeouts"]
    queue_name = str(source.props.get("eventSourceArn")).rpartition(":")[2]
    for queue in stack.of(QUEUE):
        if queue.props.get("name") != queue_name:
            continue
        hidden = float(queue.props.get("visibilityTimeoutSeconds", 30))
        for function in stack.of(FUNCTION):
            timeout = float(function.props.get("timeout", 3))
            if concerns(source, function) and hidden < factor * timeout:
                yield (
                    f"Messages of {queue_name} are hidden for {hidden:g} seconds, less than {factor:g} times the "
                    f"{timeout:g} seconds that {function.props.get('name')} may take."
                )


@POLICIES.resource(
    "queue-fails-one-by-one",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Of a batch, only messages that failed come again.",
    remedy="Set functionResponseTypes to [ReportBatchItemFailures], and answer with the failed ids.",
    types={FUNCTION_SOURCE},
)
def _whole_batch(one: Judged) -> Iterator[str]:
    if _from_queue(one) and "ReportBatchItemFailures" not in (one.props.get("functionResponseTypes") or ()):
        yield "One bad message fails its whole batch, and the good ones are worked on again."


@POLICIES.relation(
    "queue-fed-function-no-dlq",
    severity=Severity.LOW,
    levels=ALWAYS,
    description="A function that a queue feeds has no dead-letter queue of its own, which would stay empty.",
    remedy="Take deadLetterConfig away: the queue's redrive policy parks what fails.",
    types={FUNCTION},
)
def _useless_dead_letters(function: Judged, stack: Stack) -> Iterator[str]:
    fed = any(_from_queue(one) and concerns(one, function) for one in stack.of(FUNCTION_SOURCE))
    if fed and function.at("deadLetterConfig", "targetArn"):
        yield "Its deadLetterConfig never gets a message: a queue feeds it, and the queue parks what fails."


@POLICIES.resource(
    "function-called-by-alias",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="Sources, permissions and asynchronous settings are those of an alias.",
    remedy="Name the alias (qualifier, or the alias' ARN).",
    types={FUNCTION_ASYNC, FUNCTION_PERMISSION, FUNCTION_SOURCE},
)
def _beside_the_alias(one: Judged) -> Iterator[str]:
    if one.type == FUNCTION_SOURCE:
        words = str(one.props.get("functionName")).split(":")
        qualifier = words[7] if len(words) == 8 else words[1] if len(words) == 2 else ""
    else:
        qualifier = str(one.props.get("qualifier") or "")
    if qualifier in {"", LATEST}:
        yield "It is about the bare function, not about an alias: callers of the alias do not have it."


@POLICIES.relation(
    "notification-after-permission",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="A bucket's notification is made after whoever is told lets S3 in.",
    remedy="Add the policy or permission to depends_on.",
    types={BUCKET_NOTIFICATION},
)
def _too_early(one: Judged, _stack: Stack) -> Iterator[str]:
    """S3 tests a notification when it is set, so whoever is told must let S3 in before."""
    before = {other.type for other in one.dependencies}
    if one.props.get("queues") and QUEUE_POLICY not in before:
        yield "It is made before the queue's policy, so S3 refuses it."
    if one.props.get("topics") and TOPIC_POLICY not in before:
        yield "It is made before the topic's policy, so S3 refuses it."
    if one.props.get("lambdaFunctions") and FUNCTION_PERMISSION not in before:
        yield "It is made before the function's permission, so S3 refuses it."

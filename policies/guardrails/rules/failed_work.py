"""Policies about work that fails: logs, dead-letter queues, alarms, and timeouts that fit the caller.

Each check gets a resource and the whole stack, and yields a message for each violation. `list_related` returns the
resources that name the given one in a property, and `read_names` the names in a property (`related.py`). A block is a
component of `components/blocks/`, which creates such a resource with all that the policies require.
"""

import json
from collections.abc import Iterator
from typing import Final

from guardrails import resource_types as t
from guardrails.records import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    Group,
    Policy,
    PolicySet,
    Severity,
)
from guardrails.rules.related import MIN_REASON_LENGTH, REASON_TAG, get_name, has_reason, list_related, read_names

COST = PolicySet(Group.COST)
RELIABILITY = PolicySet(Group.RELIABILITY, levels=MANDATORY_EVERYWHERE)


@COST.related_policy(
    "logs-owned",
    types={t.FUNCTION, t.REST_STAGE, t.API_V2_STAGE, t.BATCH_JOB, t.GLUE_JOB},
    severity=Severity.MEDIUM,
    levels=ADVISORY_IN_DEV,
    description="Every function, API stage and job logs into a log group of this stack.",
    remedy="Use the block, which creates the log group first. AWS would create the group without a retention.",
)
def _check_logs_owned(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    groups = stack.list_resources(t.LOG_GROUP)
    if resource.type in {t.REST_STAGE, t.API_V2_STAGE}:
        # API Gateway names the group of execution logs after the API's id, which AWS assigns. So the group's name is
        # unknown before the deployment, but the engine knows from which API it is computed.
        apis = resource.references.get("restApi" if resource.type == t.REST_STAGE else "apiId", ())
        if not any(set(apis) & set(group.references.get("name", ())) for group in groups):
            yield "The execution logs of the stage go into a log group that is not in this stack."
        return
    if resource.type == t.FUNCTION:
        group = resource.get("loggingConfig.logGroup")
    elif resource.type == t.GLUE_JOB:
        # Glue writes to several groups below this prefix. One of them in the stack is enough.
        prefix = resource.get("defaultArguments.--custom-logGroup-prefix")
        group = next((name for name in map(get_name, groups) if prefix and name.startswith(f"{prefix}/")), prefix)
    else:
        logs = json.loads(resource.get("containerProperties")).get("logConfiguration", {})
        group = logs.get("options", {}).get("awslogs-group")
    if group not in set(map(get_name, groups)):
        yield f"The logs go into {group or 'a log group of the default name'}, which is not in this stack."


FOURTEEN_DAYS: Final = 1_209_600
"""Fourteen days in seconds, the maximum of SQS."""
FAILED_WORK_PATHS: Final = {
    t.QUEUE: "redrivePolicy",
    t.EVENT_TARGET: "deadLetterConfig.arn",
    t.SCHEDULE: "target.deadLetterConfig.arn",
    t.FUNCTION_ASYNC_CONFIG: "destinationConfig.onFailure.destination",
}
"""Property that names the queue for failed messages, events or calls, by type."""
GATEWAY: Final = "apigateway.amazonaws.com"


def _list_alarms(stack: CheckedStack, metric: str, dimension: str, name: str) -> Iterator[CheckedResource]:
    """Yield the alarms on a metric of a resource."""
    for alarm in stack.list_resources(t.ALARM):
        if metric in read_names(alarm, "metricName") and name in read_names(alarm, f"dimensions.{dimension}"):
            yield alarm


@RELIABILITY.related_policy(
    "dead-letters-kept",
    types={t.QUEUE},
    severity=Severity.HIGH,
    description=(
        "Every queue has a dead-letter queue, which keeps messages for 14 days and has an alarm at one message. The same "
        "applies to the queues for failed events and calls, whose alarm may count sent messages instead."
    ),
    remedy="Use the queue block (components/blocks/queue.py), or the dead-letter queue block beside it.",
)
def _check_dead_letters_kept(queue: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name = get_name(queue)
    others = [each for each in stack.list_resources(*FAILED_WORK_PATHS) if each is not queue]
    senders = [each for each in others if name in read_names(each, FAILED_WORK_PATHS[each.type])]
    is_dead_letter_queue = bool(senders)
    if not is_dead_letter_queue:
        other_queues = {get_name(each) for each in others if each.type == t.QUEUE}
        if not other_queues & read_names(queue, "redrivePolicy"):
            yield "redrivePolicy names no other queue of this stack, so failed messages are lost."
        return
    if queue.get("messageRetentionSeconds") != FOURTEEN_DAYS:
        yield "messageRetentionSeconds is not 1209600, so failed work is kept for less than 14 days."
    metrics = ["ApproximateNumberOfMessagesVisible"]
    if all(each.type != t.QUEUE for each in senders):
        # Events and calls are sent to the queue. SQS does not count the messages that it moves from another queue as sent.
        metrics.append("NumberOfMessagesSent")
    if not any(
        (alarm.get("comparisonOperator"), alarm.get("threshold"))
        in {("GreaterThanThreshold", 0), ("GreaterThanOrEqualToThreshold", 1)}
        for metric in metrics
        for alarm in _list_alarms(stack, metric, "QueueName", name)
    ):
        yield f"No alarm watches {' or '.join(metrics)} of this queue with a threshold of one message."


def _list_callers(function: CheckedResource, stack: CheckedStack) -> set[str]:
    """Return the service principals that may call a function. A schedule calls with its own role, so it needs no
    permission of the function.
    """
    permissions = list_related(function, stack, t.FUNCTION_PERMISSION, "function")
    callers = {str(permission.get("principal")) for permission in permissions}
    if list_related(function, stack, t.SCHEDULE, "target.arn"):
        callers.add("scheduler.amazonaws.com")
    return callers


@RELIABILITY.related_policy(
    "async-failure-lands",
    types={t.FUNCTION},
    severity=Severity.HIGH,
    description=(
        "Every asynchronously called function has a failure destination. A function that only other functions call "
        f"needs none if its tag {REASON_TAG} states why."
    ),
    remedy=(
        "Pass asynchronous=… to the function block, which sets the destination on the alias. If failed events must not "
        f"be stored, give the function the tag {REASON_TAG} ({MIN_REASON_LENGTH} characters or more)."
    ),
)
def _check_async_failure_lands(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    configs = list_related(function, stack, t.FUNCTION_ASYNC_CONFIG, "functionName")
    if configs and all(config.get(FAILED_WORK_PATHS[config.type]) for config in configs):
        return
    # API Gateway waits for the answer. The other services call asynchronously and send an event only once, so the tag does
    # not excuse them. No resource shows which functions call the function. If they do so asynchronously, it has a
    # configuration, which the function block creates.
    if callers := _list_callers(function, stack) - {GATEWAY}:
        yield f"{', '.join(sorted(callers))} may call the function, but failed events have no destination."
    elif configs and not has_reason(function):
        yield f"The function has no failure destination, and no tag {REASON_TAG} says why failed events may be lost."


@RELIABILITY.related_policy(
    "failures-watched",
    types={t.FUNCTION, t.WORKFLOW},
    severity=Severity.HIGH,
    description=(
        "Every function has an alarm on errors of its alias, or its REST API has one on server errors. Throttled calls of "
        "all functions or of the alias raise an alarm. Every workflow has an alarm on failed executions."
    ),
    remedy="Use the blocks of functions, REST APIs and workflows and the foundation, which create the alarms.",
)
def _check_failures_watched(resource: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    name = get_name(resource)
    if resource.type == t.WORKFLOW:
        if not any(_list_alarms(stack, "ExecutionsFailed", "StateMachineArn", name)):
            yield "No alarm watches the metric ExecutionsFailed of the workflow."
        return
    aliases = set(map(get_name, list_related(resource, stack, t.FUNCTION_ALIAS, "functionName")))
    apis = list_related(resource, stack, t.REST_API, "body")  # the OpenAPI document names the functions of its routes

    def is_watched(metric: str) -> bool:
        # The dimension Resource has the form function:alias. Without it, an alarm counts the calls of all versions.
        alarms = _list_alarms(stack, metric, "FunctionName", name)
        return any(aliases & read_names(alarm, "dimensions.Resource") for alarm in alarms)

    if not is_watched("Errors") and not any(
        any(_list_alarms(stack, "5XXError", "ApiName", get_name(api))) for api in apis
    ):
        yield "No alarm watches the metric Errors of an alias of the function (dimension Resource), or its API's 5XXError."
    # Without a dimension, the metric counts all functions.
    are_all_functions_watched = any(
        alarm.get("metricName") == "Throttles" and not alarm.get("dimensions")
        for alarm in stack.list_resources(t.ALARM)
    )
    if not are_all_functions_watched and not is_watched("Throttles"):
        yield "No alarm watches the metric Throttles of all functions or of an alias of the function."


GATEWAY_SECONDS: Final = 29
"""Seconds after which API Gateway stops waiting for an integration."""
MIN_TIMEOUTS: Final = 6
"""Minimum visibility timeout of a queue, as a multiple of its function's timeout: the recommendation of AWS."""


@RELIABILITY.related_policy(
    "function-timeout-fits-caller",
    types={t.FUNCTION},
    severity=Severity.HIGH,
    description=(
        f"The timeout of a function behind API Gateway is at most {GATEWAY_SECONDS} seconds. A queue hides messages for "
        f"{MIN_TIMEOUTS} timeouts of its function, plus the batching window."
    ),
    remedy=(
        "Move long work to an asynchronous worker. Raise visibilityTimeoutSeconds, which the queue block computes from "
        "the function."
    ),
)
def _check_function_timeout_fits_caller(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout = float(function.get("timeout") or 3)  # here and below, the defaults are those of AWS
    if timeout > GATEWAY_SECONDS and GATEWAY in _list_callers(function, stack):
        yield f"timeout is {timeout:g} seconds, but API Gateway stops waiting after {GATEWAY_SECONDS}."
    for mapping in list_related(function, stack, t.EVENT_SOURCE_MAPPING, "functionName"):
        required = MIN_TIMEOUTS * timeout + float(mapping.get("maximumBatchingWindowInSeconds") or 0)
        sources = read_names(mapping, "eventSourceArn")
        for queue in [queue for queue in stack.list_resources(t.QUEUE) if get_name(queue) in sources]:
            hidden = float(queue.get("visibilityTimeoutSeconds") or 30)
            if hidden < required:
                yield f"{queue.name} hides a message for {hidden:g} seconds; at least {required:g} are required."


POLICIES: Final[tuple[Policy, ...]] = (*COST, *RELIABILITY)

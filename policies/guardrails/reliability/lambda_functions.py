"""Guardrail policies about Lambda functions: alarms, traces, JSON logs, versions, and timeouts within API Gateway's
limit.
"""

from collections.abc import Iterator

from guardrails.model.related_resources import find_calling_services, refers_to_function
from guardrails.model.resource_types import ALARM, FUNCTION, FUNCTION_ALIAS
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

GATEWAY = "apigateway.amazonaws.com"
GATEWAY_SECONDS = 29
"""Seconds after which API Gateway stops waiting for an integration."""


def _find_missing_alarm(function: CheckedResource, stack: CheckedStack, metric: str) -> Iterator[str]:
    """Yield a message if no alarm watches a metric of the function's alias. If the function has no alias, an alarm on
    the metric of the function is enough.
    """
    name = function.props.get("name")
    aliases = {
        f"{name}:{alias.props.get('name')}"
        for alias in stack.list_resources(FUNCTION_ALIAS)
        if refers_to_function(alias, function)
    }
    alarms = [
        alarm
        for alarm in stack.list_resources(ALARM)
        if alarm.props.get("namespace") == "AWS/Lambda"
        and alarm.props.get("metricName") == metric
        and alarm.get_nested("dimensions", "FunctionName") == name
    ]
    if not alarms:
        yield f"No alarm watches the metric {metric} of the function."
    elif aliases and not any(alarm.get_nested("dimensions", "Resource") in aliases for alarm in alarms):
        yield (
            f"The alarm on {metric} has no dimension Resource with {', '.join(sorted(aliases))}, so it "
            "gets no data of the alias."
        )


@POLICIES.resource_in_stack(
    "function-errors-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="Every function has an alarm on errors of its alias.",
    remedy="Use the function block (components/blocks/compute/function.py), which creates the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _check_function_errors_watched(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    yield from _find_missing_alarm(function, stack, "Errors")


@POLICIES.resource_in_stack(
    "function-throttles-watched",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every function has an alarm on throttles of its alias.",
    remedy="Use the function block, which creates the alarm.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _check_function_throttles_watched(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    yield from _find_missing_alarm(function, stack, "Throttles")


@POLICIES.resource(
    "function-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every function has X-Ray tracing.",
    remedy="Set tracingConfig.mode to Active.",
    frameworks=("AWS Security Hub Lambda.7",),
    types={FUNCTION},
)
def _check_function_traced(function: CheckedResource) -> Iterator[str]:
    mode = function.get_nested("tracingConfig", "mode")
    if mode != "Active":
        yield f"tracingConfig.mode is {mode or 'not set'} instead of Active."


@POLICIES.resource(
    "function-logs-json",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every function writes JSON logs.",
    remedy="Set loggingConfig.logFormat to JSON.",
    types={FUNCTION},
)
def _check_function_logs_json(function: CheckedResource) -> Iterator[str]:
    log_format = function.get_nested("loggingConfig", "logFormat") or "Text"
    if log_format != "JSON":
        yield f"loggingConfig.logFormat is {log_format} instead of JSON, so logs cannot be searched by field."


@POLICIES.resource_in_stack(
    "api-function-answers-in-time",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description=f"The timeout of a function behind API Gateway is at most {GATEWAY_SECONDS} seconds.",
    remedy="Lower timeoutSeconds, and move longer work to an asynchronous worker.",
    types={FUNCTION},
)
def _check_api_function_answers_in_time(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout = float(function.props.get("timeout", 3))
    if timeout > GATEWAY_SECONDS and GATEWAY in find_calling_services(function, stack):
        yield f"timeout is {timeout:g} seconds, but API Gateway stops waiting after {GATEWAY_SECONDS}."


@POLICIES.resource(
    "function-publishes-versions",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every deployment of a function publishes a version, to which an alias can be rolled back.",
    remedy="Set publish to true.",
    types={FUNCTION},
)
def _check_function_publishes_versions(function: CheckedResource) -> Iterator[str]:
    if not function.props.get("publish"):
        yield "publish is not true, so there is no version for a rollback."

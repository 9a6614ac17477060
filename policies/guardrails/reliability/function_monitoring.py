"""Functions are watched and traced, and answer before whoever called them has given up."""

from collections.abc import Iterator

from guardrails.model.related_resources import find_calling_services, refers_to_function
from guardrails.model.resource_types import ALARM, FUNCTION, FUNCTION_ALIAS
from guardrails.pack.policy_kinds import (
    ADVISORY_IN_DEV,
    MANDATORY_EVERYWHERE,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicyLimit,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.RELIABILITY)

GATEWAY = "apigateway.amazonaws.com"


def _watched(function: CheckedResource, stack: CheckedStack, metric: str) -> Iterator[str]:
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
        yield f"No alarm watches its {metric.lower()}."
    elif aliases and not any(alarm.get_nested("dimensions", "Resource") in aliases for alarm in alarms):
        yield (
            f"Its alarm on {metric.lower()} lacks the dimension Resource of "
            f"{', '.join(sorted(aliases))}: it sees no data."
        )


@POLICIES.relation(
    "function-errors-watched",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="An alarm watches the errors of every function, at its alias.",
    remedy="Use the function block, which brings it.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _check_function_errors_watched(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    yield from _watched(function, stack, "Errors")


@POLICIES.relation(
    "function-throttles-watched",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="An alarm watches the throttles of every function, at its alias.",
    remedy="Use the function block, which brings it.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _check_function_throttles_watched(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    yield from _watched(function, stack, "Throttles")


@POLICIES.resource(
    "function-traced",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every function is traced by X-Ray.",
    remedy="Set tracingConfig.mode Active.",
    frameworks=("AWS Security Hub Lambda.7",),
    types={FUNCTION},
)
def _check_function_traced(function: CheckedResource) -> Iterator[str]:
    if function.get_nested("tracingConfig", "mode") != "Active":
        yield f"Its tracing is {function.get_nested('tracingConfig', 'mode') or 'off'}."


@POLICIES.resource(
    "function-logs-json",
    severity=PolicySeverity.LOW,
    levels=ADVISORY_IN_DEV,
    description="Every function writes JSON logs.",
    remedy="Set loggingConfig.logFormat JSON.",
    types={FUNCTION},
)
def _check_function_logs_json(function: CheckedResource) -> Iterator[str]:
    if function.get_nested("loggingConfig", "logFormat") != "JSON":
        yield (
            f"Its log format is {function.get_nested('loggingConfig', 'logFormat') or 'Text'}: nobody "
            "can search it by field."
        )


@POLICIES.relation(
    "api-function-answers-in-time",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_EVERYWHERE,
    description="A function behind API Gateway answers before the gateway gives up.",
    remedy="Lower timeoutSeconds, and do what takes longer in an asynchronous worker.",
    limits=(PolicyLimit("seconds", 29, "API Gateway's integration timeout."),),
    types={FUNCTION},
)
def _check_api_function_answers_in_time(function: CheckedResource, stack: CheckedStack) -> Iterator[str]:
    timeout, most = float(function.props.get("timeout", 3)), stack.limits["seconds"]
    if timeout > most and GATEWAY in find_calling_services(function, stack):
        yield f"It may take {timeout:g} seconds, but API Gateway gives up after {most:g}."


@POLICIES.resource(
    "function-publishes-versions",
    severity=PolicySeverity.MEDIUM,
    levels=MANDATORY_EVERYWHERE,
    description="Every deployment of a function is a version that an alias can go back to.",
    remedy="Set publish.",
    types={FUNCTION},
)
def _check_function_publishes_versions(function: CheckedResource) -> Iterator[str]:
    if not function.props.get("publish"):
        yield "It publishes no version: there is nothing to go back to."

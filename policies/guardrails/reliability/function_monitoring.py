"""Functions are watched and traced, and answer before whoever called them has given up."""

from collections.abc import Iterator

from guardrails.model.related_resources import callers, concerns
from guardrails.model.resource_types import ALARM, FUNCTION, FUNCTION_ALIAS
from guardrails.pack.policy_kinds import ALWAYS, NOT_IN_DEV, Group, Judged, Limit, PolicySet, Severity, Stack

POLICIES = PolicySet(Group.RELIABILITY)

GATEWAY = "apigateway.amazonaws.com"


def _watched(function: Judged, stack: Stack, metric: str) -> Iterator[str]:
    name = function.props.get("name")
    aliases = {f"{name}:{one.props.get('name')}" for one in stack.of(FUNCTION_ALIAS) if concerns(one, function)}
    alarms = [
        one
        for one in stack.of(ALARM)
        if one.props.get("namespace") == "AWS/Lambda"
        and one.props.get("metricName") == metric
        and one.at("dimensions", "FunctionName") == name
    ]
    if not alarms:
        yield f"No alarm watches its {metric.lower()}."
    elif aliases and not any(one.at("dimensions", "Resource") in aliases for one in alarms):
        yield f"Its alarm on {metric.lower()} lacks the dimension Resource of {', '.join(sorted(aliases))}: it sees no data."


@POLICIES.relation(
    "function-errors-watched",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="An alarm watches the errors of every function, at its alias.",
    remedy="Use the function block, which brings it.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _errors_unwatched(function: Judged, stack: Stack) -> Iterator[str]:
    yield from _watched(function, stack, "Errors")


@POLICIES.relation(
    "function-throttles-watched",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="An alarm watches the throttles of every function, at its alias.",
    remedy="Use the function block, which brings it.",
    frameworks=("AWS Well-Architected REL06-BP03",),
    types={FUNCTION},
)
def _throttles_unwatched(function: Judged, stack: Stack) -> Iterator[str]:
    yield from _watched(function, stack, "Throttles")


@POLICIES.resource(
    "function-traced",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Every function is traced by X-Ray.",
    remedy="Set tracingConfig.mode Active.",
    frameworks=("AWS Security Hub Lambda.7",),
    types={FUNCTION},
)
def _untraced(one: Judged) -> Iterator[str]:
    if one.at("tracingConfig", "mode") != "Active":
        yield f"Its tracing is {one.at('tracingConfig', 'mode') or 'off'}."


@POLICIES.resource(
    "function-logs-json",
    severity=Severity.LOW,
    levels=NOT_IN_DEV,
    description="Every function writes JSON logs.",
    remedy="Set loggingConfig.logFormat JSON.",
    types={FUNCTION},
)
def _plain_logs(one: Judged) -> Iterator[str]:
    if one.at("loggingConfig", "logFormat") != "JSON":
        yield f"Its log format is {one.at('loggingConfig', 'logFormat') or 'Text'}: nobody can search it by field."


@POLICIES.relation(
    "api-function-answers-in-time",
    severity=Severity.HIGH,
    levels=ALWAYS,
    description="A function behind API Gateway answers before the gateway gives up.",
    remedy="Lower timeoutSeconds, and do what takes longer in an asynchronous worker.",
    limits=(Limit("seconds", 29, "API Gateway's integration timeout."),),
    types={FUNCTION},
)
def _late(function: Judged, stack: Stack) -> Iterator[str]:
    timeout, most = float(function.props.get("timeout", 3)), stack.limits["seconds"]
    if timeout > most and GATEWAY in callers(function, stack):
        yield f"It may take {timeout:g} seconds, but API Gateway gives up after {most:g}."


@POLICIES.resource(
    "function-publishes-versions",
    severity=Severity.MEDIUM,
    levels=ALWAYS,
    description="Every deployment of a function is a version that an alias can go back to.",
    remedy="Set publish.",
    types={FUNCTION},
)
def _nameless_version(one: Judged) -> Iterator[str]:
    if not one.props.get("publish"):
        yield "It publishes no version: there is nothing to go back to."

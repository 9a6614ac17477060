"""Policies about exposed data: browser access from any origin, and requests, events or workflow data in logs."""

from collections.abc import Iterator
from typing import Any

from guardrails.model.resource_types import (
    API_V2,
    API_V2_STAGE,
    BUCKET_CORS,
    BUCKETS,
    FUNCTION,
    REST_METHOD_SETTINGS,
    WORKFLOW,
)
from guardrails.model.subsystem_names import to_settings_section
from guardrails.pack.policy_kinds import (
    DISABLED_IN_DEV,
    MANDATORY_IN_PROD,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

BODY_LOGGING_VARIABLES = {"POWERTOOLS_LOGGER_LOG_EVENT": "true", "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "true"}


@POLICIES.resource(
    "cors-origin-named",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, browsers may use buckets and APIs only from named origins.",
    remedy="Use the origin of the console, for example https://console.example.com.",
    types=BUCKETS | {BUCKET_CORS, FUNCTION, API_V2},
)
def _check_cors_origin_named(resource: CheckedResource) -> Iterator[str]:
    for origin in _list_origins(resource):
        if "*" in str(origin):
            yield (
                f"The allowed origin is {origin}. Set "
                f"polyphony:{to_settings_section(resource.name)}.corsOrigin to one origin without a wildcard."
            )


def _list_origins(resource: CheckedResource) -> Iterator[Any]:
    match resource.type:
        case t if t == BUCKET_CORS or t in BUCKETS:
            for rule in resource.props.get("corsRules") or ():
                yield from rule.get("allowedOrigins") or ()
        case t if t == API_V2:
            yield from resource.get_nested("corsConfiguration", "allowOrigins") or ()
        case _:
            variables = resource.get_nested("environment", "variables") or {}
            yield from (variables[name] for name in ("ORIGIN", "CORS_ORIGIN") if name in list(variables))


@POLICIES.resource(
    "api-traces-no-bodies",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, no API stage logs request or response bodies.",
    remedy="Set dataTraceEnabled to false.",
    types={REST_METHOD_SETTINGS, API_V2_STAGE},
)
def _check_api_traces_no_bodies(resource: CheckedResource) -> Iterator[str]:
    settings = (
        resource.props.get("settings")
        if resource.type == REST_METHOD_SETTINGS
        else resource.props.get("defaultRouteSettings")
    )
    if (settings or {}).get("dataTraceEnabled"):
        yield "dataTraceEnabled is true, so the stage logs request and response bodies."


@POLICIES.resource(
    "function-logs-no-events",
    severity=PolicySeverity.HIGH,
    levels=DISABLED_IN_DEV,
    description="No function logs its events or traces its responses.",
    remedy="Remove the environment variable.",
    types={FUNCTION},
)
def _check_function_logs_no_events(function: CheckedResource) -> Iterator[str]:
    variables = function.get_nested("environment", "variables") or {}
    for name, value in BODY_LOGGING_VARIABLES.items():
        if name in list(variables) and str(variables[name]).lower() in {value, "1"}:
            yield f"The environment variable {name} is {variables[name]}, so events or responses are logged or traced."


@POLICIES.resource(
    "workflow-logs-no-data",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, no workflow logs the input and output of its states.",
    remedy="Set loggingConfiguration.includeExecutionData to false.",
    types={WORKFLOW},
)
def _check_workflow_logs_no_data(workflow: CheckedResource) -> Iterator[str]:
    if workflow.get_nested("loggingConfiguration", "includeExecutionData"):
        yield "loggingConfiguration.includeExecutionData is true, so every state's input and output is logged."

"""Guardrail policies that keep data from foreign web pages and from logs: named CORS origins, and no request bodies,
events or workflow data in logs.
"""

from collections.abc import Iterator

from guardrails.model.nested_values import list_values
from guardrails.model.resource_types import (
    API_V2,
    API_V2_STAGE,
    BUCKET_CORS,
    BUCKETS,
    FUNCTION,
    FUNCTION_URL,
    REST_API,
    REST_INTEGRATION_RESPONSE,
    REST_METHOD_SETTINGS,
    REST_RESPONSE,
    WORKFLOW,
)
from guardrails.model.subsystem_of_resource import to_settings_section
from guardrails.pack.policy_kinds import (
    DISABLED_IN_DEV,
    MANDATORY_IN_PROD,
    CheckedResource,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

BODY_LOGGING_VARIABLES = ("POWERTOOLS_LOGGER_LOG_EVENT", "POWERTOOLS_TRACER_CAPTURE_RESPONSE")
"""Variables of Powertools for AWS Lambda. With `true` or `1`, events are logged or responses are traced."""
ORIGIN_VARIABLES = ("ORIGIN", "CORS_ORIGIN")
"""Environment variables from which this program's functions take the allowed origin."""
ORIGIN_LISTS = frozenset({"alloworigins", "allowedorigins"})
"""Keys of lists of allowed origins, in lower case."""
ORIGIN_HEADER = "header.access-control-allow-origin"
"""Suffix, in lower case, of the keys with which API Gateway sets the CORS response header."""


@POLICIES.resource(
    "cors-origin-named",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, browsers may use buckets and APIs only from named origins with HTTPS.",
    remedy="Use the origin of the console, Polyphony's web page, for example https://console.example.com.",
    types=BUCKETS | {API_V2, BUCKET_CORS, FUNCTION, FUNCTION_URL, REST_API, REST_INTEGRATION_RESPONSE, REST_RESPONSE},
)
def _check_cors_origin_named(resource: CheckedResource) -> Iterator[str]:
    for origin in sorted({origin.strip().strip("'\"") for origin in _list_origins(resource)}):
        if not _is_named(origin):
            section = to_settings_section(resource.name)
            yield f"The allowed origin is {origin}. Set an https origin without a wildcard in polyphony:{section}."


def _is_named(origin: str) -> bool:
    """Return True for an origin with HTTPS and without wildcards, and for an empty one, which allows no page.

    The origin `null` is refused, because any web page can have it, for example in a sandboxed frame. An origin without
    HTTPS is refused, because others in the network can change its pages.
    """
    return not origin or (origin.startswith("https://") and "*" not in origin)


def _list_origins(resource: CheckedResource) -> Iterator[str]:
    """Yield the allowed origins: items of lists of origins, values of response headers, environment variables."""
    for nested in list_values(resource.props):
        if not isinstance(nested.value, str) or not nested.name:
            continue
        if resource.type == FUNCTION:
            if nested.name in ORIGIN_VARIABLES and nested.path.startswith("environment."):
                yield nested.value
        elif nested.name.lower() in ORIGIN_LISTS or nested.name.lower().endswith(ORIGIN_HEADER):
            yield nested.value


@POLICIES.resource(
    "api-traces-no-bodies",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, no API stage logs request or response bodies.",
    remedy="Set dataTraceEnabled to false.",
    types={REST_METHOD_SETTINGS, API_V2_STAGE},
)
def _check_api_traces_no_bodies(resource: CheckedResource) -> Iterator[str]:
    key = "settings" if resource.type == REST_METHOD_SETTINGS else "defaultRouteSettings"
    if resource.get_nested(key, "dataTraceEnabled"):
        yield "dataTraceEnabled is true, so the stage logs request and response bodies."


@POLICIES.resource(
    "function-logs-no-events",
    severity=PolicySeverity.HIGH,
    levels=DISABLED_IN_DEV,
    description="No function logs its events or traces its responses.",
    remedy="Remove the environment variable that enables this.",
    types={FUNCTION},
)
def _check_function_logs_no_events(function: CheckedResource) -> Iterator[str]:
    variables = function.get_nested("environment", "variables") or {}
    for name in BODY_LOGGING_VARIABLES:
        if name in list(variables) and str(variables[name]).lower() in {"true", "1"}:
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

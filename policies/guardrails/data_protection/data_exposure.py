"""What shows data to others: browsers of any origin, logs that hold bodies, calls that nobody has to sign."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from pulumi_policy.proxy import UnknownValueError

from guardrails.model.resource_types import (
    API_V2,
    API_V2_ROUTE,
    API_V2_STAGE,
    BUCKET_CORS,
    BUCKETS,
    FUNCTION,
    REST_API,
    REST_METHOD,
    REST_METHOD_SETTINGS,
    WORKFLOW,
)
from guardrails.model.subsystem_names import settings_section
from guardrails.pack.policy_kinds import (
    DISABLED_IN_DEV,
    MANDATORY_IN_PROD,
    CheckedResource,
    CheckedStack,
    PolicyGroup,
    PolicySet,
    PolicySeverity,
)

POLICIES = PolicySet(PolicyGroup.DATA_PROTECTION)

ANY = "x-amazon-apigateway-any-method"
VERBS = frozenset({"get", "put", "post", "delete", "patch", "head", ANY})
CHECKED_BY = "CallersCheckedBy"
"""The tag of an API that asks for nothing itself: of a WebSocket API because a browser can set no header, of a REST API that
exchanges tokens. It says what checks callers instead."""
BODIES = {"POWERTOOLS_LOGGER_LOG_EVENT": "true", "POWERTOOLS_TRACER_CAPTURE_RESPONSE": "true"}


@POLICIES.resource(
    "cors-origin-named",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, only pages of named origins may use buckets and APIs from a browser.",
    remedy="The setting takes one origin, as https://console.example.com.",
    types=BUCKETS | {BUCKET_CORS, FUNCTION, API_V2},
)
def _check_cors_origin_named(resource: CheckedResource) -> Iterator[str]:
    for origin in _origins(resource):
        if "*" in str(origin):
            yield (
                f"It answers pages of the origin {origin}: set "
                f"polyphony:{settings_section(resource.name)}.corsOrigin to the console's."
            )


def _origins(resource: CheckedResource) -> Iterator[Any]:
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
    description="In prod, no API stage logs bodies.",
    remedy="Switch data tracing off.",
    types={REST_METHOD_SETTINGS, API_V2_STAGE},
)
def _check_api_traces_no_bodies(resource: CheckedResource) -> Iterator[str]:
    settings = (
        resource.props.get("settings")
        if resource.type == REST_METHOD_SETTINGS
        else resource.props.get("defaultRouteSettings")
    )
    if (settings or {}).get("dataTraceEnabled"):
        yield "It logs the bodies of requests and answers (dataTraceEnabled)."


@POLICIES.resource(
    "function-logs-no-events",
    severity=PolicySeverity.HIGH,
    levels=DISABLED_IN_DEV,
    description="No function logs or traces the events it is given.",
    remedy="Take the variable away.",
    types={FUNCTION},
)
def _check_function_logs_no_events(function: CheckedResource) -> Iterator[str]:
    variables = function.get_nested("environment", "variables") or {}
    for name, value in BODIES.items():
        if name in list(variables) and str(variables[name]).lower() in {value, "1"}:
            yield f"{name} is {variables[name]}: what it is given or answers ends in its log."


@POLICIES.resource(
    "workflow-logs-no-data",
    severity=PolicySeverity.HIGH,
    levels=MANDATORY_IN_PROD,
    description="In prod, no workflow logs what its states are given.",
    remedy="Set includeExecutionData to false.",
    types={WORKFLOW},
)
def _check_workflow_logs_no_data(workflow: CheckedResource) -> Iterator[str]:
    if workflow.get_nested("loggingConfiguration", "includeExecutionData"):
        yield "It logs the input and output of every state (includeExecutionData)."


@POLICIES.relation(
    "api-asks-who-calls",
    severity=PolicySeverity.CRITICAL,
    levels=DISABLED_IN_DEV,
    description="Outside dev and local, every method, route and connection is authorized.",
    remedy=f"Set an authorizer, or say by the API's tag {CHECKED_BY} what does it (auth: none is for dev and local).",
    frameworks=("AWS FSBP APIGateway.8",),
    types={REST_API, REST_METHOD, API_V2, API_V2_ROUTE},
)
def _check_api_asks_who_calls(resource: CheckedResource, _stack: CheckedStack) -> Iterator[str]:
    if resource.type == REST_METHOD:
        if resource.props.get("httpMethod") != "OPTIONS" and _unauthorized(resource):
            yield f"{resource.props.get('httpMethod')} asks for no authorization."
    elif resource.type == API_V2_ROUTE:
        yield from _open_route(resource)
    elif not resource.has_reason(CHECKED_BY):
        if _is_made_quickly(resource):
            yield "Everybody may call its target: the route that comes with it asks for no authorization."
        yield from _open_operations(resource)


def _open_route(route: CheckedResource) -> Iterator[str]:
    """A WebSocket's callers are asked when they connect, an HTTP API's by each route but a browser's own question."""
    key, apis = str(route.props.get("routeKey")), route.references.get("apiId", ())
    if route.props.get("authorizationType", "NONE") != "NONE" or any(api.has_reason(CHECKED_BY) for api in apis):
        return
    of_http = " " in key or any(api.props.get("protocolType") == "HTTP" for api in apis)
    if key == "$connect":
        yield (
            f"Everybody may $connect: its authorizationType is NONE, and no tag {CHECKED_BY} says what checks callers."
        )
    elif of_http and not key.startswith("OPTIONS "):
        yield f"{key} asks for no authorization."


def _is_made_quickly(api: CheckedResource) -> bool:
    """Whether an API brings a route to a target of its own."""
    try:
        return bool(api.props.get("target"))
    except UnknownValueError:
        return True


def _unauthorized(resource: CheckedResource) -> bool:
    return resource.props.get("authorization", "NONE") == "NONE" and not resource.props.get("apiKeyRequired")


def _open_operations(resource: CheckedResource) -> Iterator[str]:
    """Operations of an OpenAPI document without security: API Gateway reads none that is for the whole document."""
    body = resource.props.get("body")
    try:
        document = json.loads(body) if body else {}
    except json.JSONDecodeError:
        yield "Its document cannot be judged: give it as JSON."
        return
    for path, operations in document.get("paths", {}).items():
        for verb, operation in operations.items():
            if verb in VERBS and not _is_secured(operation) and not (verb == ANY and _refuses(operation)):
                yield f"{'ANY' if verb == ANY else verb.upper()} {path} asks for no authorization."


def _is_secured(operation: Mapping[str, Any]) -> bool:
    """Whether each of the ways to call an operation asks for something: `{}` is a way that asks for nothing."""
    ways = list(operation.get("security") or ())
    return ways != [] and all(ways)


def _refuses(operation: Mapping[str, Any]) -> bool:
    """Whether nothing stands behind an operation: it answers by itself whatever comes."""
    return bool(operation.get("x-amazon-apigateway-integration", {}).get("type") == "mock")

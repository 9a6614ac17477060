"""Stage of a REST API with its throttling, access and execution logs, and alarms.

The logs contain no body, header, query string or full path of a request, because these may contain tokens or personal
data. A path is logged as in the API's OpenAPI document, with the names of its parameters instead of their values.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigateway

from components.blocks.api.stage_throttle_and_logs import Throttle, create_log_groups
from components.blocks.block import Block
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity

ACCESS_LOG_PREFIX = "/aws/apigateway"
"""Prefix of the log groups for access logs: `…/<API name>`."""
EXECUTION_LOG_PREFIX = "API-Gateway-Execution-Logs_"
"""Prefix of the log groups in which API Gateway writes execution logs of REST APIs: `…<api id>/<stage>`."""
ACCESS_LOG_FIELDS = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "method": "$context.httpMethod",
    "resourcePath": "$context.resourcePath",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "latency": "$context.responseLatency",
    "responseLength": "$context.responseLength",
    "integrationStatus": "$context.integration.status",
    "integrationError": "$context.integration.error",
    "integrationLatency": "$context.integration.latency",
    "authorizerStatus": "$context.authorizer.status",
    "traceId": "$context.xrayTraceId",
}
STAGE = "api"
"""Name of the only stage of each REST API."""
RUNBOOK = "apis"
"""File name of the alarms' runbook below `docs/runbooks/`, without suffix."""
SLOW_PERIODS = 3
"""Successive periods of five minutes that must be slow. A single slow response among few requests raises no alarm."""


@dataclass(frozen=True)
class RestAlarms:
    """Thresholds of a stage's alarms."""

    client_errors_above: int
    """An alarm is raised if there are more responses than this with a status of 400 to 499 in five minutes."""
    latency_above_ms: int
    """95th percentile of the latency that three successive periods of five minutes must exceed."""


def create_rest_stage(
    api: Block,
    *,
    api_id: pulumi.Input[str],
    api_name: str,
    display_name: str,
    deployment_id: pulumi.Input[str],
    throttle: Throttle,
    alarms: RestAlarms,
    after: Sequence[pulumi.Resource],
) -> apigateway.Stage:
    """Create the stage as a part of its API, with its logs and alarms, after the resources in `after`."""
    access_log = f"{ACCESS_LOG_PREFIX}/{api_name}"
    execution_log = pulumi.Output.concat(EXECUTION_LOG_PREFIX, api_id, f"/{STAGE}")
    groups = create_log_groups(api, display_name, access_log, execution_log)
    stage = apigateway.Stage(
        api.part_name("stage"),
        rest_api=api_id,
        stage_name=STAGE,
        deployment=deployment_id,
        access_log_settings={
            "destination_arn": api.scope.context.arn("logs", f"log-group:{access_log}"),
            "format": json.dumps(ACCESS_LOG_FIELDS),
        },
        xray_tracing_enabled=True,
        tags=api.scope.tags(display_name),
        opts=api.part_options(*groups, *after),
    )
    apigateway.MethodSettings(
        api.part_name("settings"),
        rest_api=api_id,
        stage_name=stage.stage_name,
        method_path="*/*",
        settings={
            "metrics_enabled": api.scope.foundation.logs.method_metrics,
            "logging_level": "ERROR",
            "data_trace_enabled": False,  # true would log bodies and tokens
            "throttling_rate_limit": throttle.rate,
            "throttling_burst_limit": throttle.burst,
        },
        opts=api.part_options(),
    )
    group = AlarmGroup(api.scope, RUNBOOK, api.part_options())
    dimensions: dict[str, pulumi.Input[str]] = {"ApiName": api_name, "Stage": STAGE}
    server_errors, client_errors = (Metric("AWS/ApiGateway", name, dimensions) for name in ("5XXError", "4XXError"))
    group.register(
        f"{api.short_name}-server-errors",
        server_errors,
        0,
        f"{display_name} has server errors.",
        severity=Severity.CRITICAL,
    )
    group.register(
        f"{api.short_name}-client-errors",
        client_errors,
        alarms.client_errors_above,
        f"{display_name} has many client errors.",
    )
    latency = Metric("AWS/ApiGateway", "Latency", dimensions, "p95")
    group.register(
        f"{api.short_name}-slow", latency, alarms.latency_above_ms, f"{display_name} is slow.", periods=SLOW_PERIODS
    )
    return stage

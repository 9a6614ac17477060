"""The stage of a REST API: how much it takes, what it logs, and when somebody is told.

Of a request nothing is logged that a client sent: paths are those of the document, with their parameters' names.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigateway

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.scope import Block
from components.blocks.stage_parts import stage_logs

ACCESS_LOGS = "/aws/apigateway"
EXECUTION_LOGS = "API-Gateway-Execution-Logs_"
"""Where API Gateway itself puts the execution logs of REST APIs, as `…<api id>/<stage>`."""
ACCESS_LOG = {
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
    "firewallStatus": "$context.waf.status",
    "traceId": "$context.xrayTraceId",
}
RUNBOOK = "rest-api-errors"
ALL_METHODS = "*/*"
MINUTE = 60
SLOW_PERIODS = 3
"""Five minutes each: one slow answer among few is no news."""


@dataclass(frozen=True)
class RestAlarms:
    """When somebody is told; none is not watched."""

    server_errors_above: int | None = 0
    """Answers with a status of 500 and above, in five minutes."""
    client_errors_above: int | None = 100
    """Answers with a status of 400 to 499, in five minutes."""
    latency_above_ms: int | None = 5_000
    """What 95 of 100 requests take at most, over a quarter of an hour."""


@dataclass(frozen=True)
class RestStageArgs:
    """One stage."""

    api_id: pulumi.Input[str]
    api_name: str
    name: str
    logical_name: str
    deployment_id: pulumi.Input[str]
    rate: float
    burst: int
    data_trace: bool
    alarms: RestAlarms


def open_rest_stage(api: Block, args: RestStageArgs, after: Sequence[pulumi.Resource]) -> apigateway.Stage:
    """The stage as a part of its API, made last of all, with its logs and alarms."""
    access_log = f"{ACCESS_LOGS}/{args.api_name}"
    execution_log = pulumi.Output.concat(EXECUTION_LOGS, args.api_id, f"/{args.name}")
    groups = stage_logs(api, args.logical_name, access_log, execution_log)
    stage = apigateway.Stage(
        api.part("stage"),
        rest_api=args.api_id,
        stage_name=args.name,
        deployment=args.deployment_id,
        access_log_settings=apigateway.StageAccessLogSettingsArgs(
            destination_arn=api.scope.context.arn("logs", f"log-group:{access_log}"), format=json.dumps(ACCESS_LOG)
        ),
        xray_tracing_enabled=True,
        tags=api.scope.tags(args.logical_name),
        opts=api.inside(*groups, *after),
    )
    apigateway.MethodSettings(
        api.part("settings"),
        rest_api=args.api_id,
        stage_name=stage.stage_name,
        method_path=ALL_METHODS,
        settings=apigateway.MethodSettingsSettingsArgs(
            metrics_enabled=api.scope.foundation.logs.method_metrics,
            logging_level="ERROR",
            data_trace_enabled=args.data_trace,
            throttling_rate_limit=args.rate,
            throttling_burst_limit=args.burst,
        ),
        opts=api.inside(),
    )
    _watch(api, args)
    return stage


def _watch(api: Block, args: RestStageArgs) -> None:
    dimensions: dict[str, pulumi.Input[str]] = {"ApiName": args.api_name, "Stage": args.name}
    alarms, says = args.alarms, args.logical_name

    def watch(part: str, metric: Metric, severity: Severity, above: float | None, what: str, periods: int = 1) -> None:
        if above is not None:
            alarm(
                f"{api.label.removeprefix(f'{api.scope.subsystem}-')}-{part}",
                AlarmArgs(api.scope, metric, severity, above, f"{says} {what}.", RUNBOOK, periods=periods),
                api.inside(),
            )

    gateway = "AWS/ApiGateway"
    server, client = Metric(gateway, "5XXError", dimensions), Metric(gateway, "4XXError", dimensions)
    slow = Metric(gateway, "Latency", dimensions, "p95", 5 * MINUTE)
    watch("server-errors", server, Severity.CRITICAL, alarms.server_errors_above, "fails")
    watch("client-errors", client, Severity.WARNING, alarms.client_errors_above, "refuses many requests")
    watch("slow", slow, Severity.WARNING, alarms.latency_above_ms, "is slow", SLOW_PERIODS)

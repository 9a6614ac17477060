"""The stage of a WebSocket API: how much it takes, what it logs, and when somebody is told.

Of a connection nothing is logged that a client sent: a token may be in a body, a header or the query string alike.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.alarm import AlarmArgs, Metric, Severity, alarm
from components.blocks.scope import Block
from components.blocks.stage_parts import stage_logs

LOGS = "/aws/apigateway"
"""Where API Gateway itself puts the execution logs of WebSocket APIs, as `<api id>/<stage>`."""
ACCESS_LOG = {
    "requestId": "$context.requestId",
    "time": "$context.requestTimeEpoch",
    "eventType": "$context.eventType",
    "routeKey": "$context.routeKey",
    "connectionId": "$context.connectionId",
    "status": "$context.status",
    "error": "$context.error.responseType",
    "integrationStatus": "$context.integration.status",
    "integrationError": "$context.integration.error",
    "integrationLatency": "$context.integration.latency",
}
ALARMS = {
    "execution": (Severity.CRITICAL, "cannot call its functions"),
    "integration": (Severity.CRITICAL, "has functions that answer with errors"),
    "client": (Severity.WARNING, "refuses requests"),
}
"""Kind of error, as CloudWatch's metrics have it → how bad it is, and what it means."""


@dataclass(frozen=True)
class StageArgs:
    """One stage."""

    api_id: pulumi.Input[str]
    api_name: str
    name: str
    logical_name: str
    deployment_id: pulumi.Input[str]
    rate: float
    burst: int
    errors_above: Mapping[str, int | None]
    """By kind of error; none is not watched."""


def open_stage(api: Block, args: StageArgs, after: Sequence[pulumi.Resource]) -> apigatewayv2.Stage:
    """The stage as a part of its API, made last of all, with its logs and alarms."""
    context = api.scope.context
    access_log = f"{LOGS}/{args.api_name}"
    execution_log = pulumi.Output.concat(f"{LOGS}/", args.api_id, f"/{args.name}")
    groups = stage_logs(api, args.logical_name, access_log, execution_log)
    stage = apigatewayv2.Stage(
        api.part("stage"),
        api_id=args.api_id,
        name=args.name,
        deployment_id=args.deployment_id,
        access_log_settings=apigatewayv2.StageAccessLogSettingsArgs(
            destination_arn=context.arn("logs", f"log-group:{access_log}"), format=json.dumps(ACCESS_LOG)
        ),
        default_route_settings=apigatewayv2.StageDefaultRouteSettingsArgs(
            throttling_rate_limit=args.rate,
            throttling_burst_limit=args.burst,
            # Those of the whole API come by themselves; those by route are five a route, each paid for.
            detailed_metrics_enabled=False,
            logging_level="ERROR",
            data_trace_enabled=False,
        ),
        tags=api.scope.tags(args.logical_name),
        opts=api.inside(*groups, *after),
    )
    _watch(api, args)
    return stage


def _watch(api: Block, args: StageArgs) -> None:
    what = api.label.removeprefix(f"{api.scope.subsystem}-")
    for kind, (severity, says) in ALARMS.items():
        threshold = args.errors_above[kind]
        if threshold is None:
            continue
        alarm(
            f"{what}-{kind}-errors",
            AlarmArgs(
                scope=api.scope,
                metric=Metric(
                    "AWS/ApiGateway", f"{kind.capitalize()}Error", {"ApiId": args.api_id, "Stage": args.name}
                ),
                severity=severity,
                threshold=threshold,
                says=f"{args.logical_name} {says}.",
                runbook="websocket-errors",
            ),
            api.inside(),
        )

"""Stage of a WebSocket API with its throttling, access and execution logs, and alarms.

The logs contain no body, header or query string of a request, because each of them may contain a token.
"""

import json
from collections.abc import Sequence

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.api.stage_throttle_and_logs import Throttle, create_log_groups
from components.blocks.block import Block
from components.blocks.monitoring.alarm import AlarmGroup, Metric, Severity

LOGS = "/aws/apigateway"
"""Prefix of both log groups. We name the group for access logs `…/<API name>`; API Gateway names the group for
execution logs of WebSocket APIs `…/<API id>/<stage>`."""
ACCESS_LOG_FIELDS = {
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
    "execution": (Severity.CRITICAL, 0, "cannot call its functions"),
    # CloudWatch also counts each connection that the function refuses with a status of 400 or above.
    "integration": (Severity.CRITICAL, 50, "gets many errors from its functions"),
    "client": (Severity.WARNING, 50, "has many client errors"),
}
"""Start of the name of CloudWatch's error metric → severity of its alarm, threshold in errors per five minutes, and
problem that the alarm reports."""


def create_websocket_stage(
    api: Block,
    *,
    api_id: pulumi.Input[str],
    api_name: str,
    name: str,
    display_name: str,
    deployment_id: pulumi.Input[str],
    throttle: Throttle,
    after: Sequence[pulumi.Resource],
) -> None:
    """Create the stage as a part of its API, with its logs and alarms, after the resources in `after`."""
    access_log = f"{LOGS}/{api_name}"
    execution_log = pulumi.Output.concat(f"{LOGS}/", api_id, f"/{name}")
    groups = create_log_groups(api, display_name, access_log, execution_log)
    apigatewayv2.Stage(
        api.part_name("stage"),
        api_id=api_id,
        name=name,
        deployment_id=deployment_id,
        access_log_settings={
            "destination_arn": api.scope.context.arn("logs", f"log-group:{access_log}"),
            "format": json.dumps(ACCESS_LOG_FIELDS),
        },
        default_route_settings={
            "throttling_rate_limit": throttle.rate,
            "throttling_burst_limit": throttle.burst,
            # API Gateway always records metrics of the whole API. Detailed metrics are five paid metrics for each
            # route.
            "detailed_metrics_enabled": False,
            "logging_level": "ERROR",
            "data_trace_enabled": False,
        },
        tags=api.scope.tags(display_name),
        opts=api.part_options(*groups, *after),
    )
    group = AlarmGroup(api.scope, "apis", api.part_options())
    for kind, (severity, threshold, problem) in ALARMS.items():
        metric = Metric("AWS/ApiGateway", f"{kind.capitalize()}Error", {"ApiId": api_id, "Stage": name})
        group.register(
            f"{api.short_name}-{kind}-errors", metric, threshold, f"{display_name} {problem}.", severity=severity
        )

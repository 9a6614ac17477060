"""WebSocket API on API Gateway with one stage, whose routes one function handles.

The function needs the API's URL in its environment, and the routes need the function. So the API is created first, then
the function, and `serve` adds the routes and the stage. The client URL and the callback URL are needed before the stage
exists, so they are built from the API's endpoint and the stage's name.

Every message of a client reaches the function through the route `$default`, whose response is the function's result.
The function itself reads the message's action, so no action needs a route. The subsystem decides who may connect. There
are three cases: API Gateway checks an IAM signature, the function behind `$connect` checks the caller (`checked_by` then
names that check), or every client may connect.

The logs contain no body, header or query string of a request, because each of them may contain a token.
"""

import hashlib
import json
from collections.abc import Sequence

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.function import Function
from components.blocks.iam import Grant, grant
from components.blocks.openapi import lambda_uri
from components.core import CHECKED_BY_TAG, Block, Kind, Scope

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
"""Routes that API Gateway defines, in this order: a connection was opened, a connection was closed, a message has no
route of its own."""
CALLBACK_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
"""Environment variable from which the AWS SDK reads the URL for posting to connections
(`WebSocketApi.callback_url`)."""
LOGS = "/aws/apigateway"
"""Prefix of both log groups. This block names the group for access logs `…/<API name>`. API Gateway names the group for
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


class WebSocketApi(Block):
    """WebSocket API; `serve` adds its routes and its stage."""

    url: pulumi.Output[str]
    """URL that clients connect to: `wss://…/stage`."""
    callback_url: pulumi.Output[str]
    """URL at which functions post messages to connections: `https://…/stage`."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        stage: str,
        requests_per_second: int,
        signed: bool = False,
        checked_by: str | None = None,
    ) -> None:
        """Create the API.

        - `stage` is the name of the stage, which is the last part of both URLs.
        - `requests_per_second` is the limit of all clients and routes together. A burst may have twice as many requests.
        - If `signed`, API Gateway accepts only clients that sign the request to connect with AWS credentials.
        - `checked_by` describes the check that authenticates callers, if API Gateway does not. The text becomes a tag of
          the API. In staging and prod, the guardrail policies require it of such an API, with at least 15 characters.
          None if API Gateway authenticates callers, or if every client may connect.
        """
        super().__init__("WebSocketApi", scope, short_name, display_name)
        self._stage, self._requests_per_second = stage, requests_per_second
        self._authorization = "AWS_IAM" if signed else "NONE"
        self.name = scope.name(Kind.WEBSOCKET_API, short_name)
        self.api = apigatewayv2.Api(
            self.part_name("api"),
            name=self.name,
            description=self.description,
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",  # API Gateway requires one, although no action has a route
            tags=scope.tags(display_name, {CHECKED_BY_TAG: checked_by}),
            opts=self.scope.options(),
        )
        self.url = pulumi.Output.concat(self.api.api_endpoint, "/", stage)
        # `wss` becomes `https`, and `ws` (on the local platform) becomes `http`.
        self.callback_url = self.url.apply(lambda url: f"http{url.removeprefix('ws')}")

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Dimensions of the API's own metrics, for alarms and dashboards of the subsystem."""
        return {"ApiId": self.api.id, "Stage": self._stage}

    def grant_post(self) -> Grant:
        """Grant sending messages to connected clients."""
        return grant("execute-api", ["ManageConnections"], self._arn("POST/@connections/*"))

    def grant_connect(self) -> Grant:
        """Grant connecting, for callers that sign the request."""
        return grant("execute-api", ["Invoke"], self._arn(CONNECT))

    def serve(self, function: Function) -> None:
        """Connect the routes with the function, and create the deployment, the stage and its alarms."""
        integration = self._create_integration(function)
        permission = function.allow_api_gateway(self.label, self._arn("*"))
        routes = self._create_routes(integration)
        # The deployment is a snapshot of the routes. Any change of them triggers a new deployment: the id of a part that is
        # replaced, or the function or the authorization, which can change without a new id.
        trigger_values = (function.live_arn, self._authorization, *(part.id for part in (integration, *routes)))
        deployment = apigatewayv2.Deployment(
            self.part_name("deployment"),
            api_id=self.api.id,
            triggers={"deployed": pulumi.Output.all(*trigger_values).apply(_digest)},
            opts=self.scope.options(after=[integration, *routes]),
        )
        self._create_stage(deployment, permission)
        for kind, (severity, threshold, problem) in ALARMS.items():
            create_alarm(
                self.scope,
                f"{self.short_name}-{kind}-errors",
                Metric("AWS/ApiGateway", f"{kind.capitalize()}Error", self.dimensions),
                threshold=threshold,
                problem=f"{self.display_name} {problem}.",
                runbook="apis",
                severity=severity,
            )
        self.register_outputs({"url": self.url, "callbackUrl": self.callback_url})

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """Return the ARN of a part of the stage, as IAM and Lambda check it."""
        return pulumi.Output.concat(
            self.scope.context.arn("execute-api", ""), self.api.id, f"/{self._stage}/{resource}"
        )

    def _create_stage(self, deployment: apigatewayv2.Deployment, permission: pulumi.Resource) -> None:
        access_log = f"{LOGS}/{self.name}"
        # API Gateway would otherwise create the group for execution logs itself and keep its lines for ever.
        execution_log = pulumi.Output.concat(f"{LOGS}/", self.api.id, f"/{self._stage}")
        groups = [
            self.create_log_group("access-logs", access_log),
            self.create_log_group("execution-logs", execution_log),
        ]
        apigatewayv2.Stage(
            self.part_name("stage"),
            api_id=self.api.id,
            name=self._stage,
            deployment_id=deployment.id,
            access_log_settings={
                "destination_arn": self.scope.context.arn("logs", f"log-group:{access_log}"),
                "format": json.dumps(ACCESS_LOG_FIELDS),
            },
            default_route_settings={
                "throttling_rate_limit": self._requests_per_second,
                "throttling_burst_limit": 2 * self._requests_per_second,
                # API Gateway always records metrics of the whole API. Detailed metrics are five paid metrics for each
                # route.
                "detailed_metrics_enabled": False,
                "logging_level": "ERROR",
                "data_trace_enabled": False,
            },
            tags=self.tags,
            opts=self.scope.options(after=[*groups, permission]),
        )

    def _create_integration(self, function: Function) -> apigatewayv2.Integration:
        context = self.scope.context
        return apigatewayv2.Integration(
            self.part_name(f"{function.short_name}-integration"),
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=lambda_uri(context.partition, context.region, function.live_arn),
            opts=self.scope.options(after=[function.live]),
        )

    def _create_routes(self, integration: apigatewayv2.Integration) -> list[pulumi.CustomResource]:
        """Create the routes, and the route response that lets the function's result reach the client."""
        routes = {
            route_key: apigatewayv2.Route(
                self.part_name(f"{route_key}-route"),
                api_id=self.api.id,
                route_key=route_key,
                authorization_type=self._authorization if route_key == CONNECT else "NONE",
                route_response_selection_expression=DEFAULT if route_key == DEFAULT else None,
                target=pulumi.Output.concat("integrations/", integration.id),
                opts=self.scope.options(),
            )
            for route_key in (CONNECT, DISCONNECT, DEFAULT)
        }
        response = apigatewayv2.RouteResponse(
            self.part_name(f"{DEFAULT}-response"),
            api_id=self.api.id,
            route_id=routes[DEFAULT].id,
            route_response_key=DEFAULT,
            opts=self.scope.options(),
        )
        return [*routes.values(), response]


def _digest(trigger_values: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(trigger_values).encode()).hexdigest()

"""WebSocket API on API Gateway with one stage, whose routes one function handles.

The function needs the API's URL in its environment, and the routes need the function. So the API is created first, then
the function, and `serve` adds the routes and the stage. The client URL and the callback URL are needed before the stage
exists, so they are built from the API's endpoint and the stage's name.

Every route except `$connect` and `$disconnect` sends the function's result back to the client. The subsystem decides
who may connect. There are three cases: API Gateway checks an IAM signature, the function behind `$connect` checks the
caller (`checked_by` then names that check), or every client may connect.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.api.gateway_import_document import lambda_uri
from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.api.websocket_stage import create_websocket_stage
from components.blocks.block import Block
from components.blocks.compute.function import Function
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import CHECKED_BY_TAG, Scope

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
"""Routes that API Gateway defines, in this order: a connection was opened, a connection was closed, a message has no
route of its own."""
PREDEFINED_ROUTES = (CONNECT, DISCONNECT, DEFAULT)
CALLBACK_ENDPOINT_VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
"""Environment variable from which the AWS SDK reads the URL for posting to connections
(`WebSocketApi.callback_url`)."""


def message_actions(routes: Iterable[str]) -> list[str]:
    """Return the values that a message's `action` may have: all routes except API Gateway's predefined routes."""
    return [route for route in routes if route not in PREDEFINED_ROUTES]


class WebSocketAuthorization(StrEnum):
    """Authorization that API Gateway requires to connect."""

    NONE = "NONE"
    """No check by API Gateway, because browsers cannot set the headers of a signed request. The function behind
    `$connect` can check the caller instead."""
    IAM = "AWS_IAM"
    """A request that is signed with AWS credentials."""


@dataclass(frozen=True)
class WebSocketApiArgs:
    scope: Scope
    display_name: str
    stage: str
    """Name of the stage, which is the last part of both URLs."""
    routes_throttle: Throttle
    """Limit of all clients and routes together."""
    authorization: WebSocketAuthorization = WebSocketAuthorization.NONE
    checked_by: str | None = None
    """Description of the check that authenticates callers, if API Gateway does not. The text becomes a tag of the API.
    In staging and prod, the guardrail policies require it of such an API, with at least 15 characters. None if API
    Gateway authenticates callers, or if every client may connect."""


class WebSocketApi(Block):
    """WebSocket API; `serve` adds its routes and its stage."""

    url: pulumi.Output[str]
    """URL that clients connect to: `wss://…/stage`."""
    callback_url: pulumi.Output[str]
    """URL at which functions post messages to connections: `https://…/stage`."""

    def __init__(self, short_name: str, args: WebSocketApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("WebSocketApi", short_name, args.scope, opts)
        self._args = args
        self.name = args.scope.name(Kind.WEBSOCKET_API, short_name)
        self.api = apigatewayv2.Api(
            self.part_name("api"),
            name=self.name,
            description=f"{args.display_name} of Polyphony's {args.scope.subsystem}",
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",
            tags=args.scope.tags(args.display_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.part_options(),
        )
        self.url = pulumi.Output.concat(self.api.api_endpoint, "/", args.stage)
        self.callback_url = self.url.apply(_callback_url)

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Dimensions of the API's own metrics."""
        return {"ApiId": self.api.id, "Stage": self._args.stage}

    def grant_post(self) -> Grant:
        """Grant sending messages to connected clients."""
        return grant("execute-api", ["ManageConnections"], self._arn("POST/@connections/*"))

    def grant_connect(self) -> Grant:
        """Grant connecting, for callers that sign the request (`WebSocketAuthorization.IAM`)."""
        return grant("execute-api", ["Invoke"], self._arn(CONNECT))

    def serve(self, routes: Sequence[str], function: Function) -> None:
        """Connect every route with the function, and create the deployment and the stage."""
        integration = self._create_integration(function)
        permission = function.allow_api_gateway(self.label, self._arn("*"))
        deployed: list[pulumi.Resource] = [integration]
        trigger_values: list[pulumi.Input[str]] = []
        for route_key in sorted(routes):
            route_resources = self._create_route(route_key, integration)
            deployed += route_resources
            trigger_values += [route_key, function.live_arn, *(route.id for route in route_resources)]
        trigger_values += [self._args.authorization.value, integration.id]
        create_websocket_stage(
            self,
            api_id=self.api.id,
            api_name=self.name,
            name=self._args.stage,
            display_name=self._args.display_name,
            deployment_id=self._create_deployment(trigger_values, deployed).id,
            throttle=self._args.routes_throttle,
            after=[permission],
        )
        self.register_outputs({"url": self.url, "callbackUrl": self.callback_url})

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """Return the ARN of a part of the stage, as IAM and Lambda check it."""
        return pulumi.Output.concat(
            self.scope.context.arn("execute-api", ""), self.api.id, f"/{self._args.stage}/{resource}"
        )

    def _create_integration(self, function: Function) -> apigatewayv2.Integration:
        context = self.scope.context
        return apigatewayv2.Integration(
            self.part_name(f"{function.short_name}-integration"),
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=lambda_uri(context.partition, context.region, function.live_arn),
            opts=self.part_options(function.live),
        )

    def _create_route(self, route_key: str, integration: apigatewayv2.Integration) -> list[pulumi.CustomResource]:
        """Create a route, and the route response that lets the function's result reach the client."""
        has_response = route_key not in {CONNECT, DISCONNECT}
        route = apigatewayv2.Route(
            self.part_name(f"{route_key}-route"),
            api_id=self.api.id,
            route_key=route_key,
            authorization_type=(
                self._args.authorization if route_key == CONNECT else WebSocketAuthorization.NONE
            ).value,
            route_response_selection_expression=DEFAULT if has_response else None,
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=self.part_options(),
        )
        if not has_response:
            return [route]
        response = apigatewayv2.RouteResponse(
            self.part_name(f"{route_key}-response"),
            api_id=self.api.id,
            route_id=route.id,
            route_response_key=DEFAULT,
            opts=self.part_options(),
        )
        return [route, response]

    def _create_deployment(
        self, trigger_values: Sequence[pulumi.Input[str]], deployed: Sequence[pulumi.Resource]
    ) -> apigatewayv2.Deployment:
        """Create a snapshot of all routes. Any change of a route triggers a new deployment."""
        return apigatewayv2.Deployment(
            self.part_name("deployment"),
            api_id=self.api.id,
            triggers={"deployed": pulumi.Output.all(*trigger_values).apply(_digest)},
            opts=self.part_options(*deployed),
        )


def _callback_url(url: str) -> str:
    """Return the same address for HTTP: `wss` becomes `https`, and `ws` (on the local platform) becomes `http`."""
    scheme, _, address = url.partition("://")
    return f"{scheme.replace('ws', 'http', 1)}://{address}"


def _digest(trigger_values: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(trigger_values).encode()).hexdigest()

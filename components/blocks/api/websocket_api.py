"""A WebSocket API on API Gateway: routes answered by functions, and one stage.

A function's environment needs the API's URL and a route needs the function, so the API comes first and `serve` connects
them. Both URLs are made of the API's endpoint and the stage's name, never of the stage, which comes last.

Every route but `$connect` and `$disconnect` answers the client with what its function returns. Who may connect is the
subsystem's decision: IAM, or the function behind `$connect`, and then `checked_by` says so.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.api.stage_settings import Throttle
from components.blocks.api.websocket_stage import create_websocket_stage
from components.blocks.compute.function import Function
from components.blocks.iam.grant import Grant, grant
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import CHECKED_BY_TAG, Block, Scope

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
SPECIAL = (CONNECT, DISCONNECT, DEFAULT)


def message_actions(routes: Iterable[str]) -> list[str]:
    """What a message's `action` may be: all routes but those that API Gateway takes by itself."""
    return [one for one in routes if one not in SPECIAL]


class WebSocketAuthorization(StrEnum):
    """What API Gateway asks of whoever connects."""

    NONE = "NONE"
    """Nothing: the function behind `$connect` checks, because browsers can set no header."""
    IAM = "AWS_IAM"
    """A signed request."""


@dataclass(frozen=True)
class WebSocketApiArgs:
    """One API with one stage."""

    scope: Scope
    logical_name: str
    stage: str
    routes_throttle: Throttle
    authorization: WebSocketAuthorization = WebSocketAuthorization.NONE
    checked_by: str | None = None
    """What checks callers where API Gateway does not, in 15 characters or more: a tag of the API, which the policies ask
    for outside dev. None where everybody may connect."""


class WebSocketApi(Block):
    """The API; `serve` gives it routes and a stage."""

    url: pulumi.Output[str]
    """Where clients connect: `wss://…/stage`."""
    callback_url: pulumi.Output[str]
    """Where functions post to connections: `https://…/stage`."""

    def __init__(self, short_name: str, args: WebSocketApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("WebSocketApi", short_name, args.scope, opts)
        self._args = args
        self.name = args.scope.name(Kind.WEBSOCKET_API, short_name)
        self.api = apigatewayv2.Api(
            self.part_name("api"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {args.scope.subsystem}",
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",
            tags=args.scope.tags(args.logical_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.part_options(),
        )
        self.url = pulumi.Output.concat(self.api.api_endpoint, "/", args.stage)
        self.callback_url = self.url.apply(_callback_url)

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Of the API's own metrics."""
        return {"ApiId": self.api.id, "Stage": self._args.stage}

    def grant_post(self) -> Grant:
        """Permission to send to the clients that are connected."""
        return grant("execute-api", ["ManageConnections"], self._arn("POST/@connections/*"))

    def grant_connect(self) -> Grant:
        """Permission to connect, where callers sign (`WebSocketAuthorization.IAM`)."""
        return grant("execute-api", ["Invoke"], self._arn(CONNECT))

    def serve(self, routes: Sequence[str], function: Function) -> None:
        """Give every route the function, and open the stage."""
        integration = self._integration(function)
        permission = function.allow_api_gateway(self.label, self._arn("*"))
        deployed: list[pulumi.Resource] = [integration]
        parts: list[pulumi.Input[str]] = []
        for key in sorted(routes):
            found = self._route(key, integration)
            deployed += found
            parts += [key, function.live_arn, *(one.id for one in found)]
        parts += [self._args.authorization.value, integration.id]
        create_websocket_stage(
            self,
            api_id=self.api.id,
            api_name=self.name,
            name=self._args.stage,
            logical_name=self._args.logical_name,
            deployment_id=self._deployment(parts, deployed).id,
            throttle=self._args.routes_throttle,
            after=[permission],
        )
        self.register_outputs({"url": self.url, "callbackUrl": self.callback_url})

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """The ARN of something of the stage, as IAM and Lambda are asked about it."""
        return pulumi.Output.concat(
            self.scope.context.arn("execute-api", ""), self.api.id, f"/{self._args.stage}/{resource}"
        )

    def _integration(self, function: Function) -> apigatewayv2.Integration:
        context = self.scope.context
        return apigatewayv2.Integration(
            self.part_name(f"{function.label.removeprefix(f'{self.scope.subsystem}-')}-integration"),
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=(
                f"arn:{context.partition}:apigateway:{context.region}:lambda:path/2015-03-31/functions/"
                f"{function.live_arn}/invocations"
            ),
            opts=self.part_options(function.live),
        )

    def _route(self, key: str, integration: apigatewayv2.Integration) -> list[pulumi.CustomResource]:
        """A route, and what lets its function's answer reach the client."""
        answers = key not in {CONNECT, DISCONNECT}
        route = apigatewayv2.Route(
            self.part_name(f"{key}-route"),
            api_id=self.api.id,
            route_key=key,
            authorization_type=(self._args.authorization if key == CONNECT else WebSocketAuthorization.NONE).value,
            route_response_selection_expression=DEFAULT if answers else None,
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=self.part_options(),
        )
        if not answers:
            return [route]
        response = apigatewayv2.RouteResponse(
            self.part_name(f"{key}-response"),
            api_id=self.api.id,
            route_id=route.id,
            route_response_key=DEFAULT,
            opts=self.part_options(),
        )
        return [route, response]

    def _deployment(
        self, parts: Sequence[pulumi.Input[str]], deployed: Sequence[pulumi.Resource]
    ) -> apigatewayv2.Deployment:
        """A snapshot of all routes; whatever of them changes asks for a new one."""
        return apigatewayv2.Deployment(
            self.part_name("deployment"),
            api_id=self.api.id,
            triggers={"deployed": pulumi.Output.all(*parts).apply(_digest)},
            opts=self.part_options(*deployed),
        )


def _callback_url(url: str) -> str:
    """The same address by HTTP: `wss` becomes `https`; `ws`, as on the local platform, `http`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.replace('ws', 'http', 1)}://{rest}"


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

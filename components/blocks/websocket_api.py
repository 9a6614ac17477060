"""A WebSocket API on API Gateway: routes answered by functions, and one stage.

A function's environment needs the API's URL and a route needs the function, so the API comes first and `serve` connects
them. Both URLs are made of the API's endpoint and the stage's name, never of the stage, which comes last.

Every route but `$connect` and `$disconnect` answers the client with what its function returns. Who may connect is the
subsystem's decision: IAM, or the function behind `$connect`, and then `checked_by` says so.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pulumi
from pulumi_aws import apigatewayv2

from components.blocks.function import Function
from components.blocks.grant import Grant, grant
from components.blocks.names import Kind
from components.blocks.scope import CHECKED_BY_TAG, Block, Scope
from components.blocks.stage_parts import Throttle
from components.blocks.websocket_stage import StageArgs, open_stage

CONNECT, DISCONNECT, DEFAULT = "$connect", "$disconnect", "$default"
SPECIAL = (CONNECT, DISCONNECT, DEFAULT)
SERVICE = "apigateway.amazonaws.com"


def actions(routes: Iterable[str]) -> list[str]:
    """What a message's `action` may be: all routes but those that API Gateway takes by itself."""
    return [one for one in routes if one not in SPECIAL]


class Authorization(StrEnum):
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
    authorization: Authorization = Authorization.NONE
    checked_by: str | None = None
    """What checks callers where API Gateway does not, in 15 characters or more: a tag of the API, which the policies ask
    for outside dev. None where everybody may connect."""
    execution_errors_above: int = 0
    """Calls of a function that API Gateway could not make, in five minutes."""
    integration_errors_above: int = 10
    """Answers of functions with a status of 400 and above, in five minutes: every connection refused is one."""
    client_errors_above: int | None = None
    """Requests that API Gateway itself refused, in five minutes; none is not watched."""


class WebSocketApi(Block):
    """The API; `serve` gives it routes and a stage."""

    url: pulumi.Output[str]
    """Where clients connect: `wss://…/stage`."""
    callback_url: pulumi.Output[str]
    """Where functions post to connections: `https://…/stage`."""

    def __init__(self, what: str, args: WebSocketApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("WebSocketApi", what, args.scope, opts)
        _check(what, args)
        self._args = args
        self._served = False
        self.name = args.scope.name(Kind.WEBSOCKET_API, what)
        self.api = apigatewayv2.Api(
            self.part("api"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {args.scope.subsystem}",
            protocol_type="WEBSOCKET",
            route_selection_expression="$request.body.action",
            tags=args.scope.tags(args.logical_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.inside(),
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
        """Permission to connect, where callers sign (`Authorization.IAM`)."""
        return grant("execute-api", ["Invoke"], self._arn(CONNECT))

    def serve(self, routes: Mapping[str, Function]) -> None:
        """Gives every route its function, and opens the stage; once."""
        if self._served:
            raise ValueError(f"{self.label} is served already: give all routes at once")
        self._served = True
        _check_routes(self.label, routes)
        deployed: list[pulumi.Resource] = []
        parts: list[pulumi.Input[str]] = []
        permissions: list[pulumi.Resource] = []
        integrations: dict[str, apigatewayv2.Integration] = {}
        for function in dict.fromkeys(routes.values()):
            integrations[function.label] = self._integration(function)
            permissions.append(function.allow(self.label, SERVICE, self._arn("*")))
        deployed += integrations.values()
        for key, function in sorted(routes.items()):
            found = self._route(key, integrations[function.label])
            deployed += found
            parts += [key, function.live_arn, *(one.id for one in found)]
        parts += [self._args.authorization.value, *(one.id for one in integrations.values())]
        args = self._args
        open_stage(
            self,
            StageArgs(
                api_id=self.api.id,
                api_name=self.name,
                name=args.stage,
                logical_name=args.logical_name,
                deployment_id=self._deployment(parts, deployed).id,
                rate=args.routes_throttle.rate,
                burst=args.routes_throttle.burst,
                errors_above={
                    "execution": args.execution_errors_above,
                    "integration": args.integration_errors_above,
                    "client": args.client_errors_above,
                },
            ),
            permissions,
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
            self.part(f"{self._short(function)}-integration"),
            api_id=self.api.id,
            integration_type="AWS_PROXY",
            integration_method="POST",
            integration_uri=(
                f"arn:{context.partition}:apigateway:{context.region}:lambda:path/2015-03-31/functions/"
                f"{function.live_arn}/invocations"
            ),
            opts=self.inside(function.live),
        )

    def _short(self, function: Function) -> str:
        return function.label.removeprefix(f"{self.scope.subsystem}-")

    def _route(self, key: str, integration: apigatewayv2.Integration) -> list[pulumi.CustomResource]:
        """A route, and what lets its function's answer reach the client."""
        answers = key not in {CONNECT, DISCONNECT}
        route = apigatewayv2.Route(
            self.part(f"{key}-route"),
            api_id=self.api.id,
            route_key=key,
            authorization_type=(self._args.authorization if key == CONNECT else Authorization.NONE).value,
            route_response_selection_expression=DEFAULT if answers else None,
            target=pulumi.Output.concat("integrations/", integration.id),
            opts=self.inside(),
        )
        if not answers:
            return [route]
        response = apigatewayv2.RouteResponse(
            self.part(f"{key}-response"),
            api_id=self.api.id,
            route_id=route.id,
            route_response_key=DEFAULT,
            opts=self.inside(),
        )
        return [route, response]

    def _deployment(
        self, parts: Sequence[pulumi.Input[str]], deployed: Sequence[pulumi.Resource]
    ) -> apigatewayv2.Deployment:
        """A snapshot of all routes; whatever of them changes asks for a new one."""
        return apigatewayv2.Deployment(
            self.part("deployment"),
            api_id=self.api.id,
            triggers={"deployed": pulumi.Output.all(*parts).apply(_digest)},
            opts=self.inside(*deployed),
        )


def _callback_url(url: str) -> str:
    """The same address by HTTP: `wss` becomes `https`; `ws`, as on the local platform, `http`."""
    scheme, _, rest = url.partition("://")
    return f"{scheme.replace('ws', 'http', 1)}://{rest}"


def _digest(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _check(what: str, args: WebSocketApiArgs) -> None:
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", args.stage):
        raise ValueError(f"{what}: {args.stage!r} cannot name a stage: use letters, digits, - and _")
    if args.checked_by is not None and not re.fullmatch(r"[\w .:/=+@-]{15,256}", args.checked_by):
        raise ValueError(f"{what}: say what checks callers in 15 to 256 letters, digits, spaces and _.:/=+-@")
    if args.checked_by is not None and args.authorization is Authorization.IAM:
        raise ValueError(
            f"{what}: with {args.authorization.value} API Gateway checks callers itself: give no checked_by"
        )


def _check_routes(label: str, routes: Mapping[str, Function]) -> None:
    if missing := [key for key in SPECIAL if key not in routes]:
        # Without $default, an action that nobody knows is met with silence.
        raise ValueError(f"{label} has no function for {', '.join(missing)}")
    for key in set(routes) - set(SPECIAL):
        if not re.fullmatch(r"[A-Za-z0-9_.-]{1,128}", key):
            raise ValueError(f"{label}: {key!r} cannot be a route: use letters, digits, ., - and _")

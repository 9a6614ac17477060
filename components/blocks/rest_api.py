"""A REST API on API Gateway, from its table of operations: one document, one stage, functions behind both.

The document has the functions' names only, so it is known at preview, where policies judge it. Its hash is what asks
for a new deployment. The API's address is the stage's, because it is another one on the local platform.

Answers of functions carry their CORS headers themselves; what the gateway answers has them from the document.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
from pulumi_aws import apigateway

from components.blocks.api_document import document
from components.blocks.function import Function
from components.blocks.gateway_document import (
    Authorization,
    Authorizer,
    AuthorizerKind,
    Gateway,
    gateway_document,
    lambda_uri,
)
from components.blocks.names import Kind
from components.blocks.rest_access import Plan, give_key, wall_off
from components.blocks.rest_stage import RestAlarms, RestStageArgs, open_rest_stage
from components.blocks.scope import CHECKED_BY_TAG, Block, Scope
from components.blocks.stage_parts import Throttle
from handlers.common.operations import Operation

SERVICE = "apigateway.amazonaws.com"
VERSION = "1"
FEWEST_REQUESTS_PER_ADDRESS = 10
"""The lowest limit that a rate-based rule of a firewall takes."""


@dataclass(frozen=True)
class Judge:
    """The function that judges who calls (`Authorization.LAMBDA`)."""

    function: Function
    kind: AuthorizerKind = AuthorizerKind.TOKEN
    result_seconds: int = 300
    """How long its answer counts for the same header; its policy must name the whole stage. 0 asks it each time."""


@dataclass(frozen=True)
class RestApiArgs:
    """One API with one stage."""

    scope: Scope
    logical_name: str
    operations: Sequence[Operation]
    functions: Function | Mapping[str, Function]
    """What answers all operations, or each by its name."""
    throttle: Throttle
    stage: str = "api"
    cors_origin: str = "*"
    """Whose pages may read answers: `https://console.example.com`, or everybody's."""
    authorization: Authorization = Authorization.NONE
    judge: Judge | None = None
    """With `Authorization.LAMBDA`."""
    plan: Plan | None = None
    """With `Authorization.API_KEY`: what its holder may ask for."""
    checked_by: str | None = None
    """Where the gateway asks for nothing: what checks callers instead, in a few words. The policies ask for it."""
    bodies_validated: bool = True
    """Whether the gateway refuses bodies that lack the form; else the functions do that too, and name what is missing."""
    data_trace: bool = False
    """Whether bodies are logged, beside errors."""
    requests_per_address: int | None = None
    """What a firewall lets one address ask in five minutes; none has no firewall."""
    alarms: RestAlarms = field(default_factory=RestAlarms)


class RestApi(Block):
    """The API, served as soon as it is there."""

    url: pulumi.Output[str]
    """Where clients call: `https://…/stage`."""

    def __init__(self, what: str, args: RestApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("RestApi", what, args.scope, opts)
        _check(self.label, args)
        scope = args.scope
        self._args = args
        self.name = scope.name(Kind.REST_API, what)
        functions = _by_operation(self.label, args)
        body = json.dumps(self._document(functions), sort_keys=True)
        self.api = apigateway.RestApi(
            self.part("api"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {scope.subsystem}",
            body=body,
            endpoint_configuration=apigateway.RestApiEndpointConfigurationArgs(types="REGIONAL"),
            disable_execute_api_endpoint=False,
            tags=scope.tags(args.logical_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.inside(*(one.live for one in functions.values())),
        )
        deployment = apigateway.Deployment(
            self.part("deployment"),
            rest_api=self.api.id,
            triggers={"document": hashlib.sha256(body.encode()).hexdigest()},
            opts=self.inside(self.api),
        )
        self.stage = open_rest_stage(
            self,
            RestStageArgs(
                api_id=self.api.id,
                api_name=self.name,
                name=args.stage,
                logical_name=args.logical_name,
                deployment_id=deployment.id,
                rate=args.throttle.rate,
                burst=args.throttle.burst,
                data_trace=args.data_trace,
                alarms=args.alarms,
            ),
            self._permissions(functions),
        )
        self.key = give_key(self, what, args.logical_name, args.plan, self.stage) if args.plan else None
        if args.requests_per_address is not None:
            wall_off(self, what, args.logical_name, args.requests_per_address, self.stage)
        self.url = self.stage.invoke_url
        self.register_outputs({"url": self.url})

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Of the API's own metrics."""
        return {"ApiName": self.name, "Stage": self._args.stage}

    def _document(self, functions: Mapping[str, Function]) -> dict[str, object]:
        args = self._args
        judge = args.judge
        return gateway_document(
            document(self.name, VERSION, args.operations),
            Gateway(
                integrations={name: self._uri(one) for name, one in functions.items()},
                cors_origin=args.cors_origin,
                authorization=args.authorization,
                authorizer=Authorizer(self._uri(judge.function), judge.kind, judge.result_seconds) if judge else None,
                bodies_validated=args.bodies_validated,
            ),
        )

    def _uri(self, function: Function) -> str:
        return lambda_uri(self.scope.context.partition, self.scope.context.region, function.live_arn)

    def _permissions(self, functions: Mapping[str, Function]) -> list[pulumi.Resource]:
        """Lets this stage call each function, and the gateway the one that judges."""
        given: list[pulumi.Resource] = [
            one.allow(self.label, SERVICE, self._arn(f"{self._args.stage}/*"))
            for one in dict.fromkeys(functions.values())
        ]
        if self._args.judge is not None:
            label = f"{self.label}-authorizer"
            given.append(self._args.judge.function.allow(label, SERVICE, self._arn("authorizers/*")))
        return given

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """The ARN of something of the API, as Lambda is asked about it."""
        return pulumi.Output.concat(self.scope.context.arn("execute-api", ""), self.api.id, f"/{resource}")


def _by_operation(label: str, args: RestApiArgs) -> dict[str, Function]:
    names = [one.name for one in args.operations]
    if isinstance(args.functions, Function):
        return dict.fromkeys(names, args.functions)
    if differing := set(names) ^ set(args.functions):
        raise ValueError(f"{label}: operations and functions differ in {', '.join(sorted(differing))}")
    return dict(args.functions)


def _check(label: str, args: RestApiArgs) -> None:
    if not args.operations:
        raise ValueError(f"{label} has no operations")
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,128}", args.stage):
        raise ValueError(f"{label}: {args.stage!r} cannot name a stage: use letters, digits, - and _")
    if not re.fullmatch(r"\*|https?://[A-Za-z0-9.:-]+", args.cors_origin):
        raise ValueError(f"{label}: {args.cors_origin!r} is no origin: give https://host, or *")
    if (args.authorization is Authorization.API_KEY) != (args.plan is not None):
        raise ValueError(f"{label}: a usage plan and the authorization apiKey go together")
    if (args.authorization is Authorization.LAMBDA) != (args.judge is not None):
        raise ValueError(f"{label}: a judging function and the authorization lambda go together")
    if args.requests_per_address is not None and args.requests_per_address < FEWEST_REQUESTS_PER_ADDRESS:
        raise ValueError(f"{label}: a firewall counts from {FEWEST_REQUESTS_PER_ADDRESS} requests on")

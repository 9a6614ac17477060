"""A REST API on API Gateway, from its table of operations: one document, one stage, functions behind both.

The document has the functions' names only, so it is known at preview, where policies judge it. Its hash is what asks
for a new deployment. The API's address is the stage's, because it is another one on the local platform.

Answers of functions carry their CORS headers themselves; what the gateway answers has them from the document.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigateway

from components.blocks.api.gateway_document import (
    Authorization,
    Authorizer,
    Gateway,
    gateway_document,
    lambda_uri,
)
from components.blocks.api.openapi_document import document
from components.blocks.api.rest_rate_limits import Plan, give_key, wall_off
from components.blocks.api.rest_stage import STAGE, RestAlarms, open_rest_stage
from components.blocks.api.stage_settings import Throttle
from components.blocks.compute.function import Function
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.scope import CHECKED_BY_TAG, Block, Scope
from handlers.common.http.rest_operations import RestOperation

VERSION = "1"


@dataclass(frozen=True)
class Judge:
    """The function that judges who calls, by the header `Authorization`."""

    function: Function
    result_seconds: int
    """How long its answer counts for the same header; its policy must name the whole stage."""


@dataclass(frozen=True)
class RestApiArgs:
    """One API with one stage."""

    scope: Scope
    logical_name: str
    operations: Sequence[RestOperation]
    function: Function
    """What answers all operations."""
    throttle: Throttle
    alarms: RestAlarms
    cors_origin: str = "*"
    """Whose pages may read answers: `https://console.example.com`, or everybody's."""
    judge: Judge | None = None
    """The function that judges who calls; or:"""
    plan: Plan | None = None
    """What the holder of a key may ask for. Without either, the gateway lets everybody in."""
    checked_by: str | None = None
    """Where the gateway asks for nothing: what checks callers instead, in a few words. The policies ask for it."""
    bodies_validated: bool = True
    """Whether the gateway refuses bodies that lack the form; else the functions do that too, and name what is missing."""
    requests_per_address: int | None = None
    """What a firewall lets one address ask in five minutes; none has no firewall."""


class RestApi(Block):
    """The API, served as soon as it is there."""

    url: pulumi.Output[str]
    """Where clients call: `https://…/stage`."""

    def __init__(self, what: str, args: RestApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("RestApi", what, args.scope, opts)
        scope = args.scope
        self._args = args
        self.name = scope.name(Kind.REST_API, what)
        body = json.dumps(self._document(), sort_keys=True)
        self.api = apigateway.RestApi(
            self.part("api"),
            name=self.name,
            description=f"{args.logical_name} of Polyphony's {scope.subsystem}",
            body=body,
            endpoint_configuration={"types": "REGIONAL"},
            disable_execute_api_endpoint=False,
            tags=scope.tags(args.logical_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.inside(args.function.live),
        )
        deployment = apigateway.Deployment(
            self.part("deployment"),
            rest_api=self.api.id,
            triggers={"document": hashlib.sha256(body.encode()).hexdigest()},
            opts=self.inside(self.api),
        )
        self.stage = open_rest_stage(
            self,
            api_id=self.api.id,
            api_name=self.name,
            logical_name=args.logical_name,
            deployment_id=deployment.id,
            throttle=args.throttle,
            alarms=args.alarms,
            after=self._permissions(),
        )
        self.key = give_key(self, what, args.logical_name, args.plan, self.stage) if args.plan else None
        if args.requests_per_address is not None:
            wall_off(self, what, args.logical_name, args.requests_per_address, self.stage)
        self.url = self.stage.invoke_url
        self.register_outputs({"url": self.url})

    @property
    def dimensions(self) -> dict[str, pulumi.Input[str]]:
        """Of the API's own metrics."""
        return {"ApiName": self.name, "Stage": STAGE}

    def _document(self) -> dict[str, object]:
        args, judge = self._args, self._args.judge
        authorization = Authorization.LAMBDA if judge else Authorization.API_KEY if args.plan else Authorization.NONE
        return gateway_document(
            document(self.name, VERSION, args.operations),
            Gateway(
                integration=self._uri(args.function),
                cors_origin=args.cors_origin,
                authorization=authorization,
                authorizer=Authorizer(self._uri(judge.function), judge.result_seconds) if judge else None,
                bodies_validated=args.bodies_validated,
            ),
        )

    def _uri(self, function: Function) -> str:
        return lambda_uri(self.scope.context.partition, self.scope.context.region, function.live_arn)

    def _permissions(self) -> list[pulumi.Resource]:
        """Lets this stage call the function, and the gateway the one that judges."""
        given: list[pulumi.Resource] = [self._args.function.allow_api(self.label, self._arn(f"{STAGE}/*"))]
        if self._args.judge is not None:
            label = f"{self.label}-authorizer"
            given.append(self._args.judge.function.allow_api(label, self._arn("authorizers/*")))
        return given

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """The ARN of something of the API, as Lambda is asked about it."""
        return pulumi.Output.concat(self.scope.context.arn("execute-api", ""), self.api.id, f"/{resource}")

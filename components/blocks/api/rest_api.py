"""REST API on API Gateway, built from a list of operations, all of which one function handles.

The API has one OpenAPI document and one stage. The document refers to functions by ARNs that follow from their names,
so it is known at preview, and the guardrail policies can check it there. A change of its hash triggers a new
deployment. The API's URL is read from the stage and not built from its parts, because it has another form on the local
platform.

The function adds the CORS headers to its own responses. The document adds them to the responses that come from the
gateway and not from the function.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_aws import apigateway

from components.blocks.api.gateway_import_document import (
    Authorizer,
    GatewayOptions,
    gateway_document,
    lambda_uri,
)
from components.blocks.api.public_openapi_document import build_document
from components.blocks.api.rest_stage import STAGE, RestAlarms, create_rest_stage
from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.block import Block
from components.blocks.compute.function import Function
from components.blocks.naming.physical_names import Kind
from components.blocks.naming.subsystem_scope import CHECKED_BY_TAG, Scope
from handlers.common.http.rest_operation_declaration import RestOperation

VERSION = "1"
"""Version of every API, as its OpenAPI document states it."""


@dataclass(frozen=True)
class AuthorizerFunction:
    """Function that authorizes callers by the header `Authorization`."""

    function: Function
    result_seconds: int
    """Time for which the gateway caches a result (`Authorizer.result_seconds`)."""


@dataclass(frozen=True)
class RestApiArgs:
    scope: Scope
    display_name: str
    operations: Sequence[RestOperation]
    function: Function
    """Function that answers all operations."""
    throttle: Throttle
    """Limit of all callers together."""
    alarms: RestAlarms
    cors_origin: str = "*"
    """Origin whose pages may read responses, such as `https://console.example.com`; `*` for all origins."""
    authorizer: AuthorizerFunction | None = None
    """Function that authorizes callers; None if the gateway admits all callers."""
    checked_by: str | None = None
    """Description of the check that authenticates callers, if the gateway does not. The text becomes a tag of the API.
    In staging and prod, the guardrail policies require it of an API without an authorizer, with at least 15
    characters."""
    bodies_validated: bool = True
    """True if the gateway refuses bodies that do not match their schema. Otherwise only the function refuses them, and
    its response says which field is invalid."""


class RestApi(Block):
    url: pulumi.Output[str]
    """URL that clients call. It ends in the name of the only stage: `https://…/api`."""

    def __init__(self, short_name: str, args: RestApiArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("RestApi", short_name, args.scope, opts)
        scope = args.scope
        self._args = args
        self.name = scope.name(Kind.REST_API, short_name)
        body = json.dumps(self._build_document(), sort_keys=True)
        self.api = apigateway.RestApi(
            self.part_name("api"),
            name=self.name,
            description=f"{args.display_name} of Polyphony's {scope.subsystem}",
            body=body,
            endpoint_configuration={"types": "REGIONAL"},
            disable_execute_api_endpoint=False,
            tags=scope.tags(args.display_name, {CHECKED_BY_TAG: args.checked_by}),
            opts=self.part_options(args.function.live),
        )
        deployment = apigateway.Deployment(
            self.part_name("deployment"),
            rest_api=self.api.id,
            triggers={"document": hashlib.sha256(body.encode()).hexdigest()},
            opts=self.part_options(self.api),
        )
        self.stage = create_rest_stage(
            self,
            api_id=self.api.id,
            api_name=self.name,
            display_name=args.display_name,
            deployment_id=deployment.id,
            throttle=args.throttle,
            alarms=args.alarms,
            after=self._create_permissions(),
        )
        self.url = self.stage.invoke_url
        self.register_outputs({"url": self.url})

    def _build_document(self) -> dict[str, object]:
        args, authorizer = self._args, self._args.authorizer
        return gateway_document(
            build_document(self.name, VERSION, args.operations),
            GatewayOptions(
                integration=self._uri(args.function),
                cors_origin=args.cors_origin,
                authorizer=Authorizer(self._uri(authorizer.function), authorizer.result_seconds)
                if authorizer
                else None,
                bodies_validated=args.bodies_validated,
            ),
        )

    def _uri(self, function: Function) -> str:
        return lambda_uri(self.scope.context.partition, self.scope.context.region, function.live_arn)

    def _create_permissions(self) -> list[pulumi.Resource]:
        """Permit the API's stage to call the function, and the API to call the authorizer."""
        permissions: list[pulumi.Resource] = [
            self._args.function.allow_api_gateway(self.label, self._arn(f"{STAGE}/*"))
        ]
        if self._args.authorizer is not None:
            label = f"{self.label}-authorizer"
            permissions.append(self._args.authorizer.function.allow_api_gateway(label, self._arn("authorizers/*")))
        return permissions

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """Return the ARN of a part of the API, from which a Lambda permission allows calls."""
        return pulumi.Output.concat(self.scope.context.arn("execute-api", ""), self.api.id, f"/{resource}")

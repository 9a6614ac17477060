"""REST API on API Gateway with one stage, built from a list of operations, all of which one function handles.

The API has one OpenAPI document. The document refers to functions by ARNs that follow from their names, so it is known at
preview, and the guardrail policies can check it there. A change of its hash triggers a new deployment. The API's URL is
read from the stage and not built from its parts, because it has another form on the local platform.

The function adds the CORS headers to its own responses. The document adds them to the responses that come from the
gateway and not from the function.

The logs of the stage contain no body, header, query string or full path of a request, because these may contain tokens or
personal data. A path is logged as in the OpenAPI document, with the names of its parameters instead of their values.
"""

import hashlib
import json
from collections.abc import Sequence

import pulumi
from pulumi_aws import apigateway

from components.blocks.alarm import Metric, Severity, create_alarm
from components.blocks.function import Function
from components.blocks.openapi import Authorizer, gateway_document, lambda_uri
from components.core import CHECKED_BY_TAG, Block, Kind, Scope
from handlers.common.rest import AnyRestOperation

VERSION = "1"
"""Version of every API, as its OpenAPI document states it."""
ACCESS_LOG_GROUP_PREFIX = "/aws/apigateway"
"""Prefix of the log groups for access logs: `…/<API name>`."""
EXECUTION_LOG_GROUP_PREFIX = "API-Gateway-Execution-Logs_"
"""Prefix of the log groups in which API Gateway writes execution logs of REST APIs: `…<api id>/<stage>`."""
ACCESS_LOG_FIELDS = {
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
    "traceId": "$context.xrayTraceId",
}
STAGE = "api"
"""Name of the only stage of each REST API."""
SLOW_PERIODS = 3
"""Number of successive periods of five minutes that must be slow, so that a single slow response raises no alarm."""


class RestApi(Block):
    """REST API with its stage, log groups and alarms."""

    url: pulumi.Output[str]
    """URL that clients call. It ends in the name of the only stage: `https://…/api`."""

    def __init__(
        self,
        scope: Scope,
        short_name: str,
        *,
        display_name: str,
        operations: Sequence[AnyRestOperation],
        function: Function,
        requests_per_second: int,
        client_errors_above: int,
        latency_above_ms: int,
        cors_origin: str = "*",
        authorizer: Function | None = None,
        authorizer_seconds: int = 0,
        checked_by: str | None = None,
        bodies_validated: bool = True,
        method_metrics: bool = False,
    ) -> None:
        """Create the API.

        - `function` answers all operations.
        - `requests_per_second` is the limit of all callers together. A burst may have twice as many requests.
        - An alarm is raised if more responses than `client_errors_above` have a status of 400 to 499 in five minutes.
          Another is raised if the 95th percentile of the latency exceeds `latency_above_ms` in three successive periods
          of five minutes.
        - `cors_origin` is the origin whose pages may read responses, such as `https://console.example.com`; `*` for all
          origins.
        - `authorizer` authorizes callers by the header `Authorization`; None if the gateway admits all callers. The
          gateway caches a result for `authorizer_seconds`.
        - `checked_by` describes the check that authenticates callers, if the gateway does not. The text becomes a tag
          of the API. In staging and prod, the guardrail policies require it of an API without an authorizer, with at
          least 15 characters.
        - With `bodies_validated`, the gateway refuses bodies that do not match their schema. Otherwise only the function
          refuses them, and its response says which field is invalid.
        - With `method_metrics`, CloudWatch has paid metrics of each method. The metrics of the stage, which the alarms
          read, are free and always recorded.
        """
        super().__init__("RestApi", scope, short_name, display_name)
        self.name = scope.name(Kind.REST_API, short_name)
        document = gateway_document(
            self.name,
            VERSION,
            operations,
            integration=self._uri(function),
            cors_origin=cors_origin,
            authorizer=Authorizer(self._uri(authorizer), authorizer_seconds) if authorizer else None,
            bodies_validated=bodies_validated,
        )
        body = json.dumps(document)
        self.api = apigateway.RestApi(
            self.part_name("api"),
            name=self.name,
            description=self.description,
            body=body,
            endpoint_configuration={"types": "REGIONAL"},
            tags=scope.tags(display_name, {CHECKED_BY_TAG: checked_by}),
            opts=self.scope.options(after=[function.live]),
        )
        deployment = apigateway.Deployment(
            self.part_name("deployment"),
            rest_api=self.api.id,
            triggers={"document": hashlib.sha256(body.encode()).hexdigest()},
            opts=self.scope.options(after=[self.api]),
        )
        permissions = [function.allow_api_gateway(self.label, self._arn(f"{STAGE}/*"))]
        if authorizer is not None:
            permissions.append(authorizer.allow_api_gateway(f"{self.label}-authorizer", self._arn("authorizers/*")))
        self.url = self._create_stage(deployment, requests_per_second, method_metrics, permissions).invoke_url
        self._create_alarms(client_errors_above, latency_above_ms)
        self.register_outputs({"url": self.url})

    def _create_stage(
        self,
        deployment: apigateway.Deployment,
        requests_per_second: int,
        method_metrics: bool,
        permissions: Sequence[pulumi.Resource],
    ) -> apigateway.Stage:
        access_log = f"{ACCESS_LOG_GROUP_PREFIX}/{self.name}"
        # API Gateway would otherwise create the group for execution logs itself and keep its lines for ever.
        execution_log = pulumi.Output.concat(EXECUTION_LOG_GROUP_PREFIX, self.api.id, f"/{STAGE}")
        groups = [
            self.create_log_group("access-logs", access_log),
            self.create_log_group("execution-logs", execution_log),
        ]
        stage = apigateway.Stage(
            self.part_name("stage"),
            rest_api=self.api.id,
            stage_name=STAGE,
            deployment=deployment.id,
            access_log_settings={
                "destination_arn": self.scope.context.arn("logs", f"log-group:{access_log}"),
                "format": json.dumps(ACCESS_LOG_FIELDS),
            },
            xray_tracing_enabled=True,
            tags=self.tags,
            opts=self.scope.options(after=[*groups, *permissions]),
        )
        apigateway.MethodSettings(
            self.part_name("settings"),
            rest_api=self.api.id,
            stage_name=stage.stage_name,
            method_path="*/*",
            settings={
                "metrics_enabled": method_metrics,
                "logging_level": "ERROR",
                "data_trace_enabled": False,  # true would log bodies and tokens
                "throttling_rate_limit": requests_per_second,
                "throttling_burst_limit": 2 * requests_per_second,
            },
            opts=self.scope.options(),
        )
        return stage

    def _create_alarms(self, client_errors_above: int, latency_above_ms: int) -> None:
        for kind, metric, statistic, threshold, problem, severity, periods in (
            ("server-errors", "5XXError", "Sum", 0, "has server errors", Severity.CRITICAL, 1),
            ("client-errors", "4XXError", "Sum", client_errors_above, "has many client errors", Severity.WARNING, 1),
            ("slow", "Latency", "p95", latency_above_ms, "is slow", Severity.WARNING, SLOW_PERIODS),
        ):
            create_alarm(
                self.scope,
                f"{self.short_name}-{kind}",
                Metric("AWS/ApiGateway", metric, {"ApiName": self.name, "Stage": STAGE}, statistic),
                threshold=threshold,
                problem=f"{self.display_name} {problem}.",
                runbook="apis",
                severity=severity,
                periods=periods,
            )

    def _uri(self, function: Function) -> str:
        return lambda_uri(self.scope.context.partition, self.scope.context.region, function.live_arn)

    def _arn(self, resource: str) -> pulumi.Output[str]:
        """Return the ARN of a part of the API, from which a Lambda permission allows calls."""
        return pulumi.Output.concat(self.scope.context.arn("execute-api", ""), self.api.id, f"/{resource}")

"""Tests of WebSocket APIs: their routes, the order of their resources, deployments, logs and URLs."""

from collections.abc import Callable
from typing import Any

import pulumi

from components.blocks.websocket_api import WebSocketApi
from local.preview.resource_graph import Resource
from local.property_values import Props
from tests.components.deployment_harness import API_ID, DeployedProvider, deploy, sample_function
from tests.fake_engine import Engine, Recorded, scope


class ReplacedResourcesProvider(DeployedProvider):
    """Provider that returns the ids that integrations and routes have after their replacement."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        name, outputs = super().make(resource)
        is_replaced = resource.kind in {"Integration", "Route", "RouteResponse"}
        return (f"{name}-new" if is_replaced else name), outputs


def create_api(**changes: Any) -> WebSocketApi:
    return WebSocketApi(
        scope(), "socket", **{"display_name": "LiveApi", "stage": "live", "requests_per_second": 50, **changes}
    )


def socket_program(function_name: str = "steps", **changes: Any) -> Callable[[], None]:
    """Return a program with an API whose routes one function serves."""
    return lambda: create_api(**changes).serve(sample_function(function_name))


def test_only_the_connect_route_is_authorized_and_only_messages_get_a_response() -> None:
    """API Gateway refuses an authorization at every other route, and chooses the name of the execution log."""
    recorded = deploy(socket_program(signed=True))
    routes = {resource.inputs["routeKey"]: resource.inputs for resource in recorded.all("apigatewayv2.Route")}
    assert {key for key, route in routes.items() if route["authorizationType"] == "AWS_IAM"} == {"$connect"}
    assert {key for key in routes if "routeResponseSelectionExpression" in routes[key]} == {"$default"}
    assert recorded.one("apigatewayv2.RouteResponse").inputs["routeId"] == "ingestion-socket-$default-route-id"
    alias = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-steps:live"
    assert f"/functions/{alias}/invocations" in recorded.one("apigatewayv2.Integration").inputs["integrationUri"]
    groups = {group.inputs["name"] for group in recorded.all("cloudwatch.LogGroup")}
    assert {"/aws/apigateway/polyphony-test-ingestion-socket", "/aws/apigateway/a1b2c3/live"} <= groups


def test_the_stage_is_created_last(engine: Engine) -> None:
    recorded = engine.run(socket_program())
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("apigatewayv2.Stage"))}
    for kind in ("apigatewayv2.RouteResponse", "lambda.Permission", "lambda.Alias"):
        assert {resource.name for resource in recorded.all(kind)} <= earlier_names
    assert {"ingestion-socket-access-logs", "ingestion-socket-execution-logs"} <= earlier_names


def test_a_change_of_the_routes_triggers_a_deployment_and_another_limit_of_requests_does_not() -> None:
    def triggers(program: Callable[[], None], provider: DeployedProvider | None = None) -> Any:
        recorded: Recorded = deploy(program, provider)
        return recorded.one("apigatewayv2.Deployment").inputs["triggers"]

    default = triggers(socket_program())
    assert triggers(socket_program("sweeper")) != default
    assert triggers(socket_program(signed=True)) != default
    assert triggers(socket_program(), ReplacedResourcesProvider()) != default
    assert triggers(socket_program(requests_per_second=1)) == default
    limits = deploy(socket_program(requests_per_second=7)).one("apigatewayv2.Stage").inputs["defaultRouteSettings"]
    assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == (7, 14)


def test_the_urls_are_built_from_the_apis_endpoint_and_the_stages_name() -> None:
    urls: list[str] = []

    def body() -> None:
        api = create_api()
        assert set(api.dimensions) == {"ApiId", "Stage"}, "the dimensions of its metrics"
        pulumi.Output.all(api.url, api.callback_url).apply(urls.extend)
        api.serve(sample_function("steps"))

    deploy(body)
    host = f"{API_ID}.execute-api.us-east-1.amazonaws.com"
    assert urls == [f"wss://{host}/live", f"https://{host}/live"]

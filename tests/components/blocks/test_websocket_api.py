"""Tests of WebSocket APIs: their routes, the order of their resources, deployments, access log and URLs."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from components.blocks.websocket_api import WebSocketApi, WebSocketAuthorization
from local.preview.resource_graph import Resource
from local.property_values import Props
from tests.components.deployment_harness import DeployedProvider, deploy, sample_function
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


@cache
def default_api() -> Recorded:
    return deploy(socket_program())


def test_only_the_connect_route_is_authorized_and_only_messages_get_a_response() -> None:
    """API Gateway refuses an authorization at every other route."""
    recorded = deploy(socket_program(authorization=WebSocketAuthorization.IAM))
    routes = {resource.inputs["routeKey"]: resource.inputs for resource in recorded.all("apigatewayv2.Route")}
    assert {key for key, route in routes.items() if route["authorizationType"] == "AWS_IAM"} == {"$connect"}
    assert {key for key in routes if "routeResponseSelectionExpression" in routes[key]} == {"$default"}
    assert recorded.one("apigatewayv2.RouteResponse").inputs["routeId"] == "ingestion-socket-$default-route-id"


def test_logs_have_no_client_data_and_the_groups_that_api_gateway_writes_to() -> None:
    recorded = default_api()
    stage = recorded.one("apigatewayv2.Stage").inputs
    variables = json.loads(stage["accessLogSettings"]["format"]).values()
    client_data = ("identity", "path", "query")
    assert not [variable for variable in variables for text in client_data if text in variable.lower()]
    assert stage["defaultRouteSettings"]["dataTraceEnabled"] is False
    groups = {group.inputs["name"] for group in recorded.all("cloudwatch.LogGroup")}
    assert {
        "/aws/apigateway/polyphony-test-ingestion-socket",
        "/aws/apigateway/a1b2c3/live",  # API Gateway chooses this name of the execution log
    } <= groups


def test_the_stage_is_created_last(engine: Engine) -> None:
    recorded = engine.run(socket_program())
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("apigatewayv2.Stage"))}
    for kind in ("apigatewayv2.RouteResponse", "lambda.Permission", "lambda.Alias"):
        assert {resource.name for resource in recorded.all(kind)} <= earlier_names
    assert {"ingestion-socket-access-logs", "ingestion-socket-execution-logs"} <= earlier_names


def triggers(recorded: Recorded) -> Any:
    return recorded.one("apigatewayv2.Deployment").inputs["triggers"]


@pytest.mark.parametrize(
    "change",
    [{"function_name": "sweeper"}, {"authorization": WebSocketAuthorization.IAM}],
    ids=["another function", "another authorization"],
)
def test_a_change_of_the_routes_triggers_a_deployment(change: dict[str, Any]) -> None:
    assert triggers(deploy(socket_program(**change))) != triggers(default_api())


def test_replaced_routes_trigger_a_deployment_and_another_limit_of_requests_does_not() -> None:
    assert triggers(deploy(socket_program(), ReplacedResourcesProvider())) != triggers(default_api())
    assert triggers(deploy(socket_program(requests_per_second=1))) == triggers(default_api())


@pytest.mark.parametrize(
    ("endpoint", "url", "callback"),
    [
        ("wss://a.example.com", "wss://a.example.com/live", "https://a.example.com/live"),
        ("ws://127.0.0.1:4566/ws/a", "ws://127.0.0.1:4566/ws/a/live", "http://127.0.0.1:4566/ws/a/live"),
    ],
)
def test_the_urls_are_built_from_the_apis_endpoint_and_the_stages_name(endpoint: str, url: str, callback: str) -> None:
    urls: list[str] = []

    class EndpointProvider(DeployedProvider):
        def make(self, _resource: Resource) -> tuple[str, Props]:
            return "a1b2c3", {"apiEndpoint": endpoint}

    def body() -> None:
        api = create_api()
        api.url.apply(urls.append)
        api.callback_url.apply(urls.append)

    deploy(body, EndpointProvider())
    assert sorted(urls) == sorted([url, callback])

"""Tests of WebSocket APIs: their routes, stage, logs, permissions and URLs."""

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import pytest

from components.blocks.api.stage_throttle_and_logs import Throttle
from components.blocks.api.websocket_api import WebSocketApi, WebSocketApiArgs, WebSocketAuthorization, message_actions
from local.preview.property_value_conversion import Props
from local.preview.resource_graph import Resource
from tests.components.deployment_harness import DeployedProvider, deploy, sample_function
from tests.fake_engine import Engine, Recorded, scope

ALIAS_ARN = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-router:live"
STAGE_ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/live"
ROUTES = ("$connect", "$disconnect", "$default", "say")


class ReplacedResourcesProvider(DeployedProvider):
    """Provider that returns the ids that integrations and routes have after their replacement."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        name, outputs = super().make(resource)
        is_replaced = resource.kind in {"Integration", "Route", "RouteResponse"}
        return (f"{name}-new" if is_replaced else name), outputs


def args(**changes: Any) -> WebSocketApiArgs:
    default_args = {
        "scope": scope(),
        "display_name": "LiveApi",
        "stage": "live",
        "routes_throttle": Throttle(rate=50, burst=100),
    }
    return WebSocketApiArgs(**{**default_args, **changes})


def socket_program(routes: Sequence[str] = ROUTES, function_name: str = "router", **changes: Any) -> Callable[[], None]:
    """Return a program with an API whose routes one function serves."""
    return lambda: WebSocketApi("socket", args(**changes)).serve(routes, sample_function(function_name))


@cache
def default_api() -> Recorded:
    return deploy(socket_program())


def routes_of(recorded: Recorded) -> dict[str, Mapping[str, Any]]:
    return {resource.inputs["routeKey"]: resource.inputs for resource in recorded.all("apigatewayv2.Route")}


def test_messages_are_routed_by_their_action_to_the_functions_alias() -> None:
    recorded = default_api()
    api = recorded.one("apigatewayv2.Api").inputs
    assert (api["protocolType"], api["routeSelectionExpression"]) == ("WEBSOCKET", "$request.body.action")
    assert api["name"] == "polyphony-test-ingestion-socket"
    assert "disableExecuteApiEndpoint" not in api
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    integration = recorded.one("apigatewayv2.Integration")
    assert integration.inputs["integrationUri"] == f"{path}/{ALIAS_ARN}/invocations"
    assert (integration.inputs["integrationType"], integration.inputs["integrationMethod"]) == ("AWS_PROXY", "POST")
    assert {route["target"] for route in routes_of(recorded).values()} == {f"integrations/{integration.name}-id"}
    permission = recorded.one("lambda.Permission").inputs
    assert (permission["principal"], permission["qualifier"]) == ("apigateway.amazonaws.com", "live")
    assert permission["sourceArn"] == f"{STAGE_ARN}/*"
    assert message_actions(ROUTES) == ["say"]


def test_only_routes_of_messages_return_a_response() -> None:
    recorded = default_api()
    routes = routes_of(recorded)
    assert {key for key in routes if "routeResponseSelectionExpression" in routes[key]} == {"$default", "say"}
    responses = [resource.inputs for resource in recorded.all("apigatewayv2.RouteResponse")]
    assert {response["routeId"] for response in responses} == {
        "ingestion-socket-$default-route-id",
        "ingestion-socket-say-route-id",
    }
    assert {response["routeResponseKey"] for response in responses} == {"$default"}


def test_the_stage_is_throttled_and_logs_errors_without_bodies() -> None:
    stage = default_api().one("apigatewayv2.Stage").inputs
    assert stage["defaultRouteSettings"] == {
        "throttlingRateLimit": 50,
        "throttlingBurstLimit": 100,
        "detailedMetricsEnabled": False,
        "loggingLevel": "ERROR",
        "dataTraceEnabled": False,
    }
    assert stage["deploymentId"] == "ingestion-socket-deployment-id"


def test_the_access_log_has_no_client_data_and_both_logs_expire() -> None:
    recorded = default_api()
    settings = recorded.one("apigatewayv2.Stage").inputs["accessLogSettings"]
    variables = set(json.loads(settings["format"]).values())
    expected = {"$context.requestId", "$context.routeKey", "$context.connectionId", "$context.integration.error"}
    assert expected <= variables
    client_data = ("identity", "path", "query")
    assert not [variable for variable in variables for text in client_data if text in variable.lower()]
    assert settings["destinationArn"] == (
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/polyphony-test-ingestion-socket"
    )
    groups = {
        resource.inputs["name"]: resource.inputs["retentionInDays"] for resource in recorded.all("cloudwatch.LogGroup")
    }
    assert groups["/aws/apigateway/polyphony-test-ingestion-socket"] == 90
    assert groups["/aws/apigateway/a1b2c3/live"] == 90, "API Gateway chooses this name of the execution log"


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
    [{"routes": (*ROUTES, "list")}, {"function_name": "reader"}, {"authorization": WebSocketAuthorization.IAM}],
    ids=["another route", "another function", "another authorization"],
)
def test_a_change_of_the_routes_triggers_a_deployment(change: dict[str, Any]) -> None:
    assert triggers(deploy(socket_program(**change))) != triggers(default_api())


def test_replaced_routes_trigger_a_deployment_and_another_throttle_does_not() -> None:
    assert triggers(deploy(socket_program(), ReplacedResourcesProvider())) != triggers(default_api())
    assert triggers(deploy(socket_program(routes_throttle=Throttle(1, 1)))) == triggers(default_api())


@pytest.mark.parametrize(
    ("endpoint", "url", "callback"),
    [
        ("wss://a.example.com", "wss://a.example.com/live", "https://a.example.com/live"),
        ("ws://127.0.0.1:4566/ws/a", "ws://127.0.0.1:4566/ws/a/live", "http://127.0.0.1:4566/ws/a/live"),
    ],
)
def test_the_urls_are_built_from_the_apis_endpoint_and_the_stages_name(endpoint: str, url: str, callback: str) -> None:
    urls: dict[str, str] = {}

    class EndpointProvider(DeployedProvider):
        def make(self, _resource: Resource) -> tuple[str, Props]:
            return "a1b2c3", {"apiEndpoint": endpoint}

    def body() -> None:
        api = WebSocketApi("socket", args())
        api.url.apply(lambda value: urls.update(url=value))
        api.callback_url.apply(lambda value: urls.update(callback=value))

    deploy(body, EndpointProvider())
    assert urls == {"url": url, "callback": callback}

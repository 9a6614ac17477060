"""WebSocket APIs: every route answers, the stage says what it takes and logs nothing that a client sent."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from components.blocks.api.stage_settings import Throttle
from components.blocks.api.websocket_api import WebSocketApi, WebSocketApiArgs, WebSocketAuthorization, message_actions
from components.blocks.compute.function import Function, FunctionArgs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import Props
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from tests.fake_engine import Engine, Recorded, scope

LIVE = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-router:live"
ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3/live"
KEYS = ("$connect", "$disconnect", "$default", "say")


class Environment(HandlerEnvironment):
    callback_url: str = ""


class Provider(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        if resource.kind == "Api":
            return "a1b2c3", {"apiEndpoint": "wss://a1b2c3.execute-api.us-east-1.amazonaws.com"}
        return f"{resource.name}-id", {}


class Again(Provider):
    """Knows other ids, as when something was made anew."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        name, outputs = super().make(resource)
        anew = resource.kind in {"Integration", "Route", "RouteResponse"}
        return (f"{name}-again" if anew else name), outputs


def args(**changes: Any) -> WebSocketApiArgs:
    given = {
        "scope": scope(),
        "logical_name": "LiveApi",
        "stage": "live",
        "routes_throttle": Throttle(rate=50, burst=100),
    }
    return WebSocketApiArgs(**{**given, **changes})


def function(what: str, **changes: Any) -> Function:
    return Function(
        what,
        FunctionArgs(
            scope=scope(),
            logical_name=what,
            entry="handlers.ingestion.sweeper.handler.handler",
            settings=FunctionSettings(),
            environment=Environment,
            **changes,
        ),
    )


def serving(routes: Sequence[str] = KEYS, by: str = "router", **changes: Any) -> Callable[[], None]:
    """Return a program with an API whose routes one function serves."""
    return lambda: WebSocketApi("socket", args(**changes)).serve(routes, function(by))


def deployed(body: Callable[[], object], provider: Provider | None = None) -> Recorded:
    """What a program registers where every id is known."""
    config = StackConfig(project="polyphony", stack="test", values={})
    return Recorded(program_run.record(body, config, provider or Provider(), preview=False).graph)


def routes_of(recorded: Recorded) -> dict[str, Mapping[str, Any]]:
    return {one.inputs["routeKey"]: one.inputs for one in recorded.all("apigatewayv2.Route")}


def test_messages_are_routed_by_their_action_to_the_functions_alias() -> None:
    recorded = deployed(serving())
    api = recorded.one("apigatewayv2.Api").inputs
    assert (api["protocolType"], api["routeSelectionExpression"]) == ("WEBSOCKET", "$request.body.action")
    assert api["name"] == "polyphony-test-ingestion-socket"
    assert "disableExecuteApiEndpoint" not in api
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    integration = recorded.one("apigatewayv2.Integration")
    assert integration.inputs["integrationUri"] == f"{path}/{LIVE}/invocations"
    assert (integration.inputs["integrationType"], integration.inputs["integrationMethod"]) == ("AWS_PROXY", "POST")
    assert {one["target"] for one in routes_of(recorded).values()} == {f"integrations/{integration.name}-id"}
    permission = recorded.one("lambda.Permission").inputs
    assert (permission["principal"], permission["qualifier"]) == ("apigateway.amazonaws.com", "live")
    assert permission["sourceArn"] == f"{ARN}/*"
    assert message_actions(KEYS) == ["say"]


def test_every_route_of_messages_answers_and_the_others_do_not() -> None:
    recorded = deployed(serving())
    answering = {key for key, one in routes_of(recorded).items() if "routeResponseSelectionExpression" in one}
    assert answering == {"$default", "say"}
    responses = [one.inputs for one in recorded.all("apigatewayv2.RouteResponse")]
    assert {one["routeId"] for one in responses} == {
        "ingestion-socket-$default-route-id",
        "ingestion-socket-say-route-id",
    }
    assert {one["routeResponseKey"] for one in responses} == {"$default"}


def test_the_stage_is_throttled_measured_and_logs_errors_without_bodies() -> None:
    stage = deployed(serving()).one("apigatewayv2.Stage").inputs
    assert stage["defaultRouteSettings"] == {
        "throttlingRateLimit": 50,
        "throttlingBurstLimit": 100,
        "detailedMetricsEnabled": False,
        "loggingLevel": "ERROR",
        "dataTraceEnabled": False,
    }
    assert stage["deploymentId"] == "ingestion-socket-deployment-id"


def test_the_access_log_has_nothing_that_a_client_sent_and_both_logs_expire() -> None:
    recorded = deployed(serving())
    settings = recorded.one("apigatewayv2.Stage").inputs["accessLogSettings"]
    logged = set(json.loads(settings["format"]).values())
    assert {"$context.requestId", "$context.routeKey", "$context.connectionId", "$context.integration.error"} <= logged
    assert not [one for one in logged if "identity" in one or "path" in one.lower() or "query" in one.lower()]
    assert settings["destinationArn"] == (
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/polyphony-test-ingestion-socket"
    )
    groups = {one.inputs["name"]: one.inputs["retentionInDays"] for one in recorded.all("cloudwatch.LogGroup")}
    assert groups["/aws/apigateway/polyphony-test-ingestion-socket"] == 90
    assert groups["/aws/apigateway/a1b2c3/live"] == 90, "API Gateway's own name for the execution log"


def test_the_stage_opens_when_all_is_there(engine: Engine) -> None:
    recorded = engine.run(serving())
    before = {one.name for one in recorded.ancestors(recorded.one("apigatewayv2.Stage"))}
    assert {one.name for one in recorded.all("apigatewayv2.RouteResponse")} <= before
    assert {one.name for kind in ("Permission", "Alias") for one in recorded.all(f"lambda.{kind}")} <= before
    assert {"ingestion-socket-access-logs", "ingestion-socket-execution-logs"} <= before


def triggers(provider: Provider | None = None, **changes: Any) -> Any:
    return deployed(serving(**changes), provider).one("apigatewayv2.Deployment").inputs["triggers"]


@pytest.mark.parametrize(
    "change",
    [
        {"routes": (*KEYS, "list")},
        {"by": "reader"},
        {"authorization": WebSocketAuthorization.IAM},
        {"provider": Again()},
    ],
    ids=["another route", "another function", "another authorization", "made anew"],
)
def test_whatever_of_the_routes_changes_is_deployed_and_nothing_else(change: dict[str, Any]) -> None:
    assert triggers() == triggers(routes_throttle=Throttle(1, 1))
    assert triggers(**change) != triggers()


@pytest.mark.parametrize(
    ("endpoint", "url", "callback"),
    [
        ("wss://a.example.com", "wss://a.example.com/live", "https://a.example.com/live"),
        ("ws://127.0.0.1:4566/ws/a", "ws://127.0.0.1:4566/ws/a/live", "http://127.0.0.1:4566/ws/a/live"),
    ],
)
def test_the_urls_need_no_stage(endpoint: str, url: str, callback: str) -> None:
    found: dict[str, str] = {}

    class Endpoint(Provider):
        def make(self, _resource: Resource) -> tuple[str, Props]:
            return "a1b2c3", {"apiEndpoint": endpoint}

    def body() -> None:
        api = WebSocketApi("socket", args())
        api.url.apply(lambda value: found.update(url=value))
        api.callback_url.apply(lambda value: found.update(callback=value))

    program_run.record(body, StackConfig("polyphony", "test", {}), Endpoint(), preview=False)
    assert found == {"url": url, "callback": callback}

"""WebSocket APIs: every route answers, the stage says what it takes and logs nothing that a client sent."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pulumi
import pytest

from components.blocks.function import Function, FunctionArgs
from components.blocks.stage_parts import Throttle
from components.blocks.websocket_api import Authorization, WebSocketApi, WebSocketApiArgs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from local import ROOT, program
from local.graph import Resource
from local.preview_provider import PreviewProvider
from local.stack_files import StackConfig
from local.values import Props
from tests.engine import Engine, Recorded, scope

LIVE = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-{}:live"
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
            entry="handlers.ingestion.sweeper.handler",
            settings=FunctionSettings(),
            environment=Environment,
            **changes,
        ),
    )


def serving(routes: Mapping[str, str] | None = None, **changes: Any) -> Callable[[], None]:
    """A program with an API whose routes are served by functions, named by what they are."""

    def body() -> None:
        api = WebSocketApi("socket", args(**changes))
        named = routes or dict.fromkeys(KEYS, "router")
        functions = {what: function(what) for what in sorted(set(named.values()))}
        api.serve({key: functions[what] for key, what in named.items()})

    return body


class Again(Provider):
    """Knows other ids, as when something was made anew."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        name, outputs = super().make(resource)
        return (
            (f"{name}-again", outputs)
            if resource.kind in {"Integration", "Route", "RouteResponse"}
            else (name, outputs)
        )


def deployed(body: Callable[[], object], provider: Provider | None = None) -> Recorded:
    """What a program registers where every id is known."""
    config = StackConfig(project="polyphony", stack="test", values={})
    return Recorded(program.record(body, config, provider or Provider(), preview=False).graph)


def routes_of(recorded: Recorded) -> dict[str, Mapping[str, Any]]:
    return {one.inputs["routeKey"]: one.inputs for one in recorded.all("apigatewayv2.Route")}


def test_messages_are_routed_by_their_action(engine: Engine) -> None:
    api = engine.run(serving()).one("apigatewayv2.Api").inputs
    assert (api["protocolType"], api["routeSelectionExpression"]) == ("WEBSOCKET", "$request.body.action")
    assert api["name"] == "polyphony-test-ingestion-socket"
    assert "disableExecuteApiEndpoint" not in api


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


def test_a_function_has_one_integration_by_its_alias_however_many_routes() -> None:
    recorded = deployed(serving({**dict.fromkeys(KEYS, "router"), "list": "reader"}))
    uris = {one.name: one.inputs["integrationUri"] for one in recorded.all("apigatewayv2.Integration")}
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    assert uris == {
        "ingestion-socket-router-integration": f"{path}/{LIVE.format('router')}/invocations",
        "ingestion-socket-reader-integration": f"{path}/{LIVE.format('reader')}/invocations",
    }
    routes = routes_of(recorded)
    assert routes["say"]["target"] == "integrations/ingestion-socket-router-integration-id"
    assert routes["list"]["target"] == "integrations/ingestion-socket-reader-integration-id"


def test_a_function_lets_this_stage_in_and_names_no_key_that_api_gateway_does_not_send() -> None:
    permission = deployed(serving()).one("lambda.Permission").inputs
    assert (permission["principal"], permission["qualifier"]) == ("apigateway.amazonaws.com", "live")
    assert permission["sourceArn"] == f"{ARN}/*"
    assert "sourceAccount" not in permission


@pytest.mark.parametrize("missing", ["$connect", "$disconnect", "$default"])
def test_a_special_route_without_a_function_is_refused(engine: Engine, missing: str) -> None:
    with pytest.raises(ValueError, match=rf"no function for \{missing}"):
        engine.run(serving({key: "router" for key in KEYS if key != missing}))


@pytest.mark.parametrize("key", ["$other", "two words", "", "x" * 129])
def test_a_route_that_nobody_could_ask_for_is_refused(engine: Engine, key: str) -> None:
    with pytest.raises(ValueError, match="cannot be a route"):
        engine.run(serving({**dict.fromkeys(KEYS, "router"), key: "router"}))


def test_it_is_served_once(engine: Engine) -> None:
    def body() -> None:
        api, router = WebSocketApi("socket", args()), function("router")
        api.serve(dict.fromkeys(KEYS, router))
        api.serve(dict.fromkeys(KEYS, router))

    with pytest.raises(ValueError, match="served already"):
        engine.run(body)


@pytest.mark.parametrize("stage", ["$default", "", "a/b", "x" * 129])
def test_a_name_that_no_stage_can_have_is_refused(engine: Engine, stage: str) -> None:
    with pytest.raises(ValueError, match="cannot name a stage"):
        engine.run(serving(stage=stage))


def test_whoever_connects_signs_where_that_is_asked_for() -> None:
    kinds = {
        key: one["authorizationType"] for key, one in routes_of(deployed(serving(authorization=Authorization.IAM))).items()
    }  # fmt: skip
    assert kinds == {"$connect": "AWS_IAM", "$disconnect": "NONE", "$default": "NONE", "say": "NONE"}


def test_what_checks_callers_is_a_tag_of_the_api(engine: Engine) -> None:
    assert "CallersCheckedBy" not in engine.run(serving()).one("apigatewayv2.Api").inputs["tags"]
    checked = engine.run(serving(checked_by="the router verifies the token")).one("apigatewayv2.Api").inputs["tags"]
    assert checked["CallersCheckedBy"] == "the router verifies the token"


@pytest.mark.parametrize("text", ["somebody", "checked by the router!", "x" * 257])
def test_a_tag_that_says_nothing_or_that_aws_refuses_is_refused(engine: Engine, text: str) -> None:
    with pytest.raises(ValueError, match="15 to 256"):
        engine.run(serving(checked_by=text))


def test_what_api_gateway_checks_nobody_else_does(engine: Engine) -> None:
    with pytest.raises(ValueError, match="give no checked_by"):
        engine.run(serving(authorization=Authorization.IAM, checked_by="the router verifies the token"))


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


def test_the_access_log_has_nothing_that_a_client_sent() -> None:
    settings = deployed(serving()).one("apigatewayv2.Stage").inputs["accessLogSettings"]
    logged = set(json.loads(settings["format"]).values())
    assert {"$context.requestId", "$context.routeKey", "$context.connectionId", "$context.integration.error"} <= logged
    assert not [one for one in logged if "identity" in one or "path" in one.lower() or "query" in one.lower()]
    assert settings["destinationArn"] == (
        "arn:aws:logs:us-east-1:123456789012:log-group:/aws/apigateway/polyphony-test-ingestion-socket"
    )


def test_both_log_groups_are_ours_and_expire() -> None:
    groups = {
        one.inputs["name"]: one.inputs["retentionInDays"] for one in deployed(serving()).all("cloudwatch.LogGroup")
    }
    assert groups["/aws/apigateway/polyphony-test-ingestion-socket"] == 90
    assert groups["/aws/apigateway/a1b2c3/live"] == 90, "API Gateway's own name for the execution log"


def test_the_stage_opens_when_all_is_there(engine: Engine) -> None:
    recorded = engine.run(serving())
    before = {one.name for one in recorded.ancestors(recorded.one("apigatewayv2.Stage"))}
    assert {one.name for one in recorded.all("apigatewayv2.RouteResponse")} <= before
    assert {one.name for one in recorded.all("lambda.Permission")} <= before
    assert {"ingestion-socket-access-logs", "ingestion-socket-execution-logs"} <= before
    assert {one.name for one in recorded.all("lambda.Alias")} <= before


def triggers(**changes: Any) -> Any:
    return deployed(serving(**changes)).one("apigatewayv2.Deployment").inputs["triggers"]


def test_what_is_the_same_is_not_deployed_again() -> None:
    assert triggers() == triggers()


@pytest.mark.parametrize(
    "change",
    [
        {"routes": {**dict.fromkeys(KEYS, "router"), "list": "router"}},
        {"routes": {**dict.fromkeys(KEYS, "router"), "say": "reader"}},
        {"authorization": Authorization.IAM},
    ],
    ids=["another route", "another function", "another authorization"],
)
def test_whatever_of_the_routes_changes_is_deployed(change: dict[str, Any]) -> None:
    assert triggers(**change) != triggers()


def test_what_was_made_anew_is_deployed_too() -> None:
    assert deployed(serving(), Again()).one("apigatewayv2.Deployment").inputs["triggers"] != triggers()


def watched(**changes: Any) -> dict[str, tuple[float, str]]:
    alarms = [one.inputs for one in deployed(serving(**changes)).all("cloudwatch.MetricAlarm")]
    found = [one for one in alarms if one["namespace"] == "AWS/ApiGateway"]
    assert all(one["dimensions"] == {"ApiId": "a1b2c3", "Stage": "live"} for one in found)
    assert all((one["statistic"], one["period"]) == ("Sum", 300) for one in found)
    return {one["metricName"]: (one["threshold"], one["name"].rpartition("-")[2]) for one in found}


def test_errors_ring_above_their_thresholds() -> None:
    assert watched() == {"ExecutionError": (0, "critical"), "IntegrationError": (10, "critical")}
    assert watched(execution_errors_above=1, integration_errors_above=2, client_errors_above=3) == {
        "ExecutionError": (1, "critical"),
        "IntegrationError": (2, "critical"),
        "ClientError": (3, "warning"),
    }


def test_the_alarms_name_a_page_that_is_there(engine: Engine) -> None:
    alarms = engine.run(serving(client_errors_above=0)).all("cloudwatch.MetricAlarm")
    pages = {one.inputs["alarmDescription"].rpartition("Runbook: ")[2] for one in alarms}
    assert "docs/runbooks/websocket-errors.md" in pages
    assert all((ROOT / Path(page)).exists() for page in pages)


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

    program.record(body, StackConfig("polyphony", "test", {}), Endpoint(), preview=False)
    assert found == {"url": url, "callback": callback}


def test_a_function_may_know_the_callback_url_before_it_is_served() -> None:
    def body() -> None:
        api = WebSocketApi("socket", args())
        values = {"callback_url": api.callback_url}
        api.serve(dict.fromkeys(KEYS, function("router", values=values, grants=[api.grant_post()])))

    recorded = deployed(body)
    variables = recorded.one("lambda.Function").inputs["environment"]["variables"]
    assert variables["CALLBACK_URL"] == "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"
    (own, posting) = [json.loads(one.inputs["policy"]) for one in recorded.all("iam.RolePolicy")]
    assert "execute-api" not in json.dumps(own)
    assert posting["Statement"] == [
        {
            "Action": ["execute-api:ManageConnections"],
            "Effect": "Allow",
            "Resource": [f"{ARN}/POST/@connections/*"],
        }
    ]


def test_callers_may_be_let_connect_and_nothing_else() -> None:
    def body() -> None:
        api = WebSocketApi("socket", args(authorization=Authorization.IAM))
        function("caller", grants=[api.grant_connect()])

    (own, connecting) = [json.loads(one.inputs["policy"]) for one in deployed(body).all("iam.RolePolicy")]
    assert "execute-api" not in json.dumps(own)
    assert connecting["Statement"] == [
        {"Action": ["execute-api:Invoke"], "Effect": "Allow", "Resource": [f"{ARN}/$connect"]}
    ]


def test_what_waits_for_an_id_is_unknown_at_preview(engine: Engine) -> None:
    def body() -> None:
        api = WebSocketApi("socket", args())
        assert not api.grant_post().known
        pulumi.export("url", api.url)

    engine.run(body)

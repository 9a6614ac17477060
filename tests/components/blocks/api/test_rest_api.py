"""REST APIs: one document decides, the stage says what it takes and logs nothing that a client sent."""

import json
from collections.abc import Callable
from typing import Any

import pulumi
import pytest

from components.blocks.api.rest_api import Judge, RestApi, RestApiArgs
from components.blocks.api.rest_rate_limits import Plan
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_settings import Throttle
from components.blocks.compute.function import Function, FunctionArgs
from components.settings import FunctionSettings
from handlers.common.environment import HandlerEnvironment
from handlers.common.http.rest_operations import RestOperation
from handlers.common.websocket.messages import Message
from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
from local.preview.property_values import Props
from local.preview.resource_graph import Resource
from local.preview.stack_files import StackConfig
from tests.fake_engine import Engine, Recorded, foundation_settings, scope
from tests.policies.policy_harness import BY_NAME, ask, of_graph, surroundings

ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3"
LIVE = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-{}:live"
URL = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/api"


class NotePath(Message):
    note_id: str


class Note(Message):
    text: str


READ = RestOperation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=NotePath, answer=Note)
MAKE = RestOperation("makeNote", "POST", "/notes", "Makes.", body=Note, answer=Note)
PLAN = Plan(rate=5, burst=10, requests_per_day=1000)


class Provider(PreviewProvider):
    """Knows the ids that AWS would give, as after a deployment."""

    def make(self, resource: Resource) -> tuple[str, Props]:
        if resource.kind == "RestApi":
            return "a1b2c3", {}
        if resource.kind == "Stage":
            return "stage", {"invokeUrl": URL, "arn": "arn:stage"}
        return f"{resource.name}-id", {"arn": f"arn:{resource.name}"} if resource.kind == "WebAcl" else {}


def function(what: str) -> Function:
    return Function(
        what,
        FunctionArgs(
            scope=scope(),
            logical_name=what,
            entry="handlers.ingestion.sweeper.handler.handler",
            settings=FunctionSettings.model_validate({"timeoutSeconds": 25}),
            environment=HandlerEnvironment,
        ),
    )


def making(answers: str = "notes", *, judged: bool = False, **changes: Any) -> Callable[[], RestApi]:
    """Return a program with an API that one function answers."""

    def body() -> RestApi:
        given: dict[str, Any] = {
            "scope": scope(),
            "logical_name": "NotesApi",
            "operations": (READ, MAKE),
            "function": function(answers),
            "throttle": Throttle(rate=50, burst=100),
            "alarms": RestAlarms(client_errors_above=2, latency_above_ms=3),
            **({"judge": Judge(function("judge"), 60)} if judged else {}),
        }
        return RestApi("notes-api", RestApiArgs(**{**given, **changes}))

    return body


def deployed(body: Callable[[], object]) -> Recorded:
    """What a program registers where every id is known."""
    config = StackConfig(project="polyphony", stack="test", values={})

    def program_body() -> None:
        body()

    return Recorded(program_run.record(program_body, config, Provider(), preview=False).graph)


def body_of(recorded: Recorded) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(recorded.one("apigateway.RestApi").inputs["body"])
    return body


def test_the_document_is_known_before_anything_exists(engine: Engine) -> None:
    recorded = engine.run(making())
    api = recorded.one("apigateway.RestApi").inputs
    assert api["name"] == "polyphony-test-ingestion-notes-api"
    assert api["endpointConfiguration"]["types"] == "REGIONAL"
    assert api["disableExecuteApiEndpoint"] is False
    assert "minimumCompressionSize" not in api
    uri = body_of(recorded)["paths"]["/notes"]["post"]["x-amazon-apigateway-integration"]["uri"]
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    assert uri == f"{path}/{LIVE.format('notes')}/invocations"


def test_its_stage_may_call_the_function_and_the_gateway_whoever_judges() -> None:
    [permission] = [one.inputs for one in deployed(making()).all("lambda.Permission")]
    assert (permission["principal"], permission["qualifier"]) == ("apigateway.amazonaws.com", "live")
    assert permission["sourceArn"] == f"{ARN}/api/*"
    assert "sourceAccount" not in permission, "not documented to be sent: the condition might never hold"
    judged = deployed(making(judged=True))
    sources = {one.inputs["sourceArn"] for one in judged.all("lambda.Permission")}
    assert sources == {f"{ARN}/api/*", f"{ARN}/authorizers/*"}
    scheme = body_of(judged)["components"]["securitySchemes"]["lambda"]["x-amazon-apigateway-authorizer"]
    assert LIVE.format("judge") in scheme["authorizerUri"]
    assert scheme["authorizerResultTtlInSeconds"] == 60


def triggers(**changes: Any) -> Any:
    return deployed(making(**changes)).one("apigateway.Deployment").inputs["triggers"]


@pytest.mark.parametrize(
    "change",
    [
        {"operations": (READ,)},
        {"cors_origin": "https://page.example.com"},
        {"answers": "maker"},
        {"plan": PLAN},
        {"bodies_validated": False},
    ],
    ids=["operations", "origin", "function", "authorization", "bodies"],
)
def test_whatever_of_the_document_changes_is_deployed_and_nothing_else(change: dict[str, Any]) -> None:
    assert triggers() == triggers(throttle=Throttle(1, 1))
    assert triggers(**change) != triggers()


def test_the_stage_opens_when_all_is_there(engine: Engine) -> None:
    recorded = engine.run(making())
    before = {one.name for one in recorded.ancestors(recorded.one("apigateway.Stage"))}
    assert {one.name for kind in ("Permission", "Alias") for one in recorded.all(f"lambda.{kind}")} <= before
    groups = {"ingestion-notes-api-access-logs", "ingestion-notes-api-execution-logs"}
    assert {"ingestion-notes-api-deployment", *groups} <= before


def test_the_stage_is_traced_and_its_methods_throttled_measured_and_logged() -> None:
    recorded = deployed(making())
    stage = recorded.one("apigateway.Stage").inputs
    assert (stage["stageName"], stage["xrayTracingEnabled"]) == ("api", True)
    settings = recorded.one("apigateway.MethodSettings").inputs
    assert (settings["methodPath"], settings["stageName"], settings["restApi"]) == ("*/*", "api", "a1b2c3")
    assert settings["settings"] == {
        "metricsEnabled": True,
        "loggingLevel": "ERROR",
        "dataTraceEnabled": False,
        "throttlingRateLimit": 50,
        "throttlingBurstLimit": 100,
    }
    unmeasured = scope(foundation=foundation_settings(logs={"methodMetrics": False}))
    quiet = deployed(making(scope=unmeasured)).one("apigateway.MethodSettings").inputs
    assert quiet["settings"]["metricsEnabled"] is False


def test_the_access_log_has_nothing_that_a_client_sent_and_both_logs_expire() -> None:
    recorded = deployed(making())
    settings = recorded.one("apigateway.Stage").inputs["accessLogSettings"]
    logged = set(json.loads(settings["format"]).values())
    assert {"$context.requestId", "$context.resourcePath", "$context.status", "$context.error.responseType"} <= logged
    sent = ("identity", "$context.path", "query", "body", "error.message", "validationError", "$context.authorizer.c")
    assert not [one for one in logged for word in sent if word in one]
    assert settings["destinationArn"].endswith(":log-group:/aws/apigateway/polyphony-test-ingestion-notes-api")
    groups = {one.inputs["name"]: one.inputs["retentionInDays"] for one in recorded.all("cloudwatch.LogGroup")}
    assert groups["/aws/apigateway/polyphony-test-ingestion-notes-api"] == 90
    assert groups["API-Gateway-Execution-Logs_a1b2c3/api"] == 90, "API Gateway's own name"


def test_a_key_comes_with_its_plan_and_is_never_shown() -> None:
    recorded = deployed(making(plan=PLAN))
    plan = recorded.one("apigateway.UsagePlan").inputs
    assert plan["apiStages"] == [{"apiId": "a1b2c3", "stage": "api"}]
    assert plan["throttleSettings"] == {"rateLimit": 5, "burstLimit": 10}
    assert plan["quotaSettings"] == {"limit": 1000, "period": "DAY"}
    key = recorded.one("apigateway.ApiKey")
    assert "value" not in key.inputs
    assert "value" in key.request.additionalSecretOutputs
    joined = recorded.one("apigateway.UsagePlanKey").inputs
    assert (joined["keyId"], joined["usagePlanId"]) == ("ingestion-notes-api-key-id", "ingestion-notes-api-plan-id")


def test_a_firewall_counts_by_address_and_stands_before_the_stage() -> None:
    assert deployed(making()).all("wafv2.WebAcl") == []
    recorded = deployed(making(requests_per_address=500))
    (rule,) = recorded.one("wafv2.WebAcl").inputs["rules"]
    assert rule["statement"]["rateBasedStatement"] == {
        "limit": 500,
        "aggregateKeyType": "IP",
        "evaluationWindowSec": 300,
    }
    assert rule["action"] == {"block": {}}
    association = recorded.one("wafv2.WebAclAssociation").inputs
    assert association == {"resourceArn": "arn:stage", "webAclArn": "arn:ingestion-notes-api-firewall"}


def test_its_address_is_the_stages_and_its_dimensions_are_known() -> None:
    found: dict[str, Any] = {}

    def body() -> None:
        api = making()()
        found.update(api.dimensions)
        api.url.apply(lambda url: found.update(url=url))

    deployed(body)
    assert found == {"ApiName": "polyphony-test-ingestion-notes-api", "Stage": "api", "url": URL}


STACK_WIDE = {"cost-estimate", "budget-exists", "anomaly-detection-exists"}


def found_by_policies(body: Callable[[], object], *, undecided: bool = False) -> set[tuple[str, str]]:
    """What the policy pack finds at fault in prod, or cannot judge, of what is known before a deployment."""

    def exported() -> None:
        pulumi.export("made", str(body()))

    where = surroundings("prod")
    config = StackConfig(project="polyphony", stack="test", values={})
    graph = program_run.record(exported, config, PreviewProvider(), preview=True).graph
    asked = [one for name, one in BY_NAME.items() if name not in STACK_WIDE]
    return {(one.policy, one.name) for one in ask(asked, of_graph(graph), where) if one.undecided is undecided}


def test_the_policies_find_nothing_at_fault_but_an_open_api() -> None:
    body = making(judged=True, requests_per_address=500)
    assert found_by_policies(body) == set()
    assert found_by_policies(body, undecided=True) == {
        ("firewall-where-possible", "ingestion-notes-api-firewall-association")
    }, "the stage's ARN has an id that AWS invents"
    assert found_by_policies(making()) == {("api-asks-who-calls", "ingestion-notes-api-api")}

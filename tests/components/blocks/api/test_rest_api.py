"""Tests of REST APIs: the document that API Gateway imports, the stage, logs and permissions."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from components.blocks.api.rest_api import AuthorizerFunction, RestApi, RestApiArgs
from components.blocks.api.rest_stage import RestAlarms
from components.blocks.api.stage_throttle_and_logs import Throttle
from handlers.common.http.rest_operation_declaration import RestOperation
from handlers.common.json_models import Message
from tests.components.deployment_harness import STAGE_URL, deploy, rest_document, sample_function
from tests.fake_engine import Engine, Recorded, foundation_settings, scope

EXECUTE_API_ARN = "arn:aws:execute-api:us-east-1:123456789012:a1b2c3"
ALIAS_ARN = "arn:aws:lambda:us-east-1:123456789012:function:polyphony-test-ingestion-{}:live"


class NotePath(Message):
    note_id: str


class Note(Message):
    text: str


READ_NOTE = RestOperation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=NotePath, answer=Note)
CREATE_NOTE = RestOperation("createNote", "POST", "/notes", "Creates.", body=Note, answer=Note)


def api_program(function_name: str = "notes", *, authorized: bool = False, **changes: Any) -> Callable[[], RestApi]:
    """Return a program with an API that one function answers."""

    def body() -> RestApi:
        default_args: dict[str, Any] = {
            "scope": scope(),
            "display_name": "NotesApi",
            "operations": (READ_NOTE, CREATE_NOTE),
            "function": sample_function(function_name),
            "throttle": Throttle(rate=50, burst=100),
            "alarms": RestAlarms(client_errors_above=2, latency_above_ms=3),
            **({"authorizer": AuthorizerFunction(sample_function("authorizer"), 60)} if authorized else {}),
        }
        return RestApi("notes-api", RestApiArgs(**{**default_args, **changes}))

    return body


@cache
def default_api() -> Recorded:
    return deploy(api_program())


def test_a_preview_contains_the_document_that_api_gateway_imports(engine: Engine) -> None:
    recorded = engine.run(api_program())
    api = recorded.one("apigateway.RestApi").inputs
    assert api["name"] == "polyphony-test-ingestion-notes-api"
    assert api["endpointConfiguration"]["types"] == "REGIONAL"
    assert api["disableExecuteApiEndpoint"] is False, "clients use this endpoint"
    assert "minimumCompressionSize" not in api
    uri = rest_document(recorded)["paths"]["/notes"]["post"]["x-amazon-apigateway-integration"]["uri"]
    path = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions"
    assert uri == f"{path}/{ALIAS_ARN.format('notes')}/invocations"


def test_the_stage_may_call_the_function_and_the_gateway_the_authorizer() -> None:
    [permission] = [resource.inputs for resource in default_api().all("lambda.Permission")]
    assert (permission["principal"], permission["qualifier"]) == ("apigateway.amazonaws.com", "live")
    assert permission["sourceArn"] == f"{EXECUTE_API_ARN}/api/*"
    assert "sourceAccount" not in permission, (
        "API Gateway is not documented to send it, so the condition might never hold"
    )
    authorized = deploy(api_program(authorized=True))
    sources = {resource.inputs["sourceArn"] for resource in authorized.all("lambda.Permission")}
    assert sources == {f"{EXECUTE_API_ARN}/api/*", f"{EXECUTE_API_ARN}/authorizers/*"}
    scheme = rest_document(authorized)["components"]["securitySchemes"]["lambda"]["x-amazon-apigateway-authorizer"]
    assert ALIAS_ARN.format("authorizer") in scheme["authorizerUri"]
    assert scheme["authorizerResultTtlInSeconds"] == 60


def triggers(recorded: Recorded) -> Any:
    return recorded.one("apigateway.Deployment").inputs["triggers"]


@pytest.mark.parametrize(
    "change",
    [
        {"operations": (READ_NOTE,)},
        {"cors_origin": "https://page.example.com"},
        {"function_name": "maker"},
        {"authorized": True},
        {"bodies_validated": False},
    ],
    ids=["operations", "CORS origin", "function", "authorizer", "validation of bodies"],
)
def test_a_change_of_the_document_triggers_a_deployment(change: dict[str, Any]) -> None:
    assert triggers(deploy(api_program(**change))) != triggers(default_api())


def test_a_change_of_the_throttle_triggers_no_deployment() -> None:
    assert triggers(deploy(api_program(throttle=Throttle(1, 1)))) == triggers(default_api())


def test_the_stage_is_created_last(engine: Engine) -> None:
    recorded = engine.run(api_program())
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("apigateway.Stage"))}
    for kind in ("lambda.Permission", "lambda.Alias"):
        assert {resource.name for resource in recorded.all(kind)} <= earlier_names
    log_groups = {"ingestion-notes-api-access-logs", "ingestion-notes-api-execution-logs"}
    assert {"ingestion-notes-api-deployment", *log_groups} <= earlier_names


def test_the_stage_is_traced_and_its_methods_throttled_measured_and_logged() -> None:
    recorded = default_api()
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
    scope_without_metrics = scope(foundation=foundation_settings(logs={"methodMetrics": False}))
    settings = deploy(api_program(scope=scope_without_metrics)).one("apigateway.MethodSettings").inputs
    assert settings["settings"]["metricsEnabled"] is False


def test_the_access_log_has_no_client_data_and_both_logs_expire() -> None:
    recorded = default_api()
    settings = recorded.one("apigateway.Stage").inputs["accessLogSettings"]
    variables = set(json.loads(settings["format"]).values())
    expected = {"$context.requestId", "$context.resourcePath", "$context.status", "$context.error.responseType"}
    assert expected <= variables
    client_data = (
        *("identity", "$context.path", "query", "body", "error.message", "validationError"),
        "$context.authorizer.c",  # the claims of the caller's token
    )
    assert not [variable for variable in variables for text in client_data if text in variable]
    assert settings["destinationArn"].endswith(":log-group:/aws/apigateway/polyphony-test-ingestion-notes-api")
    groups = {
        resource.inputs["name"]: resource.inputs["retentionInDays"] for resource in recorded.all("cloudwatch.LogGroup")
    }
    assert groups["/aws/apigateway/polyphony-test-ingestion-notes-api"] == 90
    assert groups["API-Gateway-Execution-Logs_a1b2c3/api"] == 90, "API Gateway chooses this name"


def test_the_api_provides_its_url() -> None:
    urls: list[str] = []
    deploy(lambda: api_program()().url.apply(urls.append))
    assert urls == [STAGE_URL]

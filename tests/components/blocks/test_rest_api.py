"""Tests of REST APIs: the order of their resources, deployments and access log."""

import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from components.blocks.rest_api import RestApi
from handlers.common.json_models import Message
from handlers.common.rest import RestOperation
from tests.components.deployment_harness import deploy, sample_function
from tests.fake_engine import Engine, Recorded, scope


class NotePath(Message):
    note_id: str


class Note(Message):
    text: str


READ_NOTE = RestOperation("readNote", "GET", "/notes/{noteId}", "Reads.", parameters=NotePath, answer=Note)
CREATE_NOTE = RestOperation("createNote", "POST", "/notes", "Creates.", body=Note, answer=Note)


def api_program(function_name: str = "steps", *, authorized: bool = False, **changes: Any) -> Callable[[], RestApi]:
    """Return a program with an API that one function answers."""

    def body() -> RestApi:
        arguments: dict[str, Any] = {
            "display_name": "NotesApi",
            "operations": (READ_NOTE, CREATE_NOTE),
            "function": sample_function(function_name),
            "requests_per_second": 50,
            "client_errors_above": 2,
            "latency_above_ms": 3,
            **({"authorizer": sample_function("sweeper"), "authorizer_seconds": 60} if authorized else {}),
        }
        return RestApi(scope(), "notes-api", **{**arguments, **changes})

    return body


@cache
def default_api() -> Recorded:
    return deploy(api_program())


def triggers(recorded: Recorded) -> Any:
    return recorded.one("apigateway.Deployment").inputs["triggers"]


@pytest.mark.parametrize(
    "change",
    [
        {"operations": (READ_NOTE,)},
        {"cors_origin": "https://page.example.com"},
        {"function_name": "manifest-builder"},
        {"authorized": True},
        {"bodies_validated": False},
    ],
    ids=["operations", "CORS origin", "function", "authorizer", "validation of bodies"],
)
def test_a_change_of_the_document_triggers_a_deployment(change: dict[str, Any]) -> None:
    assert triggers(deploy(api_program(**change))) != triggers(default_api())


def test_another_limit_of_requests_changes_the_stage_without_a_deployment() -> None:
    limited = deploy(api_program(requests_per_second=1))
    assert triggers(limited) == triggers(default_api())
    settings = limited.one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (1, 2)


def test_the_stage_is_created_last(engine: Engine) -> None:
    recorded = engine.run(api_program(authorized=True))
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("apigateway.Stage"))}
    for kind in ("lambda.Permission", "lambda.Alias"):
        assert {resource.name for resource in recorded.all(kind)} <= earlier_names
    log_groups = {"ingestion-notes-api-access-logs", "ingestion-notes-api-execution-logs"}
    assert {"ingestion-notes-api-deployment", *log_groups} <= earlier_names


def test_logs_have_no_client_data_and_the_groups_that_api_gateway_writes_to() -> None:
    recorded = default_api()
    variables = json.loads(recorded.one("apigateway.Stage").inputs["accessLogSettings"]["format"]).values()
    client_data = (
        *("identity", "$context.path", "query", "body", "error.message", "validationError"),
        "$context.authorizer.c",  # the claims of the caller's token
    )
    assert not [variable for variable in variables for text in client_data if text in variable]
    assert recorded.one("apigateway.MethodSettings").inputs["settings"]["dataTraceEnabled"] is False
    groups = {group.inputs["name"] for group in recorded.all("cloudwatch.LogGroup")}
    assert {
        "/aws/apigateway/polyphony-test-ingestion-notes-api",
        "API-Gateway-Execution-Logs_a1b2c3/api",  # API Gateway chooses this name
    } <= groups

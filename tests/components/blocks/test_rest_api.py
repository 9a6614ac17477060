"""Tests of REST APIs: the order of their resources, and deployments."""

from functools import partial
from typing import Any

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


def create_api(*, authorized: bool = False, **changes: Any) -> RestApi:
    """Create an API that one function answers."""
    arguments: dict[str, Any] = {
        "display_name": "NotesApi",
        "operations": (READ_NOTE, CREATE_NOTE),
        "function": sample_function("steps"),
        "requests_per_second": 50,
        "client_errors_above": 2,
        "latency_above_ms": 3,
        **({"authorizer": sample_function("sweeper"), "authorizer_seconds": 60} if authorized else {}),
    }
    return RestApi(scope(), "notes-api", **{**arguments, **changes})


def triggers(recorded: Recorded) -> Any:
    return recorded.one("apigateway.Deployment").inputs["triggers"]


def test_any_change_of_the_document_triggers_a_deployment_and_another_limit_of_requests_does_not() -> None:
    default, limited = deploy(create_api), deploy(lambda: create_api(requests_per_second=1))
    changes: list[dict[str, Any]] = [
        {"operations": (READ_NOTE,)},
        {"cors_origin": "https://page.example.com"},
        {"authorized": True},
    ]
    for change in changes:
        assert triggers(deploy(partial(create_api, **change))) != triggers(default)
    assert triggers(limited) == triggers(default)
    settings = limited.one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (1, 2)
    assert settings["metricsEnabled"] is False, "each metric of a method costs money"


def test_the_stage_is_created_last(engine: Engine) -> None:
    recorded = engine.run(lambda: create_api(authorized=True))
    earlier_names = {resource.name for resource in recorded.ancestors(recorded.one("apigateway.Stage"))}
    for kind in ("lambda.Permission", "lambda.Alias"):
        assert {resource.name for resource in recorded.all(kind)} <= earlier_names
    log_groups = {"ingestion-notes-api-access-logs", "ingestion-notes-api-execution-logs"}
    assert {"ingestion-notes-api-deployment", *log_groups} <= earlier_names


def test_the_execution_log_has_the_name_that_api_gateway_chooses() -> None:
    groups = {group.inputs["name"] for group in deploy(create_api).all("cloudwatch.LogGroup")}
    assert {"/aws/apigateway/polyphony-test-ingestion-notes-api", "API-Gateway-Execution-Logs_a1b2c3/api"} <= groups

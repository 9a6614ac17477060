"""Tests of transcription's resources: environment variables, tables, routes and limits.

The function `router` receives the messages of clients, and `audio-processor` transcribes one utterance per invocation.
"""

from typing import Any

import pytest

from components.transcription.transcription import DISCARD_REASON
from handlers.transcription.messages import REQUESTS
from handlers.transcription.router.environment import RouterEnvironment
from local.preview.property_value_conversion import UNKNOWN
from tests.components.deployment_harness import variables
from tests.components.transcription.recorded_deployment import CALLBACK, PREFIX, PROCESSOR, ROUTER, deployed, previewed

OIDC = {"issuer": "https://login.example.com/", "audience": "polyphony"}

REQUIRED_VARIABLES = {
    "PARTIAL_RESULTS_ENABLED": "true",
    "MIN_STABILITY_THRESHOLD": "0.85",
    "MAX_BUFFER_TIMEOUT": "5.0",
    "PAUSE_THRESHOLD": "2.0",
    "ORPHAN_TIMEOUT": "15.0",
    "MAX_RATE_PER_SECOND": "5",
    "DEDUP_CACHE_TTL": "10",
    "SESSIONS_TABLE_NAME": f"{PREFIX}-sessions",
    "LOG_LEVEL": "INFO",
    "STRUCTURED_LOGGING": "true",
}
"""Environment variables of the customer's requirement, except AWS_REGION, which Lambda sets itself and accepts from no
deployment."""
ADDED_VARIABLES = {
    "LIVE_TABLE_NAME": f"{PREFIX}-live",
    "POWERTOOLS_SERVICE_NAME": "transcription",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": CALLBACK,
}
"""Further environment variables: live table, log service name and callback endpoint."""


def test_the_processor_reads_the_variables_of_the_requirement_and_three_more() -> None:
    assert variables(deployed(), "audio-processor") == {**REQUIRED_VARIABLES, **ADDED_VARIABLES}


@pytest.mark.parametrize(
    ("function", "unknown"), [("audio-processor", {"AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"}), ("router", set())]
)
def test_only_the_callback_endpoint_is_unknown_in_a_preview(function: str, unknown: set[str]) -> None:
    assert {name for name, value in variables(previewed(), function).items() if value is UNKNOWN} == unknown


@pytest.mark.parametrize(
    ("settings", "name", "value"),
    [
        ({"captions": {"partialResultsEnabled": False}}, "PARTIAL_RESULTS_ENABLED", "false"),
        ({"captions": {"minStabilityThreshold": 0.5}}, "MIN_STABILITY_THRESHOLD", "0.5"),
        ({"captions": {"maxBufferTimeout": 3}}, "MAX_BUFFER_TIMEOUT", "3.0"),
        ({"captions": {"pauseThreshold": 1.5}}, "PAUSE_THRESHOLD", "1.5"),
        ({"captions": {"orphanTimeout": 20}}, "ORPHAN_TIMEOUT", "20.0"),
        ({"captions": {"maxRatePerSecond": 9}}, "MAX_RATE_PER_SECOND", "9"),
        ({"captions": {"dedupCacheTtl": 0}}, "DEDUP_CACHE_TTL", "0"),
        ({"structuredLogging": False}, "STRUCTURED_LOGGING", "false"),
    ],
)
def test_every_variable_of_the_requirement_has_a_setting_that_changes_no_other(
    settings: dict[str, Any], name: str, value: str
) -> None:
    default = variables(previewed(), "audio-processor")
    changed = variables(previewed(**settings), "audio-processor")
    assert {key: changed[key] for key in changed if changed[key] != default[key]} == {name: value}


def test_the_routers_environment_names_the_processor_and_the_limits_of_a_session() -> None:
    default = variables(deployed(), "router")
    assert RouterEnvironment.model_validate(default).processor == f"{PROCESSOR}:live"
    limits = ("IN_FLIGHT", "SESSION_SECONDS")
    assert [default[name] for name in limits] == ["3", "14400"]
    for name in ("SESSIONS_TABLE_NAME", "LIVE_TABLE_NAME"):
        assert default[name] == variables(deployed(), "audio-processor")[name]
    changed = variables(previewed(sessions={"inFlight": 2, "hours": 1}), "router")
    assert [changed[name] for name in limits] == ["2", "3600"]


def test_the_router_verifies_tokens_of_the_identity_provider_and_a_tag_of_the_api_says_so() -> None:
    recorded = previewed({"identity": OIDC})
    environment = variables(recorded, "router")
    assert (environment["AUTH"], environment["ISSUER"]) == ("oidc", OIDC["issuer"])
    assert environment["AUDIENCE"] == OIDC["audience"]
    assert environment["JWKS_URL"] == "https://login.example.com/.well-known/jwks.json"
    assert recorded.one("apigatewayv2.Api").inputs["tags"]["CallersCheckedBy"]
    assert not set(variables(recorded, "audio-processor")) & {"ISSUER", "AUDIENCE", "JWKS_URL"}


def test_without_authentication_the_api_has_no_tag_about_a_check() -> None:
    environment = variables(previewed(), "router")
    assert environment["AUTH"] == "none"
    assert not set(environment) & {"ISSUER", "AUDIENCE", "JWKS_URL"}
    assert "CallersCheckedBy" not in previewed().one("apigatewayv2.Api").inputs["tags"]


def test_the_processor_has_512_mb_one_minute_and_a_version_by_default() -> None:
    default = deployed().one("lambda.Function", "audio-processor").inputs
    assert (default["memorySize"], default["timeout"], default["publish"]) == (512, 60, True)
    alias = deployed().one("lambda.Alias", "audio-processor").inputs
    assert (alias["name"], alias["functionName"], alias["functionVersion"]) == ("live", default["name"], "7")
    settings = {"memoryMb": 768, "reservedConcurrency": 20}
    changed = previewed(audioProcessor=settings).one("lambda.Function", "audio-processor").inputs
    assert (changed["memorySize"], changed["reservedConcurrentExecutions"]) == (768, 20)


def test_an_utterance_is_tried_once_within_a_minute_and_its_audio_is_not_stored() -> None:
    assert deployed().one("lambda.FunctionEventInvokeConfig", "audio-processor").inputs == {
        "functionName": f"{PREFIX}-audio-processor",
        "qualifier": "live",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 60,
    }
    tags = deployed().one("lambda.Function", "audio-processor").inputs["tags"]
    assert tags["Reason"] == DISCARD_REASON
    assert "audio" in DISCARD_REASON


def table(name: str) -> dict[str, Any]:
    return deployed().one("dynamodb.Table", name).inputs


@pytest.mark.parametrize(("name", "key"), [("sessions", "session_id"), ("live", "pk")])
def test_items_are_found_by_their_key_alone(name: str, key: str) -> None:
    inputs = table(name)
    assert (inputs["hashKey"], inputs.get("rangeKey")) == (key, None)
    assert inputs["attributes"] == [{"name": key, "type": "S"}]
    assert inputs["globalSecondaryIndexes"] == []


@pytest.mark.parametrize("name", ["sessions", "live"])
def test_items_expire_and_have_a_reason_for_no_backup(name: str) -> None:
    inputs = table(name)
    assert inputs["ttl"] == {"attributeName": "ttl", "enabled": True}
    assert inputs["tags"]["Backup"] == "none"
    assert len(inputs["tags"]["Reason"]) >= 15


def test_there_is_a_route_for_every_action_and_a_default_route() -> None:
    keys = {route.inputs["routeKey"] for route in deployed().all("apigatewayv2.Route")}
    assert keys == {"$connect", "$default", "$disconnect", *REQUESTS}
    (integration,) = deployed().all("apigatewayv2.Integration")
    assert integration.inputs["integrationUri"].endswith(f"/functions/{ROUTER}:live/invocations")


def test_the_stages_rate_limit_is_a_setting_and_its_burst_is_twice_as_large() -> None:
    for recorded, expected in ((previewed(), (100, 200)), (previewed(requestsPerSecond=7), (7, 14))):
        stage = recorded.one("apigatewayv2.Stage").inputs
        limits = stage["defaultRouteSettings"]
        assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == expected
        assert stage["name"] == "live"

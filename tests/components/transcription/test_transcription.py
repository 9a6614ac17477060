"""Tests of transcription's resources: environment variables, sizes, permissions, limits, alarms and cost.

The function `router` receives the messages of clients, and `audio-processor` transcribes one utterance per invocation.
"""

import json
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from components.transcription.cost import monthly_usage
from components.transcription.transcription import DISCARD_REASON
from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketDispatcher
from handlers.transcription.messages import REQUESTS
from operations.lambda_versions import LiveFunction
from tests.components.deployment_harness import arn, variables
from tests.components.deployments import ISSUER, OIDC, TRANSCRIPTION
from tests.handlers.transcription.router_harness import TranscriptionHarness
from tests.loggers import own_logger

PREFIX, deployed = TRANSCRIPTION.prefix, TRANSCRIPTION.deployed
PROCESSOR = arn("lambda", f"function:{PREFIX}-audio-processor")
CALLBACK = "https://a1b2c3.execute-api.us-east-1.amazonaws.com/live"
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
    "LAST_RESULTS_MS": "1500",
    "POWERTOOLS_SERVICE_NAME": "transcription",
    "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI": CALLBACK,
}
"""Further environment variables: time limit of the last captions, log service name and callback endpoint."""


def test_the_processor_reads_the_variables_of_the_requirement_and_three_more() -> None:
    assert variables(deployed(), "audio-processor") == {**REQUIRED_VARIABLES, **ADDED_VARIABLES}


CHANGED_SETTINGS: dict[str, Any] = {
    "captions": {
        "partialResultsEnabled": False,
        "minStabilityThreshold": 0.5,
        "maxBufferTimeout": 3,
        "pauseThreshold": 1.5,
        "orphanTimeout": 20,
        "maxRatePerSecond": 9,
        "dedupCacheTtl": 0,
    },
    "structuredLogging": False,
    "sessions": {"inFlight": 2, "languages": ["de-DE", "en-GB"]},
    "audioProcessor": {"memoryMb": 768, "reservedConcurrency": 20},
}


def test_every_variable_of_the_requirement_has_a_setting() -> None:
    changed = variables(deployed(**CHANGED_SETTINGS), "audio-processor")
    changed_values = ("false", "0.5", "3.0", "1.5", "20.0", "9", "0", f"{PREFIX}-sessions", "INFO", "false")
    assert [changed[name] for name in REQUIRED_VARIABLES] == list(changed_values)


def test_the_routers_environment_names_the_processor_and_the_limits_of_a_session() -> None:
    changed = variables(deployed(**CHANGED_SETTINGS), "router")
    names = ("PROCESSOR", "IN_FLIGHT", "LANGUAGES")
    assert [changed[name] for name in names] == [f"{PROCESSOR}:live", "2", "de-DE,en-GB"]


def test_the_router_verifies_tokens_of_the_identity_provider() -> None:
    """`test_program.py` compares the tag of the API that says so with the stack."""
    environment = variables(deployed(OIDC), "router")
    assert (environment["AUTH"], environment["ISSUER"]) == ("oidc", ISSUER)
    assert environment["AUDIENCE"] == "polyphony"
    assert environment["JWKS_URL"] == "https://login.example.com/.well-known/jwks.json"


def test_the_processor_has_512_mb_one_minute_and_a_version_by_default() -> None:
    default = deployed().one("lambda.Function", "audio-processor").inputs
    assert (default["memorySize"], default["timeout"], default["publish"]) == (512, 60, True)
    assert "reservedConcurrentExecutions" not in default
    alias = deployed().one("lambda.Alias", "audio-processor").inputs
    assert (alias["name"], alias["functionVersion"]) == ("live", "7"), "the alias follows the published version"
    changed = deployed(**CHANGED_SETTINGS).one("lambda.Function", "audio-processor").inputs
    assert (changed["memorySize"], changed["reservedConcurrentExecutions"]) == (768, 20)


def test_an_utterance_is_tried_once_within_a_minute_and_its_audio_is_not_stored() -> None:
    assert deployed().one("lambda.FunctionEventInvokeConfig", "audio-processor").inputs == {
        "functionName": f"{PREFIX}-audio-processor",
        "qualifier": "live",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 60,
    }
    assert deployed().one("lambda.Function", "audio-processor").inputs["tags"]["Reason"] == DISCARD_REASON


def test_a_rollout_checks_all_alarms() -> None:
    function = LiveFunction(Mock(), "test", "transcription/audio-processor")
    assert function.name == f"{PREFIX}-audio-processor"
    names = {alarm.inputs["name"] for alarm in deployed().all("cloudwatch.MetricAlarm")}
    assert {name for name in names if name.startswith(function.alarm_prefix)} == names


def is_counted(filter_name: str, message: str) -> bool:
    """Return True if a metric filter matches log lines with this message."""
    pattern = deployed().one("cloudwatch.LogMetricFilter", filter_name).inputs["pattern"]
    return f'$.message = "{message}"' in pattern.strip("{ }").split(" || ")


def test_a_message_that_the_router_fails_to_process_is_counted_at_any_log_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The client gets an answer, so neither API Gateway nor Lambda counts an error."""
    with own_logger():
        dispatcher = WebSocketDispatcher(REQUESTS, EventLog("ERROR"))
        dispatcher.answer('{"action": "ping"}', {"routeKey": "ping", "requestId": "r1"}, lambda *_: 1 / 0)  # type: ignore[arg-type]
    [line] = capsys.readouterr().out.splitlines()
    assert is_counted("messages-failed", json.loads(line)["message"])


def test_a_failed_invocation_of_the_processor_is_counted_and_an_invalid_message_is_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The client repeats an utterance whose invocation failed. But if no invocation succeeds, there are no captions."""
    with own_logger():
        harness = TranscriptionHarness(level="ERROR")
        harness.open_session()
        harness.invocation_error = ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke")
        assert harness.send_utterance()["code"] == "UNAVAILABLE"
        assert harness.send("nothing")["code"] == "UNKNOWN_ACTION"
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert is_counted("messages-failed", line["message"])
    assert line["error_type"] == "ClientError"


def test_the_monthly_cost_follows_from_the_load_and_the_settings() -> None:
    """A change of a formula, an assumption or a price changes an amount."""
    assert TRANSCRIPTION.monthly_cost({"utterancesPerDay": 100_000}) == 7_732.22
    assert TRANSCRIPTION.monthly_cost({"utterancesPerDay": 1, "utteranceSeconds": 0.5}) == 2.18


@pytest.mark.parametrize("seconds", [0.5, 5])
def test_each_of_a_thousand_streams_a_day_is_billed_for_fifteen_seconds_at_least(seconds: float) -> None:
    usage = monthly_usage(TRANSCRIPTION.settings(load={"utteranceSeconds": seconds}))
    assert usage["transcription-audio-processor"]["transcribeStreamingMinutes"] == 1_000 * 30 * 15 / 60

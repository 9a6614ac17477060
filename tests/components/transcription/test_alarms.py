"""Tests of transcription's alarms: metric filters count exactly the log lines that the handlers write."""

import json
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from handlers.common.logging import EventLog
from handlers.common.websocket import WebSocketDispatcher
from handlers.transcription.messages import REQUESTS
from operations.lambda_versions import LiveFunction
from tests.components.transcription.recorded_deployment import PREFIX, deployed
from tests.handlers.transcription.router_harness import TranscriptionHarness
from tests.loggers import own_logger


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

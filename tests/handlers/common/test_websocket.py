"""Tests of the WebSocket handlers of voice Q&A and transcription while calls of DynamoDB fail.

After a transient failure, a client gets an answer that asks it to try again. After a permanent failure, it gets the
answer of an internal error.
"""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.records import TooManyWriters
from tests.handlers.common.aws_failures import DynamoDbFailures, client_error
from tests.handlers.transcription.router_harness import TranscriptionHarness, transcription_tables
from tests.handlers.voice_qa.socket_harness import SocketHarness, create_socket_harness

Harness = SocketHarness | TranscriptionHarness
CALLS = pytest.mark.parametrize("calls", [("get_item",), ("update_item", "put_item")], ids=["read", "write"])
all_failures = pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (ReadTimeoutError(endpoint_url="canary"), "UNAVAILABLE", 503),
        (client_error("ThrottlingException"), "UNAVAILABLE", 503),
        (TooManyWriters(), "UNAVAILABLE", 503),
        (client_error("AccessDeniedException"), "INTERNAL", 500),
        (ZeroDivisionError("canary"), "INTERNAL", 500),
    ],
    ids=lambda value: type(value).__name__,
)


@pytest.fixture(params=["voice-qa", "transcription"])
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Return the harness of each WebSocket API, without connections."""
    if request.param == "voice-qa":
        with create_socket_harness(monkeypatch) as socket_handler:
            yield socket_handler
    else:
        with transcription_tables(monkeypatch) as dynamodb:
            yield TranscriptionHarness(dynamodb)


@pytest.fixture
def dynamodb_failures(api: Harness, monkeypatch: pytest.MonkeyPatch) -> DynamoDbFailures:
    return DynamoDbFailures(api.dynamodb, monkeypatch)


@CALLS
@all_failures
def test_a_handshake_fails_with_the_status_of_the_error_and_the_client_can_connect_again(
    api: Harness,
    dynamodb_failures: DynamoDbFailures,
    calls: tuple[str, ...],
    error: Exception,
    code: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dynamodb_failures.fail(error, *calls, times=1)
    answer = api.connect()
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["code"], body["requestId"]) == (status, code, "r1")
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["message"], line["error_type"]) == ("message_failed", type(error).__name__), "an alarm counts it"
    assert line["request_id"] == "r1"
    assert "canary" not in f"{answer}{line}"
    assert api.connect()["statusCode"] == 200
    assert api.send("ping")["type"] == "pong"


@all_failures
def test_a_message_during_a_failure_gets_an_error_and_can_be_sent_again(
    api: Harness, dynamodb_failures: DynamoDbFailures, error: Exception, code: str, status: int
) -> None:
    api.connect()
    dynamodb_failures.fail(error, "get_item", times=1)
    answer = api.send("ping")
    assert (answer["type"], answer["code"], answer["id"]) == ("error", code, "m1")
    assert api.send("ping")["type"] == "pong"

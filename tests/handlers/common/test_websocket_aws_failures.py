"""Tests of the WebSocket handlers of voice Q&A and transcription while calls of DynamoDB fail.

After a transient failure, a client gets an answer that asks it to try again. After a permanent failure, it gets the
answer of an internal error.
"""

import json
from collections.abc import Iterator

import pytest

from handlers.transcription.router.open_session_limit import DISCONNECTED_MS
from tests.handlers.common.aws.aws_failures import (
    PERMANENT_ERRORS,
    TRANSIENT_ERRORS,
    DynamoDbFailures,
    client_error,
    name_failure,
)
from tests.handlers.transcription.router_harness import LIMITS, RouterHarness, transcription_tables
from tests.handlers.voice_qa.socket_harness import SocketHarness, create_socket_harness

Harness = SocketHarness | RouterHarness
CALLS = ("get_item", "update_item")
THROTTLING = client_error("ProvisionedThroughputExceededException")
transient_failures = pytest.mark.parametrize("error", TRANSIENT_ERRORS, ids=name_failure)
all_failures = pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        *(pytest.param(error, "UNAVAILABLE", 503, id=name_failure(error)) for error in TRANSIENT_ERRORS),
        *(pytest.param(error, "INTERNAL", 500, id=name_failure(error)) for error in PERMANENT_ERRORS),
    ],
)


@pytest.fixture(params=["voice-qa", "transcription"])
def api(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Harness]:
    """Return the harness of each WebSocket API, without connections."""
    if request.param == "voice-qa":
        with create_socket_harness(monkeypatch) as socket_handler:
            yield socket_handler
    else:
        with transcription_tables(monkeypatch) as dynamodb:
            yield RouterHarness(dynamodb)


@pytest.fixture
def dynamodb_failures(api: Harness, monkeypatch: pytest.MonkeyPatch) -> DynamoDbFailures:
    return DynamoDbFailures(api.dynamodb, monkeypatch)


@pytest.mark.parametrize("call", CALLS)
@all_failures
def test_a_handshake_fails_with_the_status_of_the_error_and_the_client_can_connect_again(
    api: Harness,
    dynamodb_failures: DynamoDbFailures,
    call: str,
    error: Exception,
    code: str,
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    dynamodb_failures.fail(error, call, times=1)
    answer = api.connect()
    body = json.loads(answer["body"])
    assert (answer["statusCode"], body["code"], body["requestId"]) == (status, code, "r1")
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["message"], line["error_type"]) == ("message_failed", type(error).__name__), "an alarm counts it"
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


@pytest.mark.parametrize("call", CALLS)
@transient_failures
def test_the_cleanup_after_a_connection_is_retried(
    monkeypatch: pytest.MonkeyPatch, call: str, error: Exception
) -> None:
    with transcription_tables(monkeypatch) as dynamodb:
        router = RouterHarness(dynamodb)
        for number in range(LIMITS.sessions_per_user):
            router.open_session(f"c{number}")
        DynamoDbFailures(dynamodb, monkeypatch).fail(error, call, times=1)
        assert router.disconnect("c0") == {"statusCode": 200}
        router.connect("c9")
        assert router.send("open", "c9")["code"] == "TOO_MANY_SESSIONS"
        router.clock.now_ms += DISCONNECTED_MS  # so long, a session counts after its connection was closed
        assert router.send("open", "c9")["type"] == "opened", "the session on c0 must not count any more"


def test_a_cleanup_that_fails_for_too_long_ends_and_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with transcription_tables(monkeypatch) as dynamodb:
        router = RouterHarness(dynamodb)
        router.open_session()
        start_ms = router.clock.now_ms
        DynamoDbFailures(dynamodb, monkeypatch).fail(THROTTLING, "get_item")
        assert router.disconnect()["statusCode"] == 503
        assert router.clock.now_ms - start_ms < 10_000
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["message"], line["route"], line["cause"]) == ("message_failed", "$disconnect", "throttled")

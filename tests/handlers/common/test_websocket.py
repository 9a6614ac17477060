"""Tests of a WebSocket handler, that of voice Q&A, while calls of DynamoDB fail.

After a transient failure, a client gets an answer that asks it to try again. After a permanent failure, it gets the
answer of an internal error.
"""

import json

import pytest
from botocore.exceptions import ReadTimeoutError

from handlers.common.records import TooManyWriters
from handlers.common.websocket import ErrorMessage, WebSocketConnections
from tests.handlers.common.fakes import client_error, stubbed
from tests.handlers.voice_qa.socket_harness import SocketHarness, create_socket_harness


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> SocketHarness:
    """Return the harness of the WebSocket API, without connections."""
    return create_socket_harness(monkeypatch)


@pytest.mark.parametrize(
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
def test_a_handshake_or_message_during_a_failure_gets_an_error_and_can_be_sent_again(
    api: SocketHarness, error: Exception, code: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    api.dynamodb.fail(error, "get_item")
    refused = api.connect()
    body = json.loads(refused["body"])
    assert (refused["statusCode"], body["code"], body["requestId"]) == (status, code, "r1")
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["message"], line["error_type"]) == ("message_failed", type(error).__name__), "an alarm counts it"
    assert line["request_id"] == "r1"
    assert "canary" not in f"{refused}{line}"
    assert api.connect()["statusCode"] == 200
    api.dynamodb.fail(error, "get_item")
    answer = api.send("ping")
    assert (answer["type"], answer["code"], answer["id"], answer["requestId"]) == ("error", code, "m1", "r1")
    assert api.send("ping")["type"] == "pong"


@pytest.mark.parametrize(
    ("body", "code", "message_id"),
    [
        *((body, "MALFORMED_MESSAGE", None) for body in ("", "no", "[]", "[" * 60_000)),
        ('{"id": "not allowed", "action": "sing"}', "UNKNOWN_ACTION", "not allowed"),
        (json.dumps({"id": "x" * 64, "action": {}}), "UNKNOWN_ACTION", "x" * 64),
        *((json.dumps({"id": message_id}), "UNKNOWN_ACTION", None) for message_id in ("x" * 65, "\u202e", 7)),
    ],
    ids=range(9),
)
def test_a_message_of_another_form_gets_an_error_that_repeats_its_id(
    api: SocketHarness, body: str, code: str, message_id: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    api.connect()
    answer = api.send_text(body)
    assert (answer["type"], answer["code"], answer.get("id")) == ("error", code, message_id)
    assert None not in answer.values(), "a field without a value is absent"
    [line] = [json.loads(text) for text in capsys.readouterr().out.splitlines()]
    assert (line["message"], line["level"], line["code"], line["route"]) == (
        "message_refused",
        "INFO",
        code,
        "$default",
    )


def test_a_message_is_posted_as_json_and_a_closed_connection_is_reported() -> None:
    body = {
        "ConnectionId": "c1",
        "Data": b'{"code":"BUSY","message":"Wait.","fields":[],"requestId":"r1","type":"error"}',
    }
    with stubbed("apigatewaymanagementapi") as (client, stubber):
        stubber.add_response("post_to_connection", {}, body)
        stubber.add_client_error("post_to_connection", "GoneException", http_status_code=410)
        connections, message = WebSocketConnections(client), ErrorMessage(code="BUSY", message="Wait.", request_id="r1")
        assert [connections.post("c1", message) for _ in range(2)] == [True, False]

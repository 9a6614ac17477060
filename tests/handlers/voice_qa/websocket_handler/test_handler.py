"""Events of the WebSocket API: handshakes, messages and their answers, and the function's environment variables.

A guest's handshake is signed with credentials of a Cognito identity pool. API Gateway puts the identity into the event.
The handler derives the guest id from it, which is a hash with a secret key.
"""

import json
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from moto import mock_aws

from handlers.common import ids
from handlers.voice_qa.records import CHECK_GRACE_SECONDS, connection_key
from handlers.voice_qa.websocket_handler import handler
from tests.handlers.voice_qa.socket_harness import (
    ANN_GUEST_ID,
    ANN_IDENTITY,
    BOB_IDENTITY,
    ENVIRONMENT,
    GUEST_ID_KEY,
    GUEST_ID_KEY_NAME,
    POOL_ID,
    SocketHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, LECTURE_ID, TABLE
from tests.moto_tables import create_table


def test_a_guest_of_the_pool_connects_with_the_signed_identity(api: SocketHarness) -> None:
    for identity in (BOB_IDENTITY, ANN_IDENTITY):
        assert api.connect(identity=identity) == {"statusCode": 200}
    guest = api.handler.guests.read(connection_key("c1"))
    assert guest is not None
    assert (guest.identity, guest.guest_id) == (ANN_IDENTITY, ANN_GUEST_ID), "the latest handshake counts"
    assert ANN_IDENTITY not in repr(guest), "no log gets it by accident"


SIGNED_IDENTITY: dict[str, Any] = {"cognitoIdentityId": ANN_IDENTITY, "cognitoIdentityPoolId": POOL_ID}


@pytest.mark.parametrize(
    "request_context",
    [
        {"identity": {}, "authorizer": SIGNED_IDENTITY},
        *({"identity": SIGNED_IDENTITY | {name: None}} for name in SIGNED_IDENTITY),
        {"identity": SIGNED_IDENTITY | {"cognitoIdentityPoolId": "us-east-1:other"}},
    ],
)
def test_a_handshake_without_the_signature_of_a_guest_of_the_pool_is_refused(
    api: SocketHarness, request_context: dict[str, Any]
) -> None:
    answer = api.handle_event("c2", "CONNECT", request_context)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (401, "UNAUTHENTICATED")
    assert api.send("ping", "c2")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_a_ping_is_answered(api: SocketHarness) -> None:
    assert api.send("ping") == {"id": "m1", "type": "pong"}


VARIABLES = {
    **ENVIRONMENT.variables(),
    "ANSWER_SECONDS": "11.5",
    "SESSION_DAYS": "3",
    "QUERIES_PER_HOUR": "1",
    "URL_SECONDS": "61",
    "ACCELERATED": "true",
    "LECTURE_UPLOADS": "off",
}


def _call_entry_point(event_type: str, **content: Any) -> dict[str, Any]:
    """Call the entry point with an event of the API. Return the body of its response."""
    context = {"connectionId": "c1", "eventType": event_type, "routeKey": "$default", "requestId": "r1"}
    event = {"requestContext": context | {"identity": SIGNED_IDENTITY}, "body": json.dumps(content)}
    body: dict[str, Any] = json.loads(str(handler.handler(event, None).get("body", "{}")))
    return body


@mock_aws
def test_the_entry_point_uses_its_environment(api: SocketHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in VARIABLES.items():
        monkeypatch.setenv(name, value)
    handler._handler.cache_clear()
    api.dynamodb = boto3.client("dynamodb")
    create_table(api.dynamodb, TABLE, "sessionId", "lectureId")
    api.store_lecture()
    boto3.client("ssm").put_parameter(Name=GUEST_ID_KEY_NAME, Value=GUEST_ID_KEY, Type="SecureString")
    calls: dict[str, dict[str, Any]] = {}
    call = BaseClient._make_api_call  # type: ignore[attr-defined]

    def record(client: BaseClient, operation: str, parameters: dict[str, Any]) -> object:
        if operation not in {"SendMessage", "Invoke"}:
            return call(client, operation, parameters)
        return calls.setdefault(operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    started = ids.now_ms() // 1000
    _call_entry_point("CONNECT")
    upload = _call_entry_point("MESSAGE", action="upload", kind="query", contentType="audio/ogg")
    assert (upload["expiresSeconds"], upload["url"]) == (61, f"https://{BUCKET}.s3-accelerate.amazonaws.com/")
    assert upload["fields"]["x-amz-algorithm"] == "AWS4-HMAC-SHA256"
    refused_upload = _call_entry_point("MESSAGE", action="upload", kind="lecture", contentType="audio/ogg")
    assert refused_upload["code"] == "UPLOAD_REFUSED"
    question = {"action": "query", "lectureId": LECTURE_ID, "text": "Why?"}
    assert _call_entry_point("MESSAGE", queryId="question-1", **question)["type"] == "queryAccepted"
    assert _call_entry_point("MESSAGE", queryId="question-2", **question)["code"] == "TOO_MANY_QUERIES"
    check, invocation = calls["SendMessage"], calls["Invoke"]
    assert check["QueueUrl"] == ENVIRONMENT.time_limit_queue
    assert check["DelaySeconds"] == 12 + CHECK_GRACE_SECONDS, "11.5 s are rounded up"
    question_ids = {"schemaVersion": 1, "guestId": ANN_GUEST_ID, "queryId": "question-1"}
    assert json.loads(check["MessageBody"]) == json.loads(invocation["Payload"]) == question_ids
    assert (invocation["FunctionName"], invocation["InvocationType"]) == (ENVIRONMENT.worker, "Event")
    for kind, days in (("connection", 1), ("counter", 2), ("query", 3)):
        [item] = api.items_of(kind)
        assert started <= int(item["expiresAt"]["N"]) - days * 24 * 3600 <= ids.now_ms() // 1000
    handler._handler.cache_clear()

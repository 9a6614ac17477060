"""Events of the WebSocket API: handshakes, messages and their answers, and the function's environment variables.

A guest's handshake is signed with credentials of a Cognito identity pool. API Gateway puts the identity into the event.
The handler derives the guest id from it, which is a hash with a secret key.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.common import ids
from handlers.common.aws import ServiceFailed, ServiceFault
from handlers.voice_qa.records import CHECK_GRACE_SECONDS, connection_key
from handlers.voice_qa.websocket_handler import handler
from tests.handlers.voice_qa.socket_harness import (
    ANN_GUEST_ID,
    ANN_IDENTITY,
    BOB_IDENTITY,
    ENVIRONMENT,
    GUEST_ID_KEY,
    GUEST_ID_KEY_NAME,
    LECTURE_ID,
    POOL_ID,
    SocketHarness,
    create_socket_harness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/time-limits"
WORKER = "arn:aws:lambda:us-east-1:123456789012:function:worker:live"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketHarness]:
    """Return a handler without connections."""
    with create_socket_harness(monkeypatch) as harness:
        yield harness


def test_a_guest_of_the_pool_connects_with_the_signed_identity(api: SocketHarness) -> None:
    assert api.connect() == {"statusCode": 200}
    guest = api.guests.read(connection_key("c1"))
    assert guest is not None
    assert (guest.identity, guest.guest_id) == (ANN_IDENTITY, ANN_GUEST_ID)
    api.connect(identity=BOB_IDENTITY)
    guest = api.guests.read(connection_key("c1"))
    assert guest is not None
    assert guest.identity == BOB_IDENTITY, "the latest handshake counts"


SIGNED_IDENTITY: dict[str, Any] = {"cognitoIdentityId": ANN_IDENTITY, "cognitoIdentityPoolId": POOL_ID}
INVALID_IDENTITIES = (
    *(None, "", "ann", 1, [ANN_IDENTITY], {"id": ANN_IDENTITY}, f"{ANN_IDENTITY}\n", f" {ANN_IDENTITY}"),
    *(ANN_IDENTITY.upper(), f"{ANN_IDENTITY}/..", f"{ANN_IDENTITY}#x", f"{ANN_IDENTITY}0", ANN_IDENTITY[:-1]),
    *(ANN_IDENTITY.removeprefix("us-east-1"), ANN_IDENTITY.removeprefix("us-east-1:"), ANN_IDENTITY.replace(":", "/")),
    "connection:aaaaaaaa-0000-4000-8000-00000000000a",
    ANN_IDENTITY.replace("us-east-1", "us-east-\N{ARABIC-INDIC DIGIT ONE}"),
)
OTHER_POOLS = (None, "", "us-east-1:other", POOL_ID.upper(), [POOL_ID], {"pool": POOL_ID}, 1)


@pytest.mark.parametrize(
    "request_context",
    [
        *({}, {"identity": None}, {"identity": {}}, {"identity": []}, {"identity": ANN_IDENTITY}),
        *({"identity": {name: value}} for name, value in SIGNED_IDENTITY.items()),
        *({"authorizer": SIGNED_IDENTITY}, SIGNED_IDENTITY),
        *({"identity": SIGNED_IDENTITY | {"cognitoIdentityId": identity}} for identity in INVALID_IDENTITIES),
        *({"identity": SIGNED_IDENTITY | {"cognitoIdentityPoolId": pool}} for pool in OTHER_POOLS),
    ],
)
def test_a_handshake_without_the_signature_of_a_guest_of_the_pool_is_refused(
    api: SocketHarness, request_context: dict[str, Any]
) -> None:
    answer = api.handle_event("c1", "CONNECT", request_context)
    assert (answer["statusCode"], json.loads(answer["body"])["code"]) == (401, "UNAUTHENTICATED")
    assert api.send("ping")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_every_handshake_is_refused_if_the_identity_pool_is_not_configured(api: SocketHarness) -> None:
    api = SocketHarness(api.dynamodb, environment=ENVIRONMENT.model_copy(update={"identity_pool": ""}))
    identity = SIGNED_IDENTITY | {"cognitoIdentityPoolId": ""}
    assert api.handle_event("c1", "CONNECT", {"identity": identity})["statusCode"] == 401


def test_a_handshake_that_fails_because_the_key_of_guest_ids_cannot_be_read_can_be_repeated(api: SocketHarness) -> None:
    api.guest_id_key_error = ServiceFailed(ServiceFault.TIMED_OUT)
    assert api.connect()["statusCode"] == 503
    assert api.send("ping")["code"] == "UNAUTHENTICATED", "the connection is not stored"
    api.guest_id_key_error = None
    assert api.connect()["statusCode"] == 200


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
@pytest.mark.parametrize("offered_subprotocols", ["polyphony.voice-qa.v1", " polyphony.voice-qa.v1 , other"])
def test_the_subprotocol_is_selected_if_the_client_offers_it_first(
    api: SocketHarness, name: str, offered_subprotocols: str
) -> None:
    answer = api.connect(headers={"Host": "x", name: offered_subprotocols})
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.voice-qa.v1"}}


@pytest.mark.parametrize(
    "headers",
    [
        *(None, {}, [], "polyphony.voice-qa.v1", {"Sec-WebSocket-Protocol": None}, {"Sec-WebSocket-Protocol": ""}),
        *({"Sec-WebSocket-Protocol": "other, polyphony.voice-qa.v1"}, {"X-Protocol": "polyphony.voice-qa.v1"}),
        *({"Sec-WebSocket-Protocol": "polyphony.voice-qa.v10"}, {"Sec-WebSocket-Protocol": "POLYPHONY.VOICE-QA.V1"}),
    ],
)
def test_any_other_subprotocol_header_is_ignored(api: SocketHarness, headers: Any) -> None:
    assert api.connect(headers=headers) == {"statusCode": 200}


def test_a_disconnection_changes_no_item(api: SocketHarness) -> None:
    api.connect()
    before = api.stored_items()
    assert api.handle_event("c1", "DISCONNECT", {}) == {"statusCode": 200}
    assert api.stored_items() == before


def test_a_ping_is_answered(api: SocketHarness) -> None:
    api.connect()
    assert api.send("ping") == {"id": "m1", "type": "pong"}


@pytest.mark.parametrize("action", ["ping", "upload", "query"])
def test_a_message_on_an_unknown_connection_is_refused(api: SocketHarness, action: str) -> None:
    api.connect("c1")
    content = {"kind": "lecture", "contentType": "audio/ogg", "queryId": "question-1", "lectureId": LECTURE_ID}
    assert api.send(action, "c2", text="x", **content)["code"] == "UNAUTHENTICATED"
    assert api.worker_events == []
    assert len(api.stored_items()) == 2, "only the lecture and the other connection are stored"


def test_an_identity_in_a_message_is_ignored(api: SocketHarness) -> None:
    api.connect()
    context = {"identity": {"cognitoIdentityId": BOB_IDENTITY}}
    forged_fields: dict[str, Any] = {"identity": BOB_IDENTITY, "requestContext": context}
    api.ask(**forged_fields)
    upload = api.send("upload", kind="query", contentType="audio/ogg", **forged_fields)
    assert [event.guest_id for event in api.worker_events] == [ANN_GUEST_ID]
    assert upload["key"].startswith(f"queries/{ANN_GUEST_ID}/")
    assert BOB_IDENTITY not in json.dumps(api.stored_items())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *((body, "MALFORMED_MESSAGE") for body in (None, "", "no", "[]", "[" * 60_000)),
        *((body, "UNKNOWN_ACTION") for body in ("{}", '{"action": "sing"}', '{"action": {}}')),
        *((body, "MALFORMED") for body in ('{"action": "upload"}', '{"action": "query"}')),
    ],
)
def test_an_invalid_message_is_answered_with_an_error(api: SocketHarness, body: str | None, code: str) -> None:
    api.connect()
    answer = api.send_text(body)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert api.send("ping")["type"] == "pong", "the connection still works"


def test_the_answer_to_a_message_that_causes_an_internal_error_contains_no_details(
    api: SocketHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.connect()
    monkeypatch.setattr(handler.SocketHandler, "_sign_form", lambda *_: 1 / 0)
    answer = api.send("upload", kind="query", contentType="audio/ogg")
    assert (answer["code"], answer["id"]) == ("INTERNAL", "m1")
    assert "zero" not in json.dumps(answer)


@pytest.fixture
def recorded_calls(api: SocketHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Configure the entry point by environment variables. Return its calls of SQS and Lambda."""
    calls: list[dict[str, Any]] = []

    class RecordingClient:
        def send_message(self, **parameters: Any) -> None:
            calls.append(parameters)

        def invoke(self, **parameters: Any) -> None:
            calls.append(parameters)

    session = boto3.Session

    # The entry point creates its clients with a session.
    class Session(session):  # type: ignore[valid-type,misc]
        def client(self, service: str, **options: Any) -> Any:
            return RecordingClient() if service in {"lambda", "sqs"} else super().client(service, **options)

    monkeypatch.setattr(boto3, "Session", Session)
    variables = {
        "S3_BUCKET": BUCKET,
        "DYNAMODB_TABLE": TABLE,
        "WORKER": WORKER,
        "TIME_LIMIT_QUEUE": QUEUE,
        "ANSWER_SECONDS": "11.5",
        "IDENTITY_POOL": POOL_ID,
        "GUEST_ID_KEY": GUEST_ID_KEY_NAME,
        "SESSION_DAYS": "3",
        "QUERIES_PER_HOUR": "1",
        "MAX_QUERY_BYTES": "4321",
        "URL_SECONDS": "61",
    }
    boto3.client("ssm").put_parameter(Name=GUEST_ID_KEY_NAME, Value=GUEST_ID_KEY, Type="SecureString")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    handler._handler.cache_clear()
    yield calls
    handler._handler.cache_clear()


def _call_entry_point(event_type: str, **content: Any) -> dict[str, Any]:
    """Call the entry point with an event of the API. Return the body of its response."""
    context = {"connectionId": "c1", "eventType": event_type, "routeKey": "$default", "requestId": "r1"}
    event = {"requestContext": context | {"identity": SIGNED_IDENTITY}, "body": json.dumps(content)}
    body: dict[str, Any] = json.loads(str(handler.handler(event, None).get("body", "{}")))
    return body


def test_the_entry_point_uses_its_environment(api: SocketHarness, recorded_calls: list[dict[str, Any]]) -> None:
    _call_entry_point("CONNECT")
    upload = _call_entry_point("MESSAGE", action="upload", kind="query", contentType="audio/ogg")
    assert (upload["maxBytes"], upload["expiresSeconds"]) == (4321, 61)
    refused_upload = _call_entry_point("MESSAGE", action="upload", kind="lecture", contentType="audio/ogg")
    assert refused_upload["code"] == "UPLOAD_REFUSED"
    question = {"action": "query", "lectureId": LECTURE_ID, "text": "Why?"}
    assert _call_entry_point("MESSAGE", queryId="question-1", **question)["type"] == "queryAccepted"
    assert _call_entry_point("MESSAGE", queryId="question-2", **question)["code"] == "TOO_MANY_QUERIES"
    check, invocation = recorded_calls
    assert (check["QueueUrl"], check["DelaySeconds"]) == (QUEUE, 12 + CHECK_GRACE_SECONDS), "11.5 s are rounded up"
    question_ids = {"schemaVersion": 1, "guestId": ANN_GUEST_ID, "queryId": "question-1"}
    assert json.loads(check["MessageBody"]) == question_ids
    assert (invocation["FunctionName"], invocation["InvocationType"]) == (WORKER, "Event")
    assert json.loads(invocation["Payload"]) == question_ids


def test_items_expire(api: SocketHarness, recorded_calls: list[dict[str, Any]]) -> None:
    before = ids.now_ms() // 1000
    _call_entry_point("CONNECT")
    _call_entry_point("MESSAGE", action="query", lectureId=LECTURE_ID, text="Why?", queryId="question-1")
    for kind, days in (("connection", 1), ("counter", 2), ("query", 3)):
        [item] = [item for item in api.stored_items() if item["sessionId"]["S"].startswith(f"{kind}#")]
        assert before <= int(item["expiresAt"]["N"]) - days * 24 * 3600 <= ids.now_ms() // 1000


@given(st.text())
def test_no_accepted_identity_contains_a_separator_of_table_or_s3_keys(text: str) -> None:
    identity = handler._guest_identity({"cognitoIdentityId": text, "cognitoIdentityPoolId": POOL_ID}, POOL_ID)
    assert identity is None or not set(identity) & set("/#\n ")

"""The WebSocket handler from outside: authorization, answers, and the function's configuration."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from hypothesis import given
from hypothesis import strategies as st

from handlers.common.aws.service_faults import ServiceFailed, ServiceFault
from handlers.common.time_and_ids import clock
from handlers.voice_qa.table_records import CHECK_GRACE_SECONDS, GuestConnection, connection_key
from handlers.voice_qa.websocket_handler import handler
from tests.handlers.voice_qa.socket_harness import (
    ANN,
    ANN_ID,
    BOB,
    GUEST_ID_KEY,
    GUEST_ID_KEY_NAME,
    LECTURE,
    POOL,
    SocketHarness,
    create_socket_harness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE

QUEUE = "https://sqs.us-east-1.amazonaws.com/123456789012/time-limits"
WORKER = "arn:aws:lambda:us-east-1:123456789012:function:worker:live"


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[SocketHarness]:
    """Return a handler without connections."""
    with create_socket_harness(monkeypatch) as made:
        yield made


def test_a_guest_of_the_pool_connects_with_the_signed_identity(api: SocketHarness) -> None:
    assert api.connect() == {"statusCode": 200}
    assert api.items.read(GuestConnection, connection_key("c1")) == GuestConnection(identity=ANN, guest_id=ANN_ID)


@pytest.mark.parametrize(
    "identity",
    [
        *(None, "", "ann", 1, [ANN], {"id": ANN}, f"{ANN}\n", f" {ANN}", ANN.upper(), f"{ANN}/..", f"{ANN}#x"),
        *(ANN.removeprefix("us-east-1"), ANN.removeprefix("us-east-1:"), ANN[:-1], f"{ANN}0", ANN.replace(":", "/")),
        *(
            "connection:aaaaaaaa-0000-4000-8000-00000000000a",
            ANN.replace("us-east-1", "us-east-\N{ARABIC-INDIC DIGIT ONE}"),
        ),
    ],
)
def test_an_invalid_identity_is_refused(api: SocketHarness, identity: Any) -> None:
    _assert_refused(api, {"identity": {"cognitoIdentityId": identity, "cognitoIdentityPoolId": POOL}})


SIGNED: dict[str, Any] = {"cognitoIdentityId": ANN, "cognitoIdentityPoolId": POOL}


@pytest.mark.parametrize(
    "said",
    [
        *({}, {"identity": None}, {"identity": {}}, {"identity": []}, {"identity": ANN}),
        *({"identity": {name: value}} for name, value in SIGNED.items()),
        *({"authorizer": SIGNED}, SIGNED),
        *(
            {"identity": SIGNED | {"cognitoIdentityPoolId": pool}}
            for pool in (None, "", "us-east-1:other", POOL.upper(), [POOL], {"pool": POOL}, 1)
        ),
    ],
)
def test_a_handshake_without_a_guests_signature_is_refused(api: SocketHarness, said: dict[str, Any]) -> None:
    _assert_refused(api, said)
    api.handler._identity_pool = ""
    _assert_refused(api, {"identity": SIGNED | {"cognitoIdentityPoolId": ""}})


def _assert_refused(api: SocketHarness, said: dict[str, Any]) -> None:
    answer = api.event("c1", "CONNECT", said)
    assert answer["statusCode"] == 401
    assert json.loads(answer["body"])["code"] == "UNAUTHENTICATED"
    assert api.send("ping")["code"] == "UNAUTHENTICATED", "the connection is not stored"


def test_a_handshake_without_the_key_of_guest_ids_can_be_tried_again(
    api: SocketHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> str:
        raise ServiceFailed(ServiceFault.TIMED_OUT)

    with monkeypatch.context() as patched:
        patched.setattr(api.handler, "_guest_id_key", fail)
        assert api.connect()["statusCode"] == 503
    assert api.send("ping")["code"] == "UNAUTHENTICATED", "the connection is not stored"
    assert api.connect()["statusCode"] == 200


def test_a_connection_that_an_earlier_version_stored_is_refused(api: SocketHarness) -> None:
    """It has no guest id."""
    api.items.change(GuestConnection, connection_key("c1"), lambda _: (GuestConnection(identity=ANN), None))
    assert api.send("ping")["code"] == "UNAUTHENTICATED"


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
@pytest.mark.parametrize("offered", ["polyphony.voice-qa.v1", " polyphony.voice-qa.v1 , other"])
def test_the_protocol_is_selected_if_the_browser_offers_it_first(api: SocketHarness, name: str, offered: str) -> None:
    answer = api.connect(headers={"Host": "x", name: offered})
    assert answer == {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "polyphony.voice-qa.v1"}}


@pytest.mark.parametrize(
    "headers",
    [
        *(None, {}, [], "polyphony.voice-qa.v1", {"Sec-WebSocket-Protocol": None}, {"Sec-WebSocket-Protocol": ""}),
        *({"Sec-WebSocket-Protocol": "other, polyphony.voice-qa.v1"}, {"X-Protocol": "polyphony.voice-qa.v1"}),
        *({"Sec-WebSocket-Protocol": "polyphony.voice-qa.v10"}, {"Sec-WebSocket-Protocol": "POLYPHONY.VOICE-QA.V1"}),
    ],
)
def test_no_other_protocol_is_selected_and_none_is_required(api: SocketHarness, headers: Any) -> None:
    assert api.connect(headers=headers) == {"statusCode": 200}


def test_the_end_of_a_connection_changes_nothing(api: SocketHarness) -> None:
    api.connect()
    before = api.stored()
    assert api.event("c1", "DISCONNECT", {}) == {"statusCode": 200}
    assert api.stored() == before


def test_a_ping_is_answered(api: SocketHarness) -> None:
    api.connect()
    assert api.send("ping") == {"id": "m1", "type": "pong"}


@pytest.mark.parametrize("action", ["ping", "upload", "query"])
def test_an_unknown_connection_is_refused(api: SocketHarness, action: str) -> None:
    api.connect("c1")
    content = {"kind": "lecture", "contentType": "audio/ogg", "queryId": "question-1", "lectureId": LECTURE}
    assert api.send(action, "c2", text="x", **content)["code"] == "UNAUTHENTICATED"
    assert (api.worker_events, len(api.stored())) == ([], 2), "only the lecture and the other connection are stored"


def test_identities_in_a_message_are_ignored(api: SocketHarness) -> None:
    api.connect()
    forged: dict[str, Any] = {"identity": BOB, "requestContext": {"identity": {"cognitoIdentityId": BOB}}}
    api.ask(**forged)
    upload = api.send("upload", kind="query", contentType="audio/ogg", **forged)
    assert [event.guest_id for event in api.worker_events] == [ANN_ID]
    assert upload["key"].startswith(f"queries/{ANN_ID}/")
    assert BOB not in json.dumps(api.stored())


@pytest.mark.parametrize(
    ("body", "code"),
    [
        *((body, "MALFORMED_MESSAGE") for body in (None, "", "no", "[]", "[" * 60_000)),
        *((body, "UNKNOWN_ACTION") for body in ("{}", '{"action": "sing"}', '{"action": {}}')),
        *((body, "MALFORMED") for body in ('{"action": "upload"}', '{"action": "query"}')),
    ],
)
def test_an_invalid_message_gets_one_clear_answer(api: SocketHarness, body: str | None, code: str) -> None:
    api.connect()
    answer = api.send_text(body)
    assert (answer["type"], answer["code"]) == ("error", code)
    assert api.send("ping")["type"] == "pong", "the connection still works"


def test_an_internal_error_is_answered_without_details(api: SocketHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    api.connect()
    monkeypatch.setattr(api.handler._uploads, "create_form", lambda *_: 1 / 0)
    answer = api.send("upload", kind="query", contentType="audio/ogg")
    assert (answer["code"], answer["id"]) == ("INTERNAL", "m1")
    assert "zero" not in json.dumps(answer)


def test_no_identity_key_text_or_url_is_logged(api: SocketHarness, capsys: pytest.CaptureFixture[str]) -> None:
    api.connect()
    api.connect("c2", "canary-identity")
    key = api.send("upload", kind="query", contentType="audio/ogg")["key"]
    api.send("upload", kind="lecture", contentType="audio/ogg")
    api.ask("question-1", text="canary-text")
    api.ask("question-2", text=None, audioKey=key)
    api.ask("question-3", text=None, audioKey="queries/canary-key")
    api.invocation_error = ClientError({"Error": {"Code": "X", "Message": "canary-answer"}}, "Invoke")
    api.end_question("question-1")
    assert api.ask("question-4", lectureId=LECTURE, text="canary-text")["code"] == "UNAVAILABLE"
    logged = capsys.readouterr().out
    assert "connection_refused" in logged
    assert "worker_not_called" in logged
    for secret in ("canary", ANN, key, LECTURE, "amazonaws", "question-"):
        assert secret not in logged


@pytest.fixture
def function(api: SocketHarness, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[dict[str, Any]]]:
    """Return the function as the deployment configures it, with the messages that it sends to its queue and worker."""
    sent: list[dict[str, Any]] = []

    class Recorder:
        def send_message(self, **message: Any) -> None:
            sent.append(message)

        def invoke(self, **event: Any) -> None:
            sent.append(event)

    session = boto3.Session

    class Session(session):  # type: ignore[valid-type,misc]
        def client(self, service: str, **more: Any) -> Any:
            return Recorder() if service in {"lambda", "sqs"} else super().client(service, **more)

    monkeypatch.setattr(boto3, "Session", Session)
    variables = {
        "S3_BUCKET": BUCKET,
        "DYNAMODB_TABLE": TABLE,
        "WORKER": WORKER,
        "TIME_LIMIT_QUEUE": QUEUE,
        "ANSWER_SECONDS": "11.5",
        "IDENTITY_POOL": POOL,
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
    yield sent
    handler._handler.cache_clear()


def _api_event(event_type: str, **content: Any) -> dict[str, Any]:
    signed = {"cognitoIdentityId": ANN, "cognitoIdentityPoolId": POOL}
    context = {
        "connectionId": "c1",
        "eventType": event_type,
        "routeKey": "$default",
        "requestId": "r1",
        "identity": signed,
    }
    answer = handler.handler({"requestContext": context, "body": json.dumps(content)}, None)
    said: dict[str, Any] = json.loads(str(answer.get("body", "{}")))
    return said


def test_the_function_uses_its_environment(api: SocketHarness, function: list[dict[str, Any]]) -> None:
    _api_event("CONNECT")
    upload = _api_event("MESSAGE", action="upload", kind="query", contentType="audio/ogg")
    assert (upload["maxBytes"], upload["expiresSeconds"]) == (4321, 61)
    assert _api_event("MESSAGE", action="upload", kind="lecture", contentType="audio/ogg")["code"] == "UPLOAD_REFUSED"
    question = {"action": "query", "lectureId": LECTURE, "text": "Why?"}
    assert _api_event("MESSAGE", queryId="question-1", **question)["type"] == "queryAccepted"
    assert _api_event("MESSAGE", queryId="question-2", **question)["code"] == "TOO_MANY_QUERIES"
    check, asked = function
    assert (check["QueueUrl"], check["DelaySeconds"]) == (QUEUE, 12 + CHECK_GRACE_SECONDS)
    assert json.loads(check["MessageBody"]) == {
        "schemaVersion": 1,
        "guestId": ANN_ID,
        "queryId": "question-1",
        "call": 1,
    }
    assert (asked["FunctionName"], asked["InvocationType"]) == (WORKER, "Event")
    assert json.loads(asked["Payload"]) == {"schemaVersion": 1, "guestId": ANN_ID, "queryId": "question-1"}


def test_items_expire_days_after_their_last_change(api: SocketHarness, function: list[dict[str, Any]]) -> None:
    before = clock.now_ms() // 1000 + 3 * 24 * 3600
    _api_event("CONNECT")
    [kept] = [int(item["expiresAt"]["N"]) for item in api.stored() if item["sessionId"]["S"].startswith("connection#")]
    assert before <= kept <= clock.now_ms() // 1000 + 3 * 24 * 3600


@given(st.text())
def test_every_accepted_identity_can_be_part_of_a_key(text: str) -> None:
    identity = handler._guest_identity({"cognitoIdentityId": text, "cognitoIdentityPoolId": POOL}, POOL)
    assert identity is None or not set(identity) & set("/#\n ")

"""Voice Q&A over a real WebSocket with real audio and signed handshakes of guests. Some tests have the names that
the requirement gives them."""

import json
import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from handlers.common.aws.dynamodb_versioned_items import VersionedItems
from handlers.common.time_and_ids import clock
from handlers.voice_qa.table_records import TTL_ATTRIBUTE, QuestionRecord, QuestionStatus, query_key
from local.flows import eventually
from local.flows.voice_qa_client import GuestConnection, VoiceQaBackend, upload_by_form
from tests.end_to_end.conftest import Platform, Played
from tests.process_tree import tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
LECTURE = (
    "hello world . we speak in tones . good day please . thank you again . this is the stream . come back . live test . "
    "the world speak . hello again . good day . please come . thank the live"
)
"""Duration above the ten seconds that a lecture must have."""
DAYS = 86_400


@pytest.fixture
def listener(lectures: VoiceQaBackend) -> Iterator[GuestConnection]:
    with GuestConnection(lectures) as made:
        yield made


@pytest.fixture(scope="session")
def lecture_id(platform: Platform) -> str:
    """Return the id of one lecture for all questions."""
    lectures = VoiceQaBackend(platform.deployment)
    with GuestConnection(lectures) as made:
        uploaded = made.upload_lecture(LECTURE)
    assert lectures.wait_until_validated(uploaded)["status"] == "ready"
    return uploaded


def test_a_question_is_answered_from_the_lecture(voice_qa_played: Played[list[str]]) -> None:
    assert voice_qa_played.outcome == []


def test_1_websocket_connection(listener: GuestConnection) -> None:
    assert listener.ask("ping")["type"] == "pong"


@pytest.mark.parametrize("kind", ["query", "lecture"])
def test_2_s3_presigned_url_generation(listener: GuestConnection, kind: str) -> None:
    ready = listener.ask("upload", kind=kind, contentType="audio/ogg")
    assert ready["expiresSeconds"] == 3600
    assert ready["key"].startswith({"query": f"queries/{listener.request_guest_id()}/", "lecture": "lectures/"}[kind])
    assert upload_by_form(ready, b"x" * 1000) in {200, 204}


def test_3_lecture_upload_and_validation(listener: GuestConnection, lectures: VoiceQaBackend) -> None:
    uploaded = listener.upload_lecture(LECTURE, "pcm", "audio/wav")
    record = lectures.wait_until_validated(uploaded)
    assert record["status"] == "rejected", "samples without a header are not WAV, whatever the file is called"
    assert record["owner"] == listener.request_guest_id()


def test_4_dynamodb_session_storage(listener: GuestConnection, lectures: VoiceQaBackend, lecture_id: str) -> None:
    accepted, _ = listener.ask_question(lecture_id, text="tones")
    key = {
        "sessionId": {"S": f"{listener.guest.identity_id}#{accepted['sessionId']}"},
        "lectureId": {"S": lecture_id},
    }
    item = lectures.client("dynamodb").get_item(TableName=lectures.table, Key=key)["Item"]
    assert item["totalTurns"] == {"N": "1"}
    assert abs(int(item["expiresAt"]["N"]) - time.time() - 7 * DAYS) < 120
    assert item["createdAt"]["S"].endswith("Z")
    assert item["conversation"]["L"][0]["M"]["question"] == {"S": "tones"}
    own = listener.guest.client("dynamodb").get_item(TableName=lectures.table, Key=key)["Item"]
    assert own == item, "the guest can read the own conversation"


def test_5_cognito_credentials(lectures: VoiceQaBackend) -> None:
    identities = lectures.client("cognito-identity")
    identity = identities.get_id(IdentityPoolId=lectures.pool_id)["IdentityId"]
    given = identities.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    left = (given["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3_000 < left <= 3_700


def test_e2e_lecture_upload_flow(listener: GuestConnection, lectures: VoiceQaBackend) -> None:
    uploaded = listener.upload_lecture(LECTURE)
    assert lectures.wait_until_validated(uploaded)["status"] == "ready"


def test_e2e_websocket_query_flow(listener: GuestConnection, lecture_id: str) -> None:
    key = listener.upload_question("tones")
    accepted, heard = listener.ask_question(lecture_id, audioKey=key)
    assert accepted["type"] == "queryAccepted"
    assert heard.end is not None
    assert heard.end["type"] == "answered"
    assert heard.end["pieces"] == len(heard.pieces)
    assert [citation["quote"] for citation in heard.citations()] == ["we speak in tones"]
    assert [piece["text"] for piece in heard.pieces if piece["type"] == "transcript"] == ["tones"]


def test_an_unsigned_handshake_is_refused(lectures: VoiceQaBackend) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(lectures.url, proxy=None)
    assert refused.value.response.status_code == 403


def test_the_same_question_is_answered_once(listener: GuestConnection, lecture_id: str) -> None:
    name = uuid.uuid4().hex
    _, first = listener.ask_question(lecture_id, name, text="tones")
    listener.answers.clear()
    accepted, again = listener.ask_question(lecture_id, name, text="something else")
    assert accepted["repeated"]
    assert [piece.get("text") for piece in again.pieces] == [piece.get("text") for piece in first.pieces], (
        "as it was stored"
    )


def test_two_concurrent_questions_are_both_answered_in_order(listener: GuestConnection, lecture_id: str) -> None:
    names = [uuid.uuid4().hex, uuid.uuid4().hex]
    for name, text in zip(names, ("tones", "stream"), strict=True):
        assert listener.ask("query", queryId=name, lectureId=lecture_id, text=text)["type"] == "queryAccepted"
    heard = [listener.wait_for_answer(name) for name in names]
    assert [turn.citations()[0]["quote"] for turn in heard] == ["we speak in tones", "this is the stream"]
    assert all(turn.numbers == list(range(len(turn.numbers))) for turn in heard)


@pytest.mark.parametrize(
    ("fault", "type_", "retryable"),
    [("throttled", "answered", None), ("dropped", "error", True), ("malformed", "error", False)],
)
def test_an_agents_failure_is_reported(
    listener: GuestConnection, lecture_id: str, fault: str, type_: str, retryable: bool | None
) -> None:
    _, heard = listener.ask_question(lecture_id, audioKey=listener.upload_question(f"{fault} tones"))
    assert heard.end is not None
    assert heard.end["type"] == type_
    assert heard.end.get("retryable") == retryable
    assert listener.ask("ping")["type"] == "pong", "the connection stays open"


def question_items(lectures: VoiceQaBackend) -> VersionedItems:
    """Return the gateway of the items of questions."""
    return VersionedItems(
        lectures.client("dynamodb"),
        lectures.table,
        ttl_attribute=TTL_ATTRIBUTE,
        kept_seconds=DAYS,
        clock_ms=clock.now_ms,
    )


def running_question(lectures: VoiceQaBackend, guest_id: str, query_id: str) -> QuestionRecord | None:
    """Return the record of a question that a worker is answering; None before and after that."""
    record = question_items(lectures).read(QuestionRecord, query_key(guest_id, query_id))
    return record if record.status is QuestionStatus.RUNNING else None


def kill_function(platform: Platform, function: str) -> None:
    """Kill the processes that run a function, as a lost container does."""
    for pid in tree(platform.emulator.pid):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            variables = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace").split("\0")
            if f"AWS_LAMBDA_FUNCTION_NAME={function}" in variables:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="reads process trees from /proc")
def test_the_client_of_a_killed_worker_gets_an_error_and_then_an_answer(
    platform: Platform, listener: GuestConnection, lectures: VoiceQaBackend, lecture_id: str
) -> None:
    """The agent refuses the question once and asks for a pause of a second, in which the worker is killed."""
    guest_id, query_id = listener.request_guest_id(), uuid.uuid4().hex
    content = {"queryId": query_id, "lectureId": lecture_id, "text": "throttled tones"}
    assert listener.ask("query", **content)["type"] == "queryAccepted"
    record = eventually(lambda: running_question(lectures, guest_id, query_id), "a running worker")
    kill_function(platform, "polyphony-local-voice-qa-query-worker")
    assert lectures.count_delayed_checks() > 0, "the check of the time limit is scheduled"
    asked_earlier = {"asked_ms": record.asked_ms - 3_600_000}  # instead of waiting for the end of the time limit
    question_items(lectures).change(
        QuestionRecord, query_key(guest_id, query_id), lambda state: (state.model_copy(update=asked_earlier), None)
    )
    lectures.send_time_limit_check(guest_id, query_id, record.calls)
    error = listener.wait_for_answer(query_id).end
    assert error is not None
    assert (error["type"], error["code"], error["retryable"]) == ("error", "AGENT_FAILED", True)
    listener.answers.clear()
    _, answer = listener.ask_question(lecture_id, query_id, text="throttled tones")
    assert answer.end is not None
    assert (answer.end["type"], answer.end["attempt"]) == ("answered", 2)


def test_a_guest_can_access_only_the_guests_own_conversations(
    platform: Platform, listener: GuestConnection, lectures: VoiceQaBackend, lecture_id: str
) -> None:
    """The guest's credentials are used directly with the services."""
    guest, other = listener.guest, lectures.create_guest()
    own_upload = f"queries/{listener.request_guest_id()}/mine"
    own_conversation = {"sessionId": {"S": f"{guest.identity_id}#x"}, "lectureId": {"S": "y"}}
    guest.client("dynamodb").put_item(TableName=lectures.table, Item=own_conversation)
    found = guest.client("dynamodb").get_item(TableName=lectures.table, Key=own_conversation)
    assert found["Item"] == own_conversation
    refused: list[Callable[[], object]] = [
        lambda: guest.client("s3").put_object(Bucket=lectures.bucket, Key=own_upload, Body=b"x"),
        lambda: guest.client("s3").put_object(
            Bucket=lectures.bucket, Key=f"queries/{guest.identity_id}/mine", Body=b"x"
        ),
        lambda: guest.client("s3").get_object(Bucket=lectures.bucket, Key=own_upload),
        lambda: guest.client("dynamodb").get_item(
            TableName=lectures.table,
            Key={"sessionId": {"S": f"{other.identity_id}#x"}, "lectureId": {"S": "y"}},
        ),
        lambda: guest.client("dynamodb").get_item(
            TableName=lectures.table,
            Key={"sessionId": {"S": f"lecture#{lecture_id}"}, "lectureId": {"S": lecture_id}},
        ),
        lambda: guest.client("dynamodb").scan(TableName=lectures.table),
    ]
    for forbidden in refused:
        with pytest.raises(ClientError) as error:
            forbidden()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
    platform.unexplained_since = platform.mark()  # these refusals are expected


def test_no_text_key_or_identity_is_in_any_log(platform: Platform, listener: GuestConnection, lecture_id: str) -> None:
    listener.ask_question(lecture_id, audioKey=listener.upload_question("captions please"))
    lines = platform.log_lines("voice-qa-websocket-handler", "voice-qa-query-worker")
    assert any("query_ended" in line for line in lines), "there are log lines to search"
    for line in lines:
        assert "captions please" not in line
        assert listener.guest.identity_id not in line
        assert "X-Amz-Signature" not in line


def test_no_answer_and_no_s3_key_contains_the_identity_id(
    listener: GuestConnection, lectures: VoiceQaBackend, lecture_id: str
) -> None:
    """The URL of the spoken answer contains the S3 key. Anyone can log in with an identity id."""
    accepted, heard = listener.ask_question(lecture_id, audioKey=listener.upload_question("captions please"))
    forms = [listener.ask("upload", kind=kind, contentType="audio/ogg") for kind in ("query", "lecture")]
    assert heard.end is not None
    assert "audioUrl" in heard.end
    versions = lectures.client("s3").list_object_versions(Bucket=lectures.bucket)["Versions"]
    keys = [version["Key"] for version in versions]
    assert any(key.startswith(f"responses/{listener.request_guest_id()}/") for key in keys)
    seen = unquote(json.dumps([accepted, heard.pieces, heard.end, forms, keys]))
    assert listener.guest.identity_id.split(":")[1] not in seen

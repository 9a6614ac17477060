"""End-to-end tests of voice Q&A: guests (unauthenticated browser users) upload lectures and ask questions about them.

The guests use a real WebSocket, real audio and signed handshakes. Anyone with a guest's Cognito identity id can log in
as the guest, so a keyed hash of it, the *guest id*, replaces it outside the table. Some tests have the names that the
customer's requirement gives them. The local agent answers questions by fixed rules.
"""

import os
import signal
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from handlers.common import ids
from handlers.common.records import Records
from handlers.voice_qa.records import Question, QuestionStatus, expiring_records, query_key
from local.emulation.faults import Fault
from local.flows import eventually
from local.flows.identity_pool_guest import Guest
from local.flows.speech_clips import clip_texts
from local.flows.voice_qa_client import GuestConnection, upload_by_form
from local.flows.voice_qa_flow import LECTURE
from tests.end_to_end.backends import DeployedVoiceQa
from tests.end_to_end.conftest import PlatformUse
from tests.end_to_end.platform_under_test import Platform
from tests.end_to_end.recognised_speech import assert_recognised
from tests.process_tree import list_process_tree

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("platform")]
DAY_SECONDS = 86_400


@pytest.fixture
def connection(voice_qa: DeployedVoiceQa) -> Iterator[GuestConnection]:
    with GuestConnection(voice_qa) as opened:
        yield opened


def test_the_flows_answers_quote_the_lecture_or_say_that_it_has_no_answer(platform_use: PlatformUse) -> None:
    _, first, second, third, _ = platform_use.verification.steps("voice-qa")
    for step, clip in ((first, "sunlight"), (second, "oxygen")):
        assert clip_texts(clip)[0] in step
        assert "you hear" in step, "the answer names the position in the lecture"
    assert not [text for text in clip_texts(*LECTURE) if text in third]


def test_the_check_of_a_time_limit_leaves_an_answered_question_unchanged(platform_use: PlatformUse) -> None:
    assert platform_use.answered_turns == 1, "the conversation has one question with an answer"


def test_1_websocket_connection(connection: GuestConnection) -> None:
    assert connection.ask("ping")["type"] == "pong"


@pytest.mark.parametrize("kind", ["query", "lecture"])
def test_2_s3_presigned_url_generation(connection: GuestConnection, kind: str) -> None:
    upload = connection.ask("upload", kind=kind, contentType="audio/ogg")
    assert upload["expiresSeconds"] == 3600
    assert upload["key"].startswith(
        {"query": f"queries/{connection.request_guest_id()}/", "lecture": "lectures/"}[kind]
    )
    assert upload_by_form(upload, b"x" * 1000) in {200, 204}


def test_3_lecture_upload_and_validation(connection: GuestConnection, voice_qa: DeployedVoiceQa) -> None:
    uploaded_id = connection.upload_lecture(*LECTURE, encoding="pcm", content_type="audio/wav")
    record = voice_qa.wait_until_validated(uploaded_id)
    assert record["status"] == "rejected", "samples without a header are not WAV, whatever the file is called"
    assert record["owner"] == connection.request_guest_id()


def test_4_dynamodb_session_storage(connection: GuestConnection, voice_qa: DeployedVoiceQa, lecture_id: str) -> None:
    accepted, _ = connection.ask_question(lecture_id, text="oxygen")
    key = {
        "sessionId": {"S": f"{connection.guest.identity_id}#{accepted['sessionId']}"},
        "lectureId": {"S": lecture_id},
    }
    item = voice_qa.client("dynamodb").get_item(TableName=voice_qa.table, Key=key)["Item"]
    assert item["totalTurns"] == {"N": "1"}
    assert abs(int(item["expiresAt"]["N"]) - time.time() - 7 * DAY_SECONDS) < 120
    assert item["createdAt"]["S"].endswith("Z")
    assert item["conversation"]["L"][0]["M"]["question"] == {"S": "oxygen"}
    item_for_guest = connection.guest.client("dynamodb").get_item(TableName=voice_qa.table, Key=key)["Item"]
    assert item_for_guest == item, "a guest can read the guest's own conversations"


def test_5_cognito_credentials(voice_qa: DeployedVoiceQa) -> None:
    identities = voice_qa.client("cognito-identity")
    identity = identities.get_id(IdentityPoolId=voice_qa.pool_id)["IdentityId"]
    credentials = identities.get_credentials_for_identity(IdentityId=identity)["Credentials"]
    remaining_seconds = (credentials["Expiration"] - datetime.now(UTC)).total_seconds()
    assert 3_000 < remaining_seconds <= 3_700


def test_e2e_lecture_upload_flow(voice_qa: DeployedVoiceQa, lecture_id: str) -> None:
    assert voice_qa.wait_until_validated(lecture_id)["status"] == "ready"


def test_e2e_websocket_query_flow(connection: GuestConnection, lecture_id: str) -> None:
    key = connection.upload_question("sugar")
    accepted, answer = connection.ask_question(lecture_id, audioKey=key)
    assert accepted["type"] == "queryAccepted"
    assert answer.end is not None
    assert answer.end["type"] == "answered"
    assert answer.end["pieces"] == len(answer.pieces)
    assert [citation["quote"] for citation in answer.citations()] == clip_texts("sunlight")
    assert_recognised([answer.transcript()], "sugar")


def test_an_unsigned_handshake_is_refused(voice_qa: DeployedVoiceQa) -> None:
    with pytest.raises(InvalidStatus) as error:
        connect(voice_qa.url, proxy=None)
    assert error.value.response.status_code == 403


def question_records(voice_qa: DeployedVoiceQa) -> Records[Question]:
    return expiring_records(voice_qa.client("dynamodb"), voice_qa.table, Question, 1, ids.now_ms)


def find_running_question(voice_qa: DeployedVoiceQa, guest_id: str, query_id: str) -> Question | None:
    """Return the record of a question that a worker is answering; None before and after that."""
    record = question_records(voice_qa).read(query_key(guest_id, query_id))
    return record if record is not None and record.status is QuestionStatus.RUNNING else None


def kill_function_processes(platform: Platform, function: str) -> None:
    """Kill the processes that run a function, as a lost container does."""
    for pid in list_process_tree(platform.emulator.pid):
        with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            variables = Path(f"/proc/{pid}/environ").read_text(encoding="utf-8", errors="replace").split("\0")
            if f"AWS_LAMBDA_FUNCTION_NAME={function}" in variables:
                os.kill(pid, signal.SIGKILL)


@pytest.mark.skipif(sys.platform != "linux", reason="reads process trees from /proc")
def test_the_client_of_a_killed_worker_gets_an_error_and_then_an_answer(
    platform: Platform, connection: GuestConnection, voice_qa: DeployedVoiceQa, lecture_id: str
) -> None:
    """The agent throttles the question once and asks for a pause of a second. The worker is killed in this pause."""
    guest_id, query_id = connection.request_guest_id(), uuid.uuid4().hex
    content = {"queryId": query_id, "lectureId": lecture_id, "text": "oxygen"}
    platform.deployment.faults.set(Fault.ANSWER_THROTTLED)
    assert connection.ask("query", **content)["type"] == "queryAccepted"
    record = eventually(lambda: find_running_question(voice_qa, guest_id, query_id), "a running worker")
    kill_function_processes(platform, "polyphony-local-voice-qa-query-worker")
    assert voice_qa.count_delayed_checks() > 0, "the check of the time limit is scheduled"
    earlier_time = {"asked_ms": record.asked_ms - 3_600_000}  # instead of waiting for the end of the time limit
    question_records(voice_qa).change(
        query_key(guest_id, query_id), lambda state: state and state.model_copy(update=earlier_time)
    )
    voice_qa.send_time_limit_check(guest_id, query_id)
    error = connection.wait_for_answer(query_id).end
    assert error is not None
    assert (error["type"], error["code"], error["retryable"]) == ("error", "AGENT_FAILED", True)
    connection.answers.clear()
    _, answer = connection.ask_question(lecture_id, query_id, text="oxygen")
    assert answer.end is not None
    assert (answer.end["type"], answer.end["attempt"]) == ("answered", 2)


def test_a_guest_can_access_only_the_guests_own_conversations(
    platform: Platform, connection: GuestConnection, voice_qa: DeployedVoiceQa, lecture_id: str
) -> None:
    """The guest's credentials are used directly with the services."""
    guest, other_guest = connection.guest, voice_qa.create_guest()
    own_upload = f"queries/{connection.request_guest_id()}/mine"
    own_conversation = {"sessionId": {"S": f"{guest.identity_id}#x"}, "lectureId": {"S": "y"}}
    guest.client("dynamodb").put_item(TableName=voice_qa.table, Item=own_conversation)
    response = guest.client("dynamodb").get_item(TableName=voice_qa.table, Key=own_conversation)
    assert response["Item"] == own_conversation
    forbidden_calls: list[Callable[[], object]] = [
        lambda: guest.client("s3").put_object(Bucket=voice_qa.bucket, Key=own_upload, Body=b"x"),
        lambda: guest.client("s3").put_object(
            Bucket=voice_qa.bucket, Key=f"queries/{guest.identity_id}/mine", Body=b"x"
        ),
        lambda: guest.client("s3").get_object(Bucket=voice_qa.bucket, Key=own_upload),
        lambda: guest.client("dynamodb").scan(TableName=voice_qa.table),
    ]
    for session in (
        f"{other_guest.identity_id}#x",
        f"lecture#{lecture_id}",
        guest.identity_id,
        f"x{guest.identity_id}#x",
        f"{guest.identity_id[:-1]}#x",
        "*#x",
    ):
        item = {"sessionId": {"S": session}, "lectureId": {"S": "y"}}
        forbidden_calls += [
            partial(guest.client("dynamodb").get_item, TableName=voice_qa.table, Key=item),
            partial(guest.client("dynamodb").put_item, TableName=voice_qa.table, Item=item),
        ]
    for call in forbidden_calls:
        with pytest.raises(ClientError) as error:
            call()
        assert error.value.response["ResponseMetadata"]["HTTPStatusCode"] in {400, 403}
    platform.unexplained_since = platform.decision_log_end()  # these refusals are expected


def test_the_role_of_guests_does_not_trust_another_identity_pool(voice_qa: DeployedVoiceQa) -> None:
    identities = voice_qa.client("cognito-identity")
    roles = identities.get_identity_pool_roles(IdentityPoolId=voice_qa.pool_id)["Roles"]
    other_pool = identities.create_identity_pool(IdentityPoolName="other", AllowUnauthenticatedIdentities=True)
    identities.set_identity_pool_roles(IdentityPoolId=other_pool["IdentityPoolId"], Roles=roles)
    with pytest.raises(ClientError, match="InvalidIdentityPoolConfigurationException"):
        Guest.from_pool(voice_qa.stack.connect, other_pool["IdentityPoolId"])


def test_logs_contain_no_text_no_signature_and_no_identity(
    platform: Platform, connection: GuestConnection, lecture_id: str
) -> None:
    """The searched lines include those of the spoken question of `test_e2e_websocket_query_flow`."""
    connection.ask_question(lecture_id, text="What do plants turn into sugar?")

    def find_lines() -> list[str] | None:
        """Return the lines, once those of the worker's invocation are there, which arrive after the answer."""
        lines = platform.log_lines("voice-qa-websocket-handler", "voice-qa-query-worker")
        return lines if any("query_ended" in line for line in lines) else None

    lines = eventually(find_lines, "the log of an answer")
    for line in lines:
        assert "turn into sugar" not in line.lower()
        assert connection.guest.identity_id not in line
        assert "X-Amz-Signature" not in line

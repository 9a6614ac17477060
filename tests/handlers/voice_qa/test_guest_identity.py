"""A guest's Cognito identity id never leaves the table, because anyone with this id can log in as the guest."""

import base64
import json
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from handlers.voice_qa.query_worker.handler import AnswerOutcome
from handlers.voice_qa.records import HOUR_MS
from tests.handlers.voice_qa.query_worker.worker_harness import AUDIO, AUDIO_KEY, INTERRUPTED, TEXT, WorkerHarness
from tests.handlers.voice_qa.socket_harness import ANN_GUEST_ID, ANN_IDENTITY
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET


def passed_on_texts(worker: WorkerHarness) -> Iterator[tuple[str, str]]:
    """Yield each text that the two functions passed on, with a name of its kind."""
    api = worker.api
    for answer in api.answers:
        yield "answer", json.dumps(answer)
        if answer["type"] == "uploadReady":
            yield "policy of a form", base64.b64decode(answer["fields"]["policy"]).decode()
    yield "messages to the client", json.dumps(worker.clients.inbox)
    yield from (("request to the agent", question.model_dump_json()) for question in worker.agent.questions)
    yield from (("event of the worker", event.model_dump_json()) for event in api.worker_events)
    yield from (("check of a time limit", check.model_dump_json()) for check in api.scheduled_checks)
    for version in worker.s3.list_object_versions(Bucket=BUCKET)["Versions"]:
        yield "S3 key", version["Key"]


def contains_identity_id(text: str) -> bool:
    """Return True if a text contains the identity id, plain or encoded for a URL."""
    return ANN_IDENTITY.split(":")[1] in unquote(text)


@pytest.fixture
def used_worker(worker: WorkerHarness) -> WorkerHarness:
    """Return a worker after a guest has asked spoken and written questions, with answers and all kinds of failures."""
    worker.upload_audio()
    assert worker.invoke({"type": "transcript", "text": "Who sings?"}, TEXT, AUDIO) is AnswerOutcome.ANSWERED
    worker.ask(audioKey=AUDIO_KEY, text=None)
    assert {"piecesUrl", "audioUrl"} <= {*worker.api.answers[-1]}
    worker.query_id = "failed-1"
    assert worker.answer_question(TEXT, INTERRUPTED) is AnswerOutcome.FAILED
    with pytest.raises(Exception, match="RuntimeError") as raised:
        worker.answer_question(RuntimeError(ANN_IDENTITY))
    assert not contains_identity_id(repr(raised.value))
    for kind in ("query", "lecture"):
        worker.api.send("upload", kind=kind, contentType="audio/ogg")
    worker.api.ask("foreign-1", text=None, audioKey=f"queries/{ANN_IDENTITY}/01ARYZ6S410000000000000001")
    worker.query_id = "unanswered-1"
    worker.ask()
    worker.clock.now_ms += HOUR_MS
    worker.check_time_limit()
    return worker


def test_only_the_table_contains_the_identity_id(
    used_worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    log_output = capsys.readouterr().out
    for event in ("query_ended", "query_broken", "query_overdue", "message_refused"):
        assert event in log_output
    texts = list(passed_on_texts(used_worker))
    assert {kind for kind, text in texts if ANN_GUEST_ID in unquote(text)} == {
        *("answer", "policy of a form", "request to the agent"),
        *("event of the worker", "check of a time limit", "S3 key"),
    }, "texts of each kind contain the guest id instead"
    assert [kind for kind, text in (*texts, ("log", log_output)) if contains_identity_id(text)] == []


def test_of_all_keys_only_those_of_conversations_contain_the_identity_id(used_worker: WorkerHarness) -> None:
    """IAM compares the key of a conversation with the identity id, so that the guest can read it.

    The partition key of all items has the name `sessionId`.
    """
    keys = {item["sessionId"]["S"] for item in used_worker.api.stored_items()}
    keys_with_identity = {key for key in keys if contains_identity_id(key)}
    assert keys_with_identity
    assert all(key.startswith(f"{ANN_IDENTITY}#") for key in keys_with_identity)
    assert {key.split("#")[0] for key in keys - keys_with_identity} == {"lecture", "connection", "query", "counter"}
    assert {item["owner"]["S"] for item in used_worker.api.stored_items() if "owner" in item} == {"", ANN_GUEST_ID}

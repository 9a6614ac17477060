"""A guest's Cognito identity id never leaves the table, because anyone with this id can log in as the guest."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from handlers.voice_qa.query_worker.handler import AnswerOutcome
from handlers.voice_qa.records import HOUR_MS
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO,
    INTERRUPTED,
    LECTURE_ID,
    TEXT,
    Step,
    WorkerHarness,
)
from tests.handlers.voice_qa.socket_harness import ANN_GUEST_ID, ANN_IDENTITY
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET

TRANSCRIPT = {"type": "transcript", "text": "Who sings?"}


class FlowHarness:
    """WebSocket handler and query worker with the same table and bucket. It keeps all answers of the handler."""

    def __init__(self, worker: WorkerHarness) -> None:
        self.worker, self.api = worker, worker.api
        self.answers: list[dict[str, Any]] = []

    def send(self, action: str, **content: Any) -> dict[str, Any]:
        """Send a message as the guest, and keep its answer."""
        answer = self.api.send(action, **content)
        self.answers.append(answer)
        return answer

    def ask(self, query_id: str, *script: Step, **content: Any) -> AnswerOutcome:
        """Ask a question, and handle the event with which the handler invoked the worker."""
        self.worker.agent.scripts = [script]
        self.send("query", queryId=query_id, lectureId=LECTURE_ID, **content)
        event = json.loads(self.api.worker_events[-1].model_dump_json(by_alias=True))
        return self.worker.query_worker.handle(event)

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield each text that the two functions passed on, with a name of its kind."""
        yield from (("answer", json.dumps(answer)) for answer in self.answers)
        for answer in self.answers:
            if answer["type"] == "uploadReady":
                yield "policy of a form", base64.b64decode(answer["fields"]["policy"]).decode()
        yield "messages to the client", json.dumps(self.worker.clients.inbox)
        yield from (("request to the agent", question.model_dump_json()) for question in self.worker.agent.questions)
        yield from (("event of the worker", event.model_dump_json()) for event in self.api.worker_events)
        yield from (("check of a time limit", check.model_dump_json()) for check in self.api.scheduled_checks)
        for version in self.worker.s3.list_object_versions(Bucket=BUCKET)["Versions"]:
            yield "S3 key", version["Key"]


def contains_identity_id(text: str) -> bool:
    """Return True if a text contains the identity id, plain or encoded for a URL."""
    return ANN_IDENTITY.split(":")[1] in unquote(text)


@pytest.fixture
def flow(worker: WorkerHarness) -> FlowHarness:
    """Return the flow after a guest has asked spoken and written questions, with answers and all kinds of failures."""
    harness = FlowHarness(worker)
    harness.api.connect()
    key = harness.send("upload", kind="query", contentType="audio/ogg")["key"]
    worker.s3.put_object(Bucket=BUCKET, Key=key, Body=b"audio", ContentType="audio/ogg")
    assert harness.ask("spoken-1", TRANSCRIPT, TEXT, AUDIO, audioKey=key) is AnswerOutcome.ANSWERED
    answered = harness.send("query", queryId="spoken-1", lectureId=LECTURE_ID, audioKey=key)
    assert {"piecesUrl", "audioUrl"} <= {*answered}
    session = answered["sessionId"]
    assert harness.ask("written-1", TEXT, text="Why?", sessionId=session) is AnswerOutcome.ANSWERED
    assert harness.ask("failed-1", INTERRUPTED, text="Why?") is AnswerOutcome.FAILED
    with pytest.raises(Exception, match="RuntimeError") as raised:
        harness.ask("broken-1", RuntimeError(ANN_IDENTITY), text="Why?")
    harness.answers.append({"type": "exception of the worker", "text": repr(raised.value)})
    harness.send("upload", kind="lecture", contentType="audio/ogg")
    foreign_key = f"queries/{ANN_IDENTITY}/01ARYZ6S410000000000000001"
    harness.send("query", queryId="foreign-1", lectureId=LECTURE_ID, audioKey=foreign_key)
    worker.clock.now_ms += HOUR_MS
    harness.send("query", queryId="unanswered-1", lectureId=LECTURE_ID, text="Why?")
    check = harness.api.scheduled_checks[-1].model_dump_json(by_alias=True)
    worker.clock.now_ms += HOUR_MS
    harness.api.handler.handle({"Records": [{"messageId": "check-1", "body": check}]})
    return harness


def test_only_the_table_contains_the_identity_id(flow: FlowHarness, capsys: pytest.CaptureFixture[str]) -> None:
    log_output = capsys.readouterr().out
    for event in ("query_ended", "query_broken", "query_overdue", "message_refused"):
        assert event in log_output
    texts = list(flow.texts())
    assert {kind for kind, text in texts if ANN_GUEST_ID in unquote(text)} == {
        *("answer", "policy of a form", "request to the agent"),
        *("event of the worker", "check of a time limit", "S3 key"),
    }, "texts of each kind contain the guest id instead"
    assert [kind for kind, text in (*texts, ("log", log_output)) if contains_identity_id(text)] == []


def test_of_all_keys_only_those_of_conversations_contain_the_identity_id(flow: FlowHarness) -> None:
    """IAM compares the key of a conversation with the identity id, so that the guest can read it.

    The partition key of all items has the name `sessionId`.
    """
    keys = {item["sessionId"]["S"] for item in flow.api.stored_items()}
    keys_with_identity = {key for key in keys if contains_identity_id(key)}
    assert keys_with_identity
    assert all(key.startswith(f"{ANN_IDENTITY}#") for key in keys_with_identity)
    assert {key.split("#")[0] for key in keys - keys_with_identity} == {"lecture", "connection", "query", "counter"}
    assert {item["owner"]["S"] for item in flow.api.stored_items() if "owner" in item} == {"", ANN_GUEST_ID}

"""Tests of the whole flow of voice Q&A: a guest's Cognito identity id, with which anyone can log in, stays in the table."""

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import pytest

from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_protocol import request_body
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from handlers.voice_qa.query_worker.question_answering import AnswerOutcome
from handlers.voice_qa.table_records import allowance_key, connection_key, conversation_key, query_key
from tests.handlers.voice_qa.query_worker.worker_harness import AUDIO, LECTURE_ID, REMAINING_MS, TEXT, WorkerHarness
from tests.handlers.voice_qa.socket_harness import ANN, ANN_ID, SocketHarness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET

TRANSCRIPT = agent_types.AgentTranscriptPiece("Who sings?")


class FlowHarness:
    """WebSocket handler and query worker with one table and one bucket, and all that they gave to others."""

    def __init__(self, worker: WorkerHarness) -> None:
        self.worker = worker
        self.api = SocketHarness(worker.dynamodb, clock=worker.clock, clients=worker.clients)
        self.answers: list[dict[str, Any]] = []

    def send(self, action: str, **content: Any) -> dict[str, Any]:
        """Send a message as the guest, and keep its answer."""
        answer = self.api.send(action, **content)
        self.answers.append(answer)
        return answer

    def ask(self, query_id: str, **content: Any) -> AnswerOutcome:
        """Ask a question, and run the worker that the handler invoked."""
        self.send("query", queryId=query_id, lectureId=LECTURE_ID, **content)
        event = json.loads(self.api.worker_events[-1].model_dump_json(by_alias=True))
        return self.worker.query_worker.handle(event, REMAINING_MS, f"call-{len(self.answers)}")

    def upload(self, kind: str) -> str:
        """Request a form, and upload audio to its key, which is returned."""
        ready = self.send("upload", kind=kind, contentType="audio/ogg")
        key: str = ready["key"]
        self.worker.s3.put_object(Bucket=BUCKET, Key=key, Body=b"audio", ContentType="audio/ogg")
        return key

    def texts(self) -> Iterator[tuple[str, str]]:
        """Yield everything that leaves the table, each with the name of its kind."""
        yield from (("answer", json.dumps(answer)) for answer in self.answers)
        for answer in self.answers:
            if answer["type"] == "uploadReady":
                yield "policy of a form", base64.b64decode(answer["fields"]["policy"]).decode()
        yield "messages to the client", json.dumps(self.worker.clients.inbox)
        for question in self.worker.agent.questions:
            yield "request to the agent", request_body(question).decode()
        yield from (("event of the worker", event.model_dump_json()) for event in self.api.worker_events)
        yield from (("check of a time limit", check.model_dump_json()) for check in self.api.scheduled_checks)
        for version in self.worker.s3.list_object_versions(Bucket=BUCKET)["Versions"]:
            yield "S3 key", version["Key"]


def is_revealed(text: str) -> bool:
    """Return True if a text contains the identity id, also if it is encoded for a URL."""
    return ANN.split(":")[1] in unquote(text)


@pytest.fixture
def flow(worker: WorkerHarness) -> FlowHarness:
    """Return the flow of a connected guest who asked questions in every way, with answers and failures."""
    harness = FlowHarness(worker)
    harness.api.connect()
    worker.script_answer(TRANSCRIPT, TEXT, AUDIO)
    key = harness.upload("query")
    assert harness.ask("spoken-1", audioKey=key) is AnswerOutcome.ANSWERED
    assert harness.ask("spoken-1", audioKey=key) is AnswerOutcome.REPLAYED
    worker.script_answer(TEXT)
    session = harness.answers[-1]["sessionId"]
    assert harness.ask("written-1", text="Why?", sessionId=session) is AnswerOutcome.ANSWERED
    worker.agent.scripts.append(AgentFailed(AgentCode.BROKEN_OFF))
    assert harness.ask("failed-1", text="Why?") is AnswerOutcome.FAILED
    worker.agent.scripts.append(RuntimeError(ANN))
    with pytest.raises(Exception, match="RuntimeError") as raised:
        harness.ask("broken-1", text="Why?")
    harness.answers.append({"type": "exception of the worker", "text": repr(raised.value)})
    harness.upload("lecture")
    harness.send(
        "query", queryId="foreign-1", lectureId=LECTURE_ID, audioKey=f"queries/{ANN}/01ARYZ6S410000000000000001"
    )
    check = harness.api.scheduled_checks[-1].model_dump_json(by_alias=True)
    worker.clock.now_ms += 3_600_000
    harness.api.handler.handle({"Records": [{"messageId": "check-1", "body": check}]})
    return harness


def test_nothing_outside_the_table_contains_the_identity_id(
    flow: FlowHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    logged = capsys.readouterr().out
    for event in ("query_ended", "query_replayed", "query_broken", "query_overdue", "message_refused"):
        assert event in logged
    texts = list(flow.texts())
    assert {kind for kind, text in texts if ANN_ID in unquote(text)} == {
        *("answer", "policy of a form", "messages to the client", "request to the agent"),
        *("event of the worker", "check of a time limit", "S3 key"),
    }, "each of them identifies the guest"
    assert [kind for kind, text in (*texts, ("log", logged)) if is_revealed(text)] == []


def test_only_the_keys_of_conversations_contain_the_identity_id(flow: FlowHarness) -> None:
    """IAM compares the key of a conversation with the identity id, so that the guest can read it."""
    keys = {item["sessionId"]["S"] for item in flow.api.stored()}
    revealing = {key for key in keys if is_revealed(key)}
    assert revealing
    assert all(key.startswith(f"{ANN}#") for key in revealing)
    hashed = (connection_key("c1"), query_key(ANN_ID, "spoken-1"), allowance_key(ANN_ID))
    assert {key["sessionId"] for key in hashed} <= keys - revealing
    [owner] = [item["owner"]["S"] for item in flow.api.stored() if "owner" in item]
    assert owner == ANN_ID


def test_the_agent_cannot_recognise_a_guest_whose_identity_id_it_knows(flow: FlowHarness) -> None:
    spoken, written, *_ = flow.worker.agent.questions
    assert spoken.session_id == written.session_id, "one conversation"
    assert len(written.conversation) == 1
    session = flow.answers[1]["sessionId"]
    known = conversation_key(ANN, session, LECTURE_ID)["sessionId"]
    assert spoken.session_id != agent_types.opaque_session_id(known), "the hash of the identity id has no key"

"""Invocations of the query worker: the agent's answer is posted to the client and stored, and failures are reported.

The agent is the external service that answers a question, in pieces. Each try of a worker is an attempt. The scripted
answers of the agent contain functions, which are called between the pieces.
"""

import json
from functools import partial
from hashlib import sha256
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest

from handlers.common import ids
from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.query_worker import handler
from handlers.voice_qa.query_worker.agent import (
    AgentFailed,
    ContextTurn,
    SpokenQuery,
    WrittenQuery,
)
from handlers.voice_qa.query_worker.answer_storage import Conversations
from handlers.voice_qa.query_worker.handler import MAX_LAST_POSTS, AnswerOutcome
from handlers.voice_qa.records import QuestionStatus, conversation_key
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO,
    AUDIO_BYTES,
    AUDIO_KEY,
    AWS_ERROR,
    INTERRUPTED,
    MORE_TEXT,
    QUERY_ID,
    QUESTION_TEXT,
    SESSION_ID,
    TEXT,
    WORKER_ENVIRONMENT,
    Step,
    WorkerHarness,
)
from tests.handlers.voice_qa.socket_harness import ANN_GUEST_ID, ANN_IDENTITY
from tests.handlers.voice_qa.validate_lecture.lecture_harness import (
    BUCKET,
    LECTURE_ID,
    LECTURE_KEY,
    TABLE,
    LectureHarness,
)
from tests.moto_tables import create_table, stored_items

CITATION = {"type": "citation", "startMs": 1_000, "endMs": 2_000, "quote": "a canary sings"}


def test_the_client_gets_all_pieces_in_order_and_then_the_message_answered(worker: WorkerHarness) -> None:
    assert worker.answer_question(TEXT, CITATION, MORE_TEXT) is AnswerOutcome.ANSWERED
    common_fields = {"queryId": QUERY_ID, "attempt": 1}
    assert worker.clients.inbox["c1"] == [
        {"type": "text", **common_fields, "number": 0, "text": "Canaries "},
        {**CITATION, **common_fields, "number": 1},
        {"type": "text", **common_fields, "number": 2, "text": "sing."},
        {"type": "answered", **common_fields, "pieces": 3},
    ]
    assert (worker.question.status, worker.question.reported) == (QuestionStatus.ANSWERED, True)
    assert worker.turns == [(QUESTION_TEXT, "Canaries sing.")]


def test_the_agent_gets_the_lecture_the_question_and_the_conversation(worker: WorkerHarness) -> None:
    worker.conversations.append(conversation_key(ANN_IDENTITY, SESSION_ID, LECTURE_ID), "earlier-1", "Q", "A")
    worker.ask(language="de-DE")
    worker.invoke(TEXT)
    [question] = worker.agent.questions
    assert (question.query_id, question.language) == (QUERY_ID, "de-DE")
    assert question.conversation == (ContextTurn(question="Q", answer="A"),)
    assert question.query == WrittenQuery(text=QUESTION_TEXT)
    assert question.session_id == sha256(f"{ANN_GUEST_ID}#{SESSION_ID}".encode()).hexdigest()
    assert (question.lecture.format, question.lecture.duration_ms) == ("mp3", 60_000)
    private = (QUESTION_TEXT, question.lecture.url, repr(question.conversation[0].question))
    assert not [text for text in private if text in repr(question)], "no log gets them by accident"
    url = urlsplit(question.lecture.url)
    assert unquote(url.path).endswith(LECTURE_KEY)
    version = worker.s3.head_object(Bucket=BUCKET, Key=LECTURE_KEY)["VersionId"]
    assert parse_qs(url.query)["versionId"] == [version]


def test_a_spoken_question_is_stored_as_its_last_transcript(worker: WorkerHarness) -> None:
    worker.upload_audio()
    worker.invoke(*({"type": "transcript", "text": text} for text in ("whose", "who sings")), TEXT, MORE_TEXT)
    assert worker.turns == [("who sings", "Canaries sing.")]


@pytest.mark.parametrize(("content_type", "audio_format"), [("audio/webm", "webm"), ("audio/mpeg", "mp3")])
def test_the_agent_gets_the_version_of_a_spoken_question_that_was_checked(
    worker: WorkerHarness, content_type: str, audio_format: str
) -> None:
    """The upload form stays valid after the question was checked, so the guest may upload other audio with it."""
    worker.upload_audio(b"checked", content_type)
    replace_audio = partial(worker.s3.put_object, Bucket=BUCKET, Key=AUDIO_KEY, Body=b"replaced")
    worker.invoke(replace_audio, TEXT)
    [question] = worker.agent.questions
    assert isinstance(question.query, SpokenQuery)
    assert question.query.format == audio_format
    assert unquote(urlsplit(question.query.url).path).endswith(AUDIO_KEY)
    [version] = parse_qs(urlsplit(question.query.url).query)["versionId"]
    assert worker.s3.get_object(Bucket=BUCKET, Key=AUDIO_KEY, VersionId=version)["Body"].read() == b"checked"


@pytest.mark.parametrize("script", [*((TEXT, AgentFailed(code)) for code in AgentCode), (INTERRUPTED,)])
def test_a_failure_of_the_agent_ends_the_question_and_is_reported(
    worker: WorkerHarness, script: tuple[Step, ...]
) -> None:
    *pieces, error = script
    assert isinstance(error, AgentFailed)
    assert worker.answer_question(*script) is AnswerOutcome.FAILED
    [message] = worker.sent_messages("error")
    expected = {"code": "AGENT_FAILED", "queryId": QUERY_ID, "retryable": error.retryable}
    assert message == {"type": "error", "message": error.message, **expected}
    assert len(worker.clients.piece_numbers("c1")) == worker.agent.closed_count == len(pieces), "pieces stay valid"
    assert (worker.question.status, worker.turns) == (QuestionStatus.FAILED, [])
    if error.retryable:
        assert worker.answer_question(TEXT) is AnswerOutcome.ANSWERED
        assert worker.sent_messages("answered")[0]["attempt"] == 2


@pytest.mark.parametrize(
    ("lecture_status", "changes", "code", "retryable"),
    [
        ("rejected", {}, "LECTURE_REJECTED", False),
        ("ready", {"lecture": SESSION_ID}, "LECTURE_UNKNOWN", False),
        ("ready", {"audio_key": AUDIO_KEY}, "AUDIO_REFUSED", True),
    ],
)
def test_a_question_without_a_ready_lecture_or_audio_is_not_sent_to_the_agent(
    worker: WorkerHarness, lecture_status: str, changes: dict[str, Any], code: str, *, retryable: bool
) -> None:
    worker.ask()
    worker.store_lecture(status=lecture_status)
    worker.api.change_question(QUERY_ID, **changes)
    assert worker.invoke() is AnswerOutcome.FAILED
    [error] = worker.sent_messages("error")
    assert (error["code"], error["retryable"]) == (code, retryable)
    assert worker.agent.questions == []


def test_of_two_concurrent_invocations_only_the_first_one_answers(worker: WorkerHarness) -> None:
    assert worker.invoke() is AnswerOutcome.NOTHING_TO_DO, "the question is not stored yet"
    worker.agent.scripts.clear()
    outcomes: list[AnswerOutcome] = []
    assert worker.answer_question(TEXT, lambda: outcomes.append(worker.invoke()), MORE_TEXT) is AnswerOutcome.ANSWERED
    assert outcomes == [AnswerOutcome.NOTHING_TO_DO]
    assert worker.invoke() is AnswerOutcome.NOTHING_TO_DO, "Lambda delivers the event again after the end"
    assert (worker.clients.piece_numbers("c1"), len(worker.agent.questions)) == ([0, 1], 1)


def stored_answer(worker: WorkerHarness) -> tuple[list[str], bytes]:
    """Return the types of the stored pieces, and the spoken answer."""
    question = worker.question
    pieces, spoken = (
        worker.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        for key in (question.pieces_key, question.spoken_key)
    )
    return [json.loads(line)["type"] for line in pieces.splitlines()], spoken


def test_a_client_that_reconnects_is_told_when_the_complete_answer_is_stored(worker: WorkerHarness) -> None:
    def reconnect() -> None:
        worker.clients.gone.add("c1")
        assert not worker.ask("c2"), "the running worker tells the client"

    assert worker.answer_question(TEXT, reconnect, AUDIO, MORE_TEXT) is AnswerOutcome.ANSWERED
    assert (worker.clients.piece_numbers("c1"), worker.sent_messages("answered")) == ([0], [])
    [answered] = worker.clients.inbox["c2"]
    assert (answered["type"], answered["pieces"]) == ("answered", 3)
    assert stored_answer(worker) == (["text", "audio", "text"], AUDIO_BYTES)
    assert not worker.ask("c2"), "the stored answer needs no worker"
    assert len(worker.agent.questions) == 1, "the agent is asked once"


def test_without_a_connected_client_the_answer_is_completed_and_stored(
    worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clients.gone.add("c1")
    assert worker.invoke(TEXT, AUDIO) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    assert worker.log_lines(capsys.readouterr().out, "query_overdue") == [], "a client may leave without an alarm"
    assert (worker.clients.inbox, len(worker.turns)) == ({}, 1)
    assert stored_answer(worker) == (["text", "audio"], AUDIO_BYTES)


def test_a_piece_that_cannot_be_posted_does_not_delay_the_others(worker: WorkerHarness) -> None:
    worker.ask()
    worker.clients.failures = [AWS_ERROR]
    assert worker.invoke(AUDIO, MORE_TEXT) is AnswerOutcome.ANSWERED
    assert worker.clients.piece_numbers("c1") == [1]
    assert worker.sent_messages("answered")[0]["pieces"] == 2, "so the client knows that a piece is missing"
    assert stored_answer(worker)[0] == ["audio", "text"]


@pytest.mark.parametrize("count", [MAX_LAST_POSTS - 1, MAX_LAST_POSTS])
def test_an_end_that_cannot_be_posted_is_reported_by_the_time_limit_check(worker: WorkerHarness, count: int) -> None:
    worker.ask()
    worker.clients.failures = [AWS_ERROR] * (1 + count)
    assert worker.invoke(TEXT) is AnswerOutcome.ANSWERED
    worker.check_time_limit()
    is_posted = count < MAX_LAST_POSTS
    [end] = worker.clients.inbox["c1"]
    assert (end["type"], end.get("retryable")) == (("answered", None) if is_posted else ("error", True))


def test_a_turn_that_cannot_be_stored_does_not_affect_the_answer(
    worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Conversations, "append", Mock(side_effect=AWS_ERROR))
    assert worker.answer_question(TEXT) is AnswerOutcome.ANSWERED
    assert len(worker.log_lines(capsys.readouterr().out, "turn_lost")) == 1


EVENT = {"guestId": ANN_GUEST_ID, "queryId": QUERY_ID}


def test_the_end_of_an_answer_is_logged_with_times_and_counts(
    worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clock.now_ms += 50
    worker.invoke(worker.wait(100), TEXT, worker.wait(300), AUDIO, MORE_TEXT, worker.wait(5))
    output = capsys.readouterr().out
    [line] = worker.log_lines(output, "query_ended")
    assert (line["level"], line["outcome"], line.get("cause")) == ("INFO", "answered", None)
    assert (line["milliseconds"], line["pieces"]) == (455, 3)
    assert "anary" not in output


def test_the_entry_point_uses_its_environment(lectures: LectureHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    """This test uses moto's table, and shows that DynamoDB accepts the worker's conditions."""
    lectures.dynamodb = boto3.client("dynamodb")
    create_table(lectures.dynamodb, TABLE, "sessionId", "lectureId")
    worker = WorkerHarness(lectures)
    worker.store_lecture()
    for name, value in WORKER_ENVIRONMENT.variables().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "create_agent", lambda *_: worker.agent)
    monkeypatch.setattr(handler, "WebSocketConnections", lambda _: worker.clients)
    handler._worker.cache_clear()
    worker.clock.now_ms = ids.now_ms()
    worker.upload_audio()
    worker.agent.scripts.append((AUDIO,))
    assert handler.handler(EVENT, None) == "answered"
    [question] = worker.agent.questions
    assert isinstance(question.query, SpokenQuery)
    for url in (question.lecture.url, question.query.url):
        assert "X-Amz-Signature" in url, "a bucket with a KMS key requires Signature Version 4"
        assert urlsplit(url).hostname == f"{BUCKET}.s3.us-east-1.amazonaws.com"
        assert "X-Amz-Expires=900&" in url
    worker.query_id = "canary-query-2"
    worker.ask()
    worker.agent.scripts.append((TEXT,))
    assert handler.handler(EVENT | {"queryId": "canary-query-2"}, None) == "answered"
    conversation = conversation_key(ANN_IDENTITY, SESSION_ID, LECTURE_ID)
    stored = stored_items(lectures.dynamodb, TABLE)
    assert [item["totalTurns"]["N"] for item in stored if item["sessionId"]["S"] == conversation["sessionId"]] == ["2"]
    handler._worker.cache_clear()


@pytest.mark.parametrize(
    ("variables", "url"),
    [
        ({"agentcore_endpoint": "http://127.0.0.1:9"}, "http://127.0.0.1:9/answer"),
        (
            {"agentcore_runtime_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/tutor"},
            "https://bedrock-agentcore.us-east-1.",
        ),
        ({}, None),
    ],
)
def test_the_environment_determines_the_agent(variables: dict[str, str], url: str | None) -> None:
    environment = WORKER_ENVIRONMENT.model_copy(update={"agentcore_endpoint": None, **variables})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    if url is None:
        with pytest.raises(ValueError, match="AGENTCORE_ENDPOINT"):
            handler.create_agent(environment, session)
    else:
        assert handler.create_agent(environment, session)._url.startswith(url)

"""Invocations of the query worker: the agent's answer is posted to the client and stored, and failures are handled.

The agent is the external service that answers a question, in pieces. Each try of the worker is an attempt. A later
attempt replaces an earlier one that has not ended in time. An attempt that fails because of an internal error releases
the question, so that another attempt can begin. `worker.ask` stores a request for the question, and returns True if a
worker must be invoked. An allowance is a guest's limit of questions.
"""

from functools import partial
from typing import Any
from unittest.mock import Mock
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from pydantic import ValidationError

from handlers.common.versioned_items import VersionedItems
from handlers.voice_qa.query_worker import agent_protocol, handler
from handlers.voice_qa.query_worker.agent_protocol import AgentFailed, AnswerAudioFormat
from handlers.voice_qa.query_worker.agent_question_processing import MESSAGES, AnswerOutcome
from handlers.voice_qa.query_worker.answer_forwarding import MAX_AUDIO
from handlers.voice_qa.query_worker.environment import AgentCode, WorkerEnvironment
from handlers.voice_qa.query_worker.handler import AnsweringFailed
from handlers.voice_qa.table_records import Listener, QuestionRecord, QuestionStatus, conversation_key, query_key
from tests.handlers.voice_qa.query_worker.worker_harness import (
    ANSWER_BROKEN_OFF,
    AUDIO,
    AUDIO_KEY,
    AWS_ERROR,
    GUEST_ID,
    IDENTITY,
    LECTURE_ID,
    LECTURE_KEY,
    MAX_QUERY_BYTES,
    MORE_TEXT,
    QUERY_ID,
    QUESTION_TEXT,
    REMAINING_MS,
    SESSION_ID,
    TEXT,
    WorkerHarness,
)
from tests.handlers.voice_qa.validate_lecture.lecture_harness import BUCKET, TABLE
from tests.lost_responses import repeat_every_call

CITATION = agent_protocol.AgentCitation(start_ms=1_000, end_ms=2_000, quote="a canary sings")
TRANSCRIPT = agent_protocol.AgentTranscript(text="who sings")
RAISE_AWS_ERROR = Mock(side_effect=AWS_ERROR)


def test_the_client_gets_all_pieces_in_order_and_then_the_message_answered(worker: WorkerHarness) -> None:
    assert worker.answer_question(TEXT, CITATION, MORE_TEXT) is AnswerOutcome.ANSWERED
    common_fields = {"queryId": QUERY_ID, "attempt": 1}
    assert worker.clients.inbox["c1"] == [
        {"type": "text", **common_fields, "number": 0, "text": "Canaries "},
        {"type": "citation", **common_fields, "number": 1, "startMs": 1_000, "endMs": 2_000, "quote": CITATION.quote},
        {"type": "text", **common_fields, "number": 2, "text": "sing."},
        {"type": "answered", **common_fields, "pieces": 3},
    ]
    assert (worker.question.status, worker.running_question_count) == (QuestionStatus.ANSWERED, 0)
    assert worker.turns == [(QUESTION_TEXT, "Canaries sing.")]


def test_the_agent_gets_the_lecture_the_question_and_the_conversation(worker: WorkerHarness) -> None:
    worker.conversations.append(conversation_key(IDENTITY, SESSION_ID, LECTURE_ID), "earlier-1", "Q", "A")
    worker.ask(language="de-DE")
    worker.script_answer(TEXT)
    worker.invoke()
    [question] = worker.agent.questions
    assert (question.query_id, question.language) == (QUERY_ID, "de-DE")
    assert question.conversation == (agent_protocol.ContextTurn(question="Q", answer="A"),)
    assert question.query == agent_protocol.WrittenQuery(text=QUESTION_TEXT)
    assert question.session_id == agent_protocol.opaque_session_id(f"{GUEST_ID}#{SESSION_ID}")
    assert (question.lecture.format, question.lecture.duration_ms) == ("mp3", 60_000)
    url = urlsplit(question.lecture.url)
    assert unquote(url.path).endswith(LECTURE_KEY)
    version = worker.s3.head_object(Bucket=BUCKET, Key=LECTURE_KEY)["VersionId"]
    assert parse_qs(url.query)["versionId"] == [version]


def test_a_spoken_question_is_sent_as_a_url_and_stored_as_its_transcript(worker: WorkerHarness) -> None:
    worker.upload_audio()
    worker.script_answer(agent_protocol.AgentTranscript(text="whose"), TRANSCRIPT, TEXT, MORE_TEXT)
    worker.invoke()
    [question] = worker.agent.questions
    assert isinstance(question.query, agent_protocol.SpokenQuery)
    assert question.query.format == "webm"
    assert unquote(urlsplit(question.query.url).path).endswith(AUDIO_KEY)
    assert worker.turns == [("who sings", "Canaries sing.")], "the last transcript counts"


def test_the_agent_gets_the_version_of_a_spoken_question_that_was_checked(worker: WorkerHarness) -> None:
    """The upload form stays valid after the question was checked, so the guest may upload other audio with it."""
    worker.upload_audio(b"checked")
    replace_audio = partial(worker.s3.put_object, Bucket=BUCKET, Key=AUDIO_KEY, Body=bytes(MAX_QUERY_BYTES + 1))
    worker.script_answer(replace_audio, TEXT)
    worker.invoke()
    [question] = worker.agent.questions
    assert isinstance(question.query, agent_protocol.SpokenQuery)
    [version] = parse_qs(urlsplit(question.query.url).query)["versionId"]
    assert worker.s3.get_object(Bucket=BUCKET, Key=AUDIO_KEY, VersionId=version)["Body"].read() == b"checked"
    assert worker.s3.head_object(Bucket=BUCKET, Key=AUDIO_KEY)["VersionId"] != version


@pytest.mark.parametrize(
    ("code", "answer_started"), [*((code, True) for code in AgentCode), (AgentCode.UNAVAILABLE, False)]
)
def test_a_failure_of_the_agent_ends_the_question_and_is_reported(
    worker: WorkerHarness, code: AgentCode, *, answer_started: bool
) -> None:
    worker.ask()
    error = AgentFailed(code)
    if answer_started:
        script = worker.script_answer(TEXT, error)
    else:
        worker.agent.scripts.append(error)
    assert worker.invoke() is AnswerOutcome.FAILED
    [message] = worker.sent_messages("error")
    expected = {"code": "AGENT_FAILED", "queryId": QUERY_ID, "message": MESSAGES[code], "retryable": error.retryable}
    assert message == {"type": "error", **expected}
    assert worker.received_text() == ("Canaries " if answer_started else ""), "earlier pieces stay valid"
    assert (worker.question.status, worker.question.retryable) == (QuestionStatus.FAILED, error.retryable)
    assert (worker.running_question_count, worker.turns) == (0, [])
    assert not answer_started or script.closed
    assert worker.ask() is error.retryable, "only a retryable failure allows another attempt"
    if error.retryable:
        worker.script_answer(TEXT)
        assert worker.invoke() is AnswerOutcome.ANSWERED


@pytest.mark.parametrize(
    ("lecture_status", "question_changes", "code", "retryable"),
    [
        ("rejected", {}, "LECTURE_REJECTED", False),
        ("validating", {}, "LECTURE_NOT_READY", True),
        ("ready", {"lecture_id": "01M7W8GQNQY865WCQPRM59D2J9"}, "LECTURE_UNKNOWN", False),
        ("ready", {"audio_key": AUDIO_KEY}, "AUDIO_MISSING", True),
        ("ready", {"text": None}, "QUERY_FAILED", False),
    ],
)
def test_a_question_without_a_ready_lecture_or_its_audio_is_not_sent_to_the_agent(
    worker: WorkerHarness, lecture_status: str, question_changes: dict[str, Any], code: str, *, retryable: bool
) -> None:
    worker.store_lecture(status=lecture_status)
    worker.ask(**question_changes)
    assert worker.invoke() is AnswerOutcome.FAILED
    [error] = worker.sent_messages("error")
    assert (error["code"], error["retryable"], worker.question.code) == (code, retryable, code)
    assert worker.agent.questions == []


@pytest.mark.parametrize(
    ("size", "content_type", "code"),
    [
        (0, "audio/webm", "AUDIO_EMPTY"),
        (1, "audio/webm; codecs=opus", None),
        (1, "text/html", "QUERY_FAILED"),
        (MAX_QUERY_BYTES, "audio/webm", None),
        (MAX_QUERY_BYTES + 1, "audio/webm", "AUDIO_TOO_LARGE"),
    ],
)
def test_the_size_and_type_of_a_spoken_question_are_checked(
    worker: WorkerHarness, size: int, content_type: str, code: str | None
) -> None:
    worker.upload_audio(bytes(size), content_type)
    worker.script_answer(TEXT)
    worker.invoke()
    assert [message["code"] for message in worker.sent_messages("error")] == ([code] if code else [])
    assert len(worker.agent.questions) == (0 if code else 1)


@pytest.mark.parametrize(
    "key", ["queries/us-east-1:somebody-else/a.webm", f"queries/{GUEST_ID}X/a.webm", LECTURE_KEY, f"x{AUDIO_KEY}"]
)
def test_another_guests_audio_is_never_read(worker: WorkerHarness, key: str) -> None:
    worker.s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs", ContentType="audio/webm")
    worker.ask(audio_key=key)
    worker.invoke()
    assert (worker.sent_messages("error")[0]["code"], worker.agent.questions) == ("AUDIO_FOREIGN", [])


@pytest.mark.parametrize("request_id", ["call-y", "call-x"], ids=["another invocation", "early retry by Lambda"])
def test_of_two_concurrent_invocations_only_the_first_one_answers(worker: WorkerHarness, request_id: str) -> None:
    assert worker.invoke("call-x") is AnswerOutcome.NOTHING_TO_DO, "the question is not stored yet"
    worker.ask()
    second_outcomes: list[AnswerOutcome] = []

    def invoke_again() -> None:
        second_outcomes.append(worker.invoke(request_id))

    worker.script_answer(TEXT, worker.delay_step(20_000), invoke_again, MORE_TEXT)
    assert worker.invoke("call-x") is AnswerOutcome.ANSWERED
    assert second_outcomes == [AnswerOutcome.NOTHING_TO_DO]
    assert (worker.clients.piece_numbers("c1"), len(worker.agent.questions)) == ([0, 1], 1)


def test_an_invocation_with_a_repeated_write_answers_once(
    worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """botocore repeats a write whose response was lost. If the worker mistook its own first write for that of another
    invocation, it would not answer the question."""
    worker.ask()
    repeat_every_call(worker.dynamodb, "update_item", monkeypatch)
    worker.script_answer(TEXT, MORE_TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED
    assert worker.clients.piece_numbers("c1") == [0, 1]
    assert (len(worker.sent_messages("answered")), worker.running_question_count) == (1, 0)
    assert worker.turns == [(QUESTION_TEXT, "Canaries sing.")]


def test_an_internal_error_releases_the_question_and_raises_an_error_without_its_text(worker: WorkerHarness) -> None:
    worker.ask()
    worker.script_answer(TEXT, ZeroDivisionError("canary"))
    with pytest.raises(AnsweringFailed) as raised:
        worker.invoke()
    assert (str(raised.value), raised.value.__suppress_context__) == ("ZeroDivisionError", True)
    assert (worker.question.status, worker.sent_messages("error")) == (QuestionStatus.ACCEPTED, [])
    worker.script_answer(TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED, "the next invocation starts at once"


def test_an_answer_that_cannot_be_stored_is_not_reported_as_answered(
    worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.ask()
    worker.script_answer(TEXT)
    with monkeypatch.context() as patched:
        patched.setattr(worker.answers, "put", RAISE_AWS_ERROR)
        with pytest.raises(AnsweringFailed):
            worker.invoke()
    assert (worker.question.status, worker.sent_messages("answered")) == (QuestionStatus.ACCEPTED, [])
    worker.script_answer(TEXT)
    assert worker.invoke() is AnswerOutcome.ANSWERED


def test_a_failed_invocation_whose_attempt_was_replaced_does_not_release_the_question(worker: WorkerHarness) -> None:
    with pytest.raises(AnsweringFailed):
        worker.answer_question(worker.start_another_attempt, ZeroDivisionError())
    assert worker.question.status is QuestionStatus.RUNNING


def test_a_turn_that_cannot_be_stored_does_not_affect_the_answer(
    worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker.conversations, "append", RAISE_AWS_ERROR)
    assert worker.answer_question(TEXT) is AnswerOutcome.ANSWERED
    assert len(worker.log_lines(capsys.readouterr().out, "turn_lost")) == 1


def test_an_allowance_that_cannot_be_updated_does_not_affect_the_answer(
    worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker.ask()
    change = VersionedItems.change

    def fail_for_allowances(items: VersionedItems, model: Any, *arguments: Any) -> Any:
        if model is not QuestionRecord:
            raise AWS_ERROR
        return change(items, model, *arguments)

    worker.script_answer(TEXT)
    monkeypatch.setattr(VersionedItems, "change", fail_for_allowances)
    assert worker.invoke() is AnswerOutcome.ANSWERED


EVENT = {"schemaVersion": 1, "guestId": GUEST_ID, "queryId": QUERY_ID}


@pytest.mark.parametrize(
    "event",
    [EVENT | {"schemaVersion": 2}, EVENT | {"guestId": "../canary"}, EVENT | {"queryId": "canary/../x"}],
)
def test_an_invalid_event_raises_an_error_without_its_content(worker: WorkerHarness, event: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        worker.query_worker.handle(event, REMAINING_MS, "call-1")
    assert "canary" not in str(raised.value)


def test_the_end_of_an_answer_is_logged_with_times_and_counts(
    worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker.ask()
    worker.clock.now_ms += 50
    two_messages_of_audio = agent_protocol.AgentAudio(audio=bytes(MAX_AUDIO + 1), format=AnswerAudioFormat.MP3)
    worker.script_answer(
        worker.delay_step(100),
        TEXT,
        worker.delay_step(300),
        two_messages_of_audio,
        worker.delay_step(5),
    )
    worker.invoke()
    [line] = worker.log_lines(capsys.readouterr().out, "query_ended")
    assert (line["level"], line["outcome"], line.get("cause")) == ("INFO", "answered", None)
    assert (line["milliseconds"], line["first_piece_milliseconds"]) == (455, 150)
    assert line["pieces"] == 3


@pytest.mark.parametrize(
    ("question_changes", "step"),
    [
        pytest.param({}, TEXT, id="without a time"),
        pytest.param({"asked_ms": 1 << 50}, ANSWER_BROKEN_OFF, id="in the future, failed answer"),
        pytest.param({"lecture_id": "x"}, TEXT, id="unknown lecture"),
    ],
)
def test_the_logged_milliseconds_are_always_a_plausible_number(
    worker: WorkerHarness, question_changes: dict[str, Any], step: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric is computed from them. The question's time may be missing or in the future."""
    question = QuestionRecord(
        lecture_id=LECTURE_ID,
        session=SESSION_ID,
        listener=Listener(connection="c1"),
        text=QUESTION_TEXT,
        status=QuestionStatus.ACCEPTED,
    )
    worker.items.change(
        QuestionRecord, query_key(GUEST_ID, QUERY_ID), lambda _: (question.model_copy(update=question_changes), None)
    )
    worker.script_answer(worker.delay_step(7), step)
    worker.invoke()
    [line] = worker.log_lines(capsys.readouterr().out, "query_ended")
    assert type(line["milliseconds"]) is int
    assert 0 <= line["milliseconds"] < 100_000


class WorkerContext:
    """Context object that Lambda passes to the entry point."""

    aws_request_id = "call-1"

    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


def test_the_entry_point_uses_its_environment(worker: WorkerHarness, monkeypatch: pytest.MonkeyPatch) -> None:
    environment = {"S3_BUCKET": BUCKET, "DYNAMODB_TABLE": TABLE, "AGENTCORE_ENDPOINT": "http://127.0.0.1:9"}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "create_agent", lambda *_: worker.agent)
    monkeypatch.setattr(handler, "WebSocketConnections", lambda _: worker.clients)
    handler._worker.cache_clear()
    worker.upload_audio()
    worker.script_answer(AUDIO)
    assert handler.handler(EVENT, WorkerContext()) == "answered"
    [question] = worker.agent.questions
    assert isinstance(question.query, agent_protocol.SpokenQuery)
    for url in (question.lecture.url, question.query.url, worker.sent_messages("answered")[0]["audioUrl"]):
        assert "X-Amz-Signature" in url, "a bucket with a KMS key requires Signature Version 4"
        assert urlsplit(url).hostname == f"{BUCKET}.s3.us-east-1.amazonaws.com"
        assert "X-Amz-Expires=900&" in url
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
    environment = WorkerEnvironment.model_validate({"s3_bucket": "audio", "dynamodb_table": "sessions", **variables})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    if url is None:
        with pytest.raises(ValueError, match="AGENTCORE_ENDPOINT"):
            handler.create_agent(environment, session)
    else:
        assert handler.create_agent(environment, session)._url.startswith(url)

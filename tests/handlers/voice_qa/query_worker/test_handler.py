"""The worker from outside: a question is written down, a call comes, an agent answers, a client listens."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
import pytest
from pydantic import ValidationError

from handlers.common.aws.versioned_items import VersionedItems
from handlers.voice_qa.environment import WorkerEnvironment
from handlers.voice_qa.query_worker import handler
from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed, AudioFormat
from handlers.voice_qa.query_worker.agent.agentcore_client import BedrockAgent
from handlers.voice_qa.query_worker.agent.http_client import HttpAgent
from handlers.voice_qa.query_worker.answer_forwarding import MAX_AUDIO
from handlers.voice_qa.query_worker.handler import Broken
from handlers.voice_qa.query_worker.question_answering import MESSAGES, Outcome
from handlers.voice_qa.table_records import Place, Question, Status, query_key
from tests.handlers.voice_qa.query_worker.worker_setup import (
    AUDIO_KEY,
    BROKE,
    ERROR,
    HELLO,
    IDENTITY,
    LECTURE,
    LECTURE_KEY,
    MAX_QUERY_BYTES,
    QUERY,
    REMAINING_MS,
    SESSION,
    SOUND,
    WORDS,
    WORLD,
    Desk,
)
from tests.handlers.voice_qa.validate_lecture.lecture_setup import BUCKET, TABLE
from tests.lost_responses import repeated

CITED = agent_types.CitationPiece(1_000, 2_000, "a canary sings")
HEARD = agent_types.TranscriptPiece("who sings")


def test_pieces_are_forwarded_in_order_and_then_the_end(desk: Desk) -> None:
    assert desk.hears(HELLO, CITED, WORLD) is Outcome.ANSWERED
    about = {"queryId": QUERY, "attempt": 1}
    assert desk.clients.inbox["c1"] == [
        {"type": "text", **about, "number": 0, "text": "Canaries "},
        {"type": "citation", **about, "number": 1, "startMs": 1_000, "endMs": 2_000, "quote": CITED.quote},
        {"type": "text", **about, "number": 2, "text": "sing."},
        {"type": "answered", **about, "pieces": 3},
    ]
    assert (desk.question.status, desk.counted) == (Status.ANSWERED, 0)
    assert desk.turns == [(WORDS, "Canaries sing.")]


def test_the_agent_is_told_the_lecture_the_question_and_what_was_said_before(desk: Desk) -> None:
    desk.conversations.append({"sessionId": f"{IDENTITY}#{SESSION}", "lectureId": LECTURE}, "earlier-1", "Q", "A")
    desk.asks(language="de-DE")
    desk.answers_with(HELLO)
    desk.call()
    [asked] = desk.agent.asked
    assert (asked.query_id, asked.language, asked.conversation) == (QUERY, "de-DE", (agent_types.Turn("Q", "A"),))
    assert asked.query == agent_types.WrittenQuery(WORDS)
    assert asked.session_id == agent_types.opaque(f"{IDENTITY}#{SESSION}")
    assert (asked.lecture.format, asked.lecture.duration_ms) == ("mp3", 60_000)
    url = urlsplit(asked.lecture.url)
    assert unquote(url.path).endswith(LECTURE_KEY)
    version = desk.s3.head_object(Bucket=BUCKET, Key=LECTURE_KEY)["VersionId"]
    assert parse_qs(url.query)["versionId"] == [version]


def test_a_spoken_question_is_given_as_an_address_and_kept_as_it_was_understood(desk: Desk) -> None:
    desk.speaks()
    desk.answers_with(agent_types.TranscriptPiece("whose"), HEARD, HELLO, WORLD)
    desk.call()
    [asked] = desk.agent.asked
    assert isinstance(asked.query, agent_types.SpokenQuery)
    assert asked.query.format == "webm"
    assert unquote(urlsplit(asked.query.url).path).endswith(AUDIO_KEY)
    assert desk.turns == [("who sings", "Canaries sing.")]


@pytest.mark.parametrize("code", list(AgentCode))
@pytest.mark.parametrize("begins", [True, False])
def test_an_agent_that_fails_is_told_and_pieces_that_came_stand(desk: Desk, code: AgentCode, *, begins: bool) -> None:
    desk.asks()
    error = AgentFailed(code)
    if begins:
        script = desk.answers_with(HELLO, error)
    else:
        desk.agent.scripts.append(error)
    assert desk.call() is Outcome.FAILED
    [told] = desk.said("error")
    expected = {"code": "AGENT_FAILED", "queryId": QUERY, "message": MESSAGES[code], "retryable": error.retryable}
    assert told == {"type": "error", **expected}
    assert desk.text() == ("Canaries " if begins else "")
    assert (desk.question.status, desk.question.retryable) == (Status.FAILED, error.retryable)
    assert (desk.counted, desk.turns) == (0, [])
    assert not begins or script.closed
    assert desk.asks() is error.retryable, "asked again where that may help"
    if error.retryable:
        desk.answers_with(HELLO)
        assert desk.call() is Outcome.ANSWERED


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [("rejected", "LECTURE_REJECTED", False), ("validating", "LECTURE_NOT_READY", True)],
)
def test_a_lecture_that_is_not_ready_is_not_asked_about(desk: Desk, status: str, code: str, *, retryable: bool) -> None:
    desk.lecture(status=status)
    desk.asks()
    assert desk.call() is Outcome.FAILED
    [told] = desk.said("error")
    assert (told["code"], told["retryable"], desk.question.code) == (code, retryable, code)
    assert desk.agent.asked == []


@pytest.mark.parametrize(
    ("asked", "code", "retryable"),
    [
        ({"lecture_id": "01M7W8GQNQY865WCQPRM59D2J9"}, "LECTURE_UNKNOWN", False),
        ({"audio_key": AUDIO_KEY}, "AUDIO_MISSING", True),
        ({"text": None}, "QUERY_FAILED", False),
    ],
)
def test_what_is_not_there_cannot_be_asked_about(
    desk: Desk, asked: dict[str, Any], code: str, *, retryable: bool
) -> None:
    assert desk.call() is Outcome.NOTHING_TO_DO, "nobody asked yet"
    assert desk.clients.inbox == {}
    desk.asks(**asked)
    desk.call()
    assert [(one["code"], one["retryable"]) for one in desk.said("error")] == [(code, retryable)]


@pytest.mark.parametrize(
    ("size", "code"), [(0, "AUDIO_EMPTY"), (MAX_QUERY_BYTES + 1, "AUDIO_TOO_LARGE"), (1, None), (MAX_QUERY_BYTES, None)]
)
def test_audio_has_a_length(desk: Desk, size: int, code: str | None) -> None:
    desk.speaks(bytes(size))
    desk.answers_with(HELLO)
    desk.call()
    assert [one["code"] for one in desk.said("error")] == ([] if code is None else [code])


def test_audio_of_another_kind_is_not_sent_on(desk: Desk) -> None:
    desk.speaks(content_type="text/html")
    desk.call()
    assert (desk.said("error")[0]["code"], desk.agent.asked) == ("QUERY_FAILED", [])


@pytest.mark.parametrize(
    "key", ["queries/us-east-1:somebody-else/a.webm", f"queries/{IDENTITY}x/a.webm", LECTURE_KEY, f"x{AUDIO_KEY}"]
)
def test_audio_of_somebody_else_is_never_looked_at(desk: Desk, key: str) -> None:
    desk.s3.put_object(Bucket=BUCKET, Key=key, Body=b"theirs", ContentType="audio/webm")
    desk.asks(audio_key=key)
    desk.call()
    assert (desk.said("error")[0]["code"], desk.agent.asked) == ("AUDIO_FOREIGN", [])


@pytest.mark.parametrize("request_id", ["another", "call-x"])
def test_of_two_calls_at_once_and_of_one_that_is_delivered_twice_one_answers(desk: Desk, request_id: str) -> None:
    desk.asks()
    second: list[Outcome] = []
    desk.answers_with(HELLO, desk.wait(20_000), lambda: second.append(desk.call(request_id)), WORLD)
    assert desk.call("call-x") is Outcome.ANSWERED
    assert second == [Outcome.NOTHING_TO_DO]
    assert (desk.clients.numbers("c1"), len(desk.agent.asked)) == ([0, 1], 1)


def test_a_call_whose_writes_are_all_sent_twice_answers_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take its own beginning for another's, and the question would wait for nobody until its time is up."""
    desk.asks()
    repeated(desk.dynamodb, "update_item", monkeypatch)
    desk.answers_with(HELLO, WORLD)
    assert desk.call() is Outcome.ANSWERED
    assert (desk.clients.numbers("c1"), len(desk.said("answered")), desk.counted) == ([0, 1], 1, 0)
    assert desk.turns == [(WORDS, "Canaries sing.")]


def test_a_mistake_of_ours_gives_the_question_back_and_is_an_error(desk: Desk) -> None:
    desk.asks()
    desk.answers_with(HELLO, ZeroDivisionError("canary"))
    with pytest.raises(Broken) as raised:
        desk.call()
    assert (str(raised.value), raised.value.__suppress_context__) == ("ZeroDivisionError", True)
    assert (desk.question.status, desk.said("error")) == (Status.ACCEPTED, [])
    desk.answers_with(HELLO)
    assert desk.call() is Outcome.ANSWERED, "the next call begins at once"


def dies(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker is gone in the middle of the answer, and has no word left for anybody."""

    def gone() -> None:
        raise SystemExit

    desk.answers_with(HELLO, gone)
    with pytest.raises(SystemExit):
        desk.call("call-x")


def cannot_keep(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer cannot be kept, so it is none."""

    def refuse(*_: Any) -> None:
        raise ERROR

    with monkeypatch.context() as down:
        down.setattr(desk.answers, "keep", refuse)
        desk.answers_with(HELLO)
        with pytest.raises(Broken):
            desk.call("call-x")
    assert (desk.question.status, desk.said("answered")) == (Status.ACCEPTED, [])


def cannot_write(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The table does not answer when the worker is done, and not when it gives the question back."""

    def refuse(*_: Any) -> None:
        raise ERROR

    with monkeypatch.context() as down:
        desk.answers_with(HELLO, lambda: down.setattr(VersionedItems, "change", refuse))
        with pytest.raises(Broken):
            desk.call("call-x")


@pytest.mark.parametrize("goes", [dies, cannot_write, cannot_keep])
def test_a_call_that_lambda_makes_again_answers_what_its_dead_worker_left(
    desk: Desk, goes: Callable[[Desk, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.asks()
    for _ in range(2):
        goes(desk, monkeypatch)
        desk.clock.now_ms += 60_000
    if goes is not cannot_keep:
        assert desk.question.status is Status.RUNNING
        assert desk.call("call-y") is Outcome.NOTHING_TO_DO, "nobody else can know that it died"
    desk.answers_with(HELLO, WORLD)
    assert desk.call("call-x") is Outcome.ANSWERED
    assert desk.clients.pieces("c1")[-2:] == [(3, 0), (3, 1)]
    assert (desk.question.status, desk.counted, len(desk.said("answered"))) == (Status.ANSWERED, 0, 1)


def test_a_call_that_was_taken_for_lost_gives_nothing_back(desk: Desk) -> None:
    desk.asks()

    def overtaken() -> None:
        now_ms = desk.clock.now_ms * 2
        desk.items.change(Question, query_key(IDENTITY, QUERY), lambda one: one.begun(now_ms, 1 << 50, "another"))
        raise ZeroDivisionError

    desk.answers_with(overtaken)
    with pytest.raises(Broken):
        desk.call()
    assert desk.question.status is Status.RUNNING


def test_a_conversation_that_takes_nothing_more_harms_no_answer(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: Any) -> None:
        raise ERROR

    monkeypatch.setattr(desk.conversations, "append", refuse)
    assert desk.hears(HELLO) is Outcome.ANSWERED
    assert len(desk.logged(capsys.readouterr().out, "turn_lost")) == 1


def test_an_allowance_that_cannot_be_ended_harms_no_answer(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.asks()
    change = VersionedItems.change

    def failing(items: VersionedItems, model: Any, *given: Any) -> Any:
        if model is not Question:
            raise ERROR
        return change(items, model, *given)

    desk.answers_with(HELLO)
    monkeypatch.setattr(VersionedItems, "change", failing)
    assert desk.call() is Outcome.ANSWERED


EVENT = {"schemaVersion": 1, "identity": IDENTITY, "queryId": QUERY}


@pytest.mark.parametrize(
    "event", [{}, EVENT | {"schemaVersion": 2}, EVENT | {"identity": "../canary"}, EVENT | {"queryId": "canary/../x"}]
)
def test_an_event_that_is_none_is_an_error_without_its_words(desk: Desk, event: dict[str, Any]) -> None:
    with pytest.raises(ValidationError) as raised:
        desk.worker.handle(event, REMAINING_MS, "call-1")
    assert "canary" not in str(raised.value)


def test_the_end_is_logged_with_its_times_and_counts(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.asks()
    desk.clock.now_ms += 50
    sound = agent_types.AudioPiece(bytes(MAX_AUDIO + 1), AudioFormat.MP3)
    desk.answers_with(desk.wait(100), HELLO, desk.wait(300), sound, desk.wait(5), dropped_citations=3)
    desk.call()
    [line] = desk.logged(capsys.readouterr().out, "query_ended")
    assert {name: line[name] for name in ("outcome", "cause", "milliseconds", "first_piece_milliseconds")} == {
        "outcome": "answered",
        "cause": "",
        "milliseconds": 455,
        "first_piece_milliseconds": 150,
    }
    assert (line["pieces"], line["dropped_citations"], line["level"]) == (3, 3, "INFO")


@pytest.mark.parametrize("asked", [{}, {"asked_ms": 0}, {"asked_ms": 1 << 50}, {"lecture_id": "none"}])
@pytest.mark.parametrize("script", [HELLO, BROKE])
def test_the_milliseconds_are_always_a_number(
    desk: Desk, asked: dict[str, Any], script: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """A metric is made of them."""
    question = Question(
        lecture_id=LECTURE, session=SESSION, place=Place(connection="c1"), text=WORDS, status=Status.ACCEPTED
    )
    desk.items.change(Question, query_key(IDENTITY, QUERY), lambda _: (question.model_copy(update=asked), None))
    desk.answers_with(desk.wait(7), script)
    desk.call()
    [line] = desk.logged(capsys.readouterr().out, "query_ended")
    assert type(line["milliseconds"]) is int
    assert 0 <= line["milliseconds"] < 100_000


def test_nothing_that_was_said_and_nobody_who_said_it_is_logged(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    for steps in ([HEARD, HELLO, SOUND, CITED], [AgentFailed(AgentCode.REJECTED)], [ERROR]):
        desk.dynamodb.delete_item(
            TableName=TABLE, Key={name: {"S": key} for name, key in query_key(IDENTITY, QUERY).items()}
        )
        desk.speaks()
        desk.clients.failures = [ERROR]
        desk.answers_with(*steps)
        with suppress(Broken):
            desk.call()
        desk.asks("c2")
        if desk.question.status is Status.ANSWERED:
            desk.call()
    logged = capsys.readouterr().out
    assert {json.loads(line)["message"] for line in logged.splitlines()} >= {
        "query_ended",
        "query_broken",
        "query_replayed",
        "piece_not_posted",
    }
    for word in ("anary", "us-east-1", "http", SESSION, LECTURE, "who sings"):
        assert word not in logged


class Context:
    """The runtime's."""

    aws_request_id = "call-1"

    def get_remaining_time_in_millis(self) -> int:
        return REMAINING_MS


def test_the_entry_point_answers_with_what_its_environment_names(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "S3_BUCKET": BUCKET,
        "DYNAMODB_TABLE": TABLE,
        "AGENTCORE_ENDPOINT": "http://127.0.0.1:9",
        "URL_SECONDS": "61",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(handler, "agent_of", lambda *_: desk.agent)
    monkeypatch.setattr(handler, "WebSocketConnections", lambda _: desk.clients)
    handler._worker.cache_clear()
    desk.speaks()
    desk.answers_with(SOUND)
    assert handler.handler(EVENT, Context()) == "answered"
    [asked] = desk.agent.asked
    assert isinstance(asked.query, agent_types.SpokenQuery)
    for url in (asked.lecture.url, asked.query.url, desk.said("answered")[0]["audioUrl"]):
        assert "X-Amz-Signature" in url, "as a bucket with a key of its own needs it"
        assert urlsplit(url).hostname == f"{BUCKET}.s3.us-east-1.amazonaws.com"
    assert "X-Amz-Expires=61&" in desk.said("answered")[0]["audioUrl"]
    handler._worker.cache_clear()


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ({"agentcore_endpoint": "http://127.0.0.1:9"}, HttpAgent),
        ({"agentcore_runtime_arn": "arn:aws:bedrock-agentcore:us-east-1:123456789012:runtime/tutor"}, BedrockAgent),
        ({}, None),
    ],
)
def test_the_environment_names_the_agent(agent: dict[str, str], kind: type | None) -> None:
    environment = WorkerEnvironment.model_validate({"s3_bucket": "audio", "dynamodb_table": "sessions", **agent})
    session = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
    if kind is None:
        with pytest.raises(ValueError, match="endpoint"):
            handler.agent_of(environment, session)
    else:
        assert type(handler.agent_of(environment, session)) is kind

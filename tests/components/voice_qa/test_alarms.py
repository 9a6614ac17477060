"""Tests of voice Q&A's alarms. Each test applies an alarm's metric filter to the log lines that a handler writes."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from local.preview.resource_graph import Resource
from tests.components.voice_qa.recorded_deployment import PREFIX, deployed
from tests.credentials import credentials
from tests.handlers.voice_qa.query_worker.worker_harness import (
    ANSWER_BROKEN_OFF,
    AUDIO_KEY,
    AWS_ERROR,
    MORE_TEXT,
    TEXT,
    WorkerHarness,
)
from tests.handlers.voice_qa.socket_harness import create_socket_harness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import LECTURE_ID, create_lecture_harness
from tests.loggers import own_logger

WORKER = f"{PREFIX}-query-worker"
UNHEARD_THRESHOLD = 2
"""Number of counted log lines that the alarm `answers-unheard` accepts. tests/components/test_alarms.py checks it."""


def metric_filter(name: str) -> Resource:
    return deployed().one("cloudwatch.LogMetricFilter", name)


@pytest.fixture
def worker_harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerHarness]:
    """Return a worker with a ready lecture."""
    credentials(monkeypatch)
    with own_logger(), create_lecture_harness() as lecture_harness:
        harness = WorkerHarness(lecture_harness)
        harness.store_lecture()
        yield harness


def test_the_duration_of_answers_is_read_from_the_workers_log_line(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_harness.ask()
    worker_harness.script_answer(TEXT)
    worker_harness.invoke()
    [line] = matching_lines("answer-milliseconds", log_lines(capsys))
    inputs = metric_filter("answer-milliseconds").inputs
    assert inputs["logGroupName"] == f"/aws/lambda/{WORKER}"
    assert isinstance(line[inputs["metricTransformation"]["value"].removeprefix("$.")], (int, float))


def test_every_object_without_a_lecture_id_is_counted_but_a_folder_is_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The person who uploaded the object waits for a lecture that will never be validated, so an alarm must report it."""
    credentials(monkeypatch)
    with own_logger(), create_lecture_harness() as harness:
        keys = ("test-lecture.mp3", "monday/talk.mp3", f"{LECTURE_ID.lower()}/talk.mp3")
        folders = ("", "monday/", f"{LECTURE_ID}/")
        harness.handle(*(harness.put(b"bad", f"lectures/{name}") for name in (*keys, *folders)))
    assert len(matching_lines("lectures-missed", log_lines(capsys))) == len(keys)
    assert metric_filter("lectures-missed").inputs["logGroupName"] == f"/aws/lambda/{PREFIX}-validate-lecture"


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def matching_lines(name: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the log lines that a metric filter counts.

    Only the part of CloudWatch's filter language that voice Q&A's filters use is implemented.
    """
    pattern = metric_filter(name).inputs["pattern"].strip("{ }").replace("&&", "and").replace("||", "or")
    expression = re.sub(r"\$\.(\w+) = ", r"line.get('\1') == ", pattern)
    return [line for line in lines if eval(expression, {"line": line})]  # noqa: S307 - the program's own pattern


@pytest.mark.parametrize(
    ("script", "cause", "count"),
    [
        *(((TEXT, AgentFailed(code)), code, 1) for code in AgentCode if code is not AgentCode.QUESTION_REJECTED),
        ((AgentFailed(AgentCode.QUESTION_REJECTED),), AgentCode.QUESTION_REJECTED, 0),
        ((TEXT,), "", 0),
    ],
)
def test_every_failure_of_the_agent_except_a_rejected_question_is_counted(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str], script: Any, cause: str, count: int
) -> None:
    worker_harness.ask()
    worker_harness.script_answer(*script)
    worker_harness.invoke()
    lines = log_lines(capsys)
    assert [line["cause"] for line in lines if line["message"] == "query_ended"] == [cause]
    assert len(matching_lines("answers-failed", lines)) == count
    assert metric_filter("answers-failed").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_a_question_without_its_audio_is_not_counted_as_a_failure_of_the_agent(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_harness.ask(audio_key=AUDIO_KEY)
    worker_harness.invoke()
    lines = log_lines(capsys)
    assert [line["cause"] for line in lines if line["message"] == "query_ended"] == ["AUDIO_MISSING"]
    assert matching_lines("answers-failed", lines) == []


@pytest.mark.parametrize(
    ("script", "failed_posts", "connected", "raises_alarm"),
    [
        ((TEXT,), 100, True, True),
        ((ANSWER_BROKEN_OFF,), 100, True, True),
        ((TEXT, MORE_TEXT), 1, True, False),
        ((TEXT, MORE_TEXT), 0, False, False),
    ],
    ids=["answer not posted", "error message not posted", "one failed post", "client disconnected"],
)
def test_only_messages_that_cannot_be_posted_to_a_connected_client_raise_the_alarm(
    worker_harness: WorkerHarness,
    capsys: pytest.CaptureFixture[str],
    script: Any,
    failed_posts: int,
    connected: bool,
    raises_alarm: bool,
) -> None:
    worker_harness.ask()
    worker_harness.clients.failures = [AWS_ERROR] * failed_posts
    if not connected:
        worker_harness.clients.gone.add("c1")
    worker_harness.script_answer(*script)
    worker_harness.invoke()
    counted_lines = matching_lines("answers-unheard", log_lines(capsys))
    assert (len(counted_lines) > UNHEARD_THRESHOLD) is raises_alarm
    assert bool(counted_lines) is (failed_posts > 0)
    assert metric_filter("answers-unheard").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_failures_of_the_websocket_handler_are_counted_but_not_invalid_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_logger(), create_socket_harness(monkeypatch) as socket_harness:
        socket_harness.connect()
        socket_harness.invocation_error = AWS_ERROR
        assert socket_harness.ask()["code"] == "UNAVAILABLE"
        monkeypatch.setattr(socket_harness.handler._uploads, "create_form", lambda *_: 1 / 0)
        assert socket_harness.send("upload", kind="query", contentType="audio/ogg")["code"] == "INTERNAL"
        assert socket_harness.send("nothing")["code"] == "UNKNOWN_ACTION"
    counted_events = [line["message"] for line in matching_lines("messages-failed", log_lines(capsys))]
    assert counted_events == ["worker_not_called", "message_failed"]
    assert metric_filter("messages-failed").inputs["logGroupName"] == f"/aws/lambda/{PREFIX}-websocket-handler"

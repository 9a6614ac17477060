"""Tests of voice Q&A's alarms: their metric filters count exactly the log lines that the handlers write for a fault."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from components.voice_qa.alarms import MAX_FAILED_POSTS
from handlers.voice_qa.environment import AgentCode
from handlers.voice_qa.query_worker.agent import AgentFailed
from handlers.voice_qa.websocket_handler.handler import SocketHandler
from tests.components.deployments import VOICE_QA
from tests.credentials import credentials
from tests.handlers.voice_qa.query_worker.worker_harness import (
    AUDIO_KEY,
    AWS_ERROR,
    INTERRUPTED,
    MORE_TEXT,
    TEXT,
    WorkerHarness,
)
from tests.handlers.voice_qa.socket_harness import LIMIT_MS, NO_FAILURES, create_socket_harness
from tests.handlers.voice_qa.validate_lecture.lecture_harness import create_lecture_harness
from tests.loggers import own_logger

deployed = VOICE_QA.deployed


def counted_lines(filter_name: str, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the log lines that a metric filter counts.

    Only the part of CloudWatch's filter language that voice Q&A's filters use is implemented.
    """
    inputs = deployed().one("cloudwatch.LogMetricFilter", filter_name).inputs
    pattern = inputs["pattern"].strip("{ }").replace("&&", "and").replace("||", "or")
    expression = re.sub(r"\$\.(\w+) = ", r"line.get('\1') == ", pattern)
    return [line for line in lines if eval(expression, {"line": line})]  # noqa: S307 - the program's own pattern


def log_lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerHarness]:
    """Return a worker with a ready lecture."""
    credentials(monkeypatch)
    with own_logger(), create_lecture_harness() as lecture_harness:
        harness = WorkerHarness(lecture_harness)
        harness.store_lecture()
        yield harness


FAILED, UNHEARD = "answers-failed", "answers-unheard"
REJECTED = AgentFailed(AgentCode.REJECTED)
CASES: dict[str, tuple[tuple[Any, ...], int, set[str]]] = {
    # The worker's script, the number of posts that fail, and the alarms that are raised.
    "agent unavailable": ((TEXT, AgentFailed(AgentCode.UNAVAILABLE)), 0, {FAILED}),
    "question rejected": ((REJECTED,), 0, set()),
    "audio missing": ((), 0, set()),
    "answered": ((TEXT,), 0, set()),
    "answer not posted": ((TEXT,), 100, {UNHEARD}),
    "error message not posted": ((INTERRUPTED,), 100, {FAILED, UNHEARD}),
    "one failed post": ((TEXT, MORE_TEXT), 1, set()),
    "client disconnected": ((TEXT, MORE_TEXT), 0, set()),
}


@pytest.mark.parametrize("name", CASES)
def test_only_faults_of_the_agent_and_unheard_answers_of_connected_clients_raise_an_alarm(
    name: str, worker: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    script, failed_posts, alarms = CASES[name]
    if name == "audio missing":
        worker.ask(audioKey=AUDIO_KEY, text=None)
    else:
        worker.ask()
    worker.clients.failures = [AWS_ERROR] * failed_posts
    if name == "client disconnected":
        worker.clients.gone.add("c1")
    worker.invoke(*script)
    lines = log_lines(capsys)
    limits = {FAILED: 0, UNHEARD: MAX_FAILED_POSTS}
    assert {alarm for alarm, limit in limits.items() if len(counted_lines(alarm, lines)) > limit} == alarms
    [line] = counted_lines("answer-milliseconds", lines)
    inputs = deployed().one("cloudwatch.LogMetricFilter", "answer-milliseconds").inputs
    assert isinstance(line[inputs["metricTransformation"]["value"].removeprefix("$.")], (int, float))


def test_failures_of_the_websocket_handler_and_overdue_questions_are_counted_but_not_invalid_messages(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_logger():
        harness = create_socket_harness(monkeypatch)
        harness.connect()
        harness.invocation_error = AWS_ERROR
        assert harness.ask()["code"] == "UNAVAILABLE"
        monkeypatch.setattr(SocketHandler, "_sign_form", lambda *_: 1 / 0)
        assert harness.send("upload", kind="query", contentType="audio/ogg")["code"] == "INTERNAL"
        assert harness.send("nothing")["code"] == "UNKNOWN_ACTION"
        harness.clock.now_ms += LIMIT_MS
        assert harness.check_time_limit() == NO_FAILURES
    lines = log_lines(capsys)
    assert len(counted_lines("messages-failed", lines)) == 2
    assert [line["message"] for line in counted_lines("answers-overdue", lines)] == ["query_overdue"]

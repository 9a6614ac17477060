"""Tests of the alarms of voice Q&A. The log lines that they count are those that the handlers write."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from local.preview.resource_graph import Resource
from tests.components.voice_qa.recorded_deployment import PREFIX, complete
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
from tests.handlers.voice_qa.validate_lecture.lecture_harness import create_lecture_harness
from tests.loggers import own_logger

WORKER = f"{PREFIX}-query-worker"
UNHEARD_ABOVE = 2
"""Threshold of `answers-unheard` (tests/components/test_alarms.py)."""


def filter_of(name: str) -> Resource:
    return complete().one("cloudwatch.LogMetricFilter", name)


@pytest.fixture
def worker_harness(monkeypatch: pytest.MonkeyPatch) -> Iterator[WorkerHarness]:
    """Return a worker with a ready lecture."""
    credentials(monkeypatch)
    with own_logger(), create_lecture_harness() as lecture_harness:
        made = WorkerHarness(lecture_harness)
        made.store_lecture()
        yield made


def test_the_duration_of_answers_is_read_from_the_workers_log_line(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_harness.ask()
    worker_harness.script_answer(TEXT)
    worker_harness.invoke()
    [line] = matching("answer-milliseconds", lines(capsys))
    one = filter_of("answer-milliseconds").inputs
    assert one["logGroupName"] == f"/aws/lambda/{WORKER}"
    assert isinstance(line[one["metricTransformation"]["value"].removeprefix("$.")], (int, float))


def test_the_number_of_missed_lectures_is_read_from_the_sweeps_log_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(monkeypatch)
    with own_logger(), create_lecture_harness() as lecture_harness:
        lecture_harness.put(b"no recording")
        lecture_harness.now = datetime.now(UTC) + timedelta(hours=1)
        for _ in range(2):  # the first sweep finds it, the second has checked it too
            lecture_harness.sweep().run()
    line = matching("lectures-missed", lines(capsys))[-1]
    one = filter_of("lectures-missed").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PREFIX}-validate-lecture"
    assert line[one["metricTransformation"]["value"].removeprefix("$.")] == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def matching(name: str, written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the log lines that a filter matches. It implements the part of the filter language that the filters
    use."""
    pattern = filter_of(name).inputs["pattern"].strip("{ }").replace("&&", "and").replace("||", "or")
    compared = re.sub(r"\$\.(\w+) = ", r"line.get('\1') == ", pattern)
    return [line for line in written if eval(compared, {"line": line})]  # noqa: S307 - the program's own pattern


@pytest.mark.parametrize(
    ("script", "cause", "count"),
    [
        *(((TEXT, AgentFailed(code)), code, 1) for code in AgentCode if code is not AgentCode.QUESTION_REJECTED),
        ((AgentFailed(AgentCode.QUESTION_REJECTED),), AgentCode.QUESTION_REJECTED, 0),
        ((TEXT,), "", 0),
    ],
)
def test_only_failures_of_the_agent_are_counted(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str], script: Any, cause: str, count: int
) -> None:
    worker_harness.ask()
    worker_harness.script_answer(*script)
    worker_harness.invoke()
    written = lines(capsys)
    assert [line["cause"] for line in written if line["message"] == "query_ended"] == [cause]
    assert len(matching("answers-failed", written)) == count
    assert filter_of("answers-failed").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_a_guests_mistake_is_not_a_failure_of_the_agent(
    worker_harness: WorkerHarness, capsys: pytest.CaptureFixture[str]
) -> None:
    worker_harness.ask(audio_key=AUDIO_KEY)
    worker_harness.invoke()
    written = lines(capsys)
    assert [line["cause"] for line in written if line["message"] == "query_ended"] == ["AUDIO_MISSING"]
    assert matching("answers-failed", written) == []


@pytest.mark.parametrize(
    ("script", "failed_posts", "connected", "raises_alarm"),
    [
        ((TEXT,), 100, True, True),
        ((ANSWER_BROKEN_OFF,), 100, True, True),
        ((TEXT, MORE_TEXT), 1, True, False),
        ((TEXT, MORE_TEXT), 0, False, False),
    ],
    ids=["answer not posted", "failure not posted", "one failed post", "client disconnected"],
)
def test_only_an_answer_that_cannot_be_posted_to_a_connected_client_raises_the_alarm(
    worker_harness: WorkerHarness,
    capsys: pytest.CaptureFixture[str],
    script: Any,
    failed_posts: int,
    connected: bool,
    raises_alarm: bool,
) -> None:
    worker_harness.ask()
    worker_harness.clients.failures = [AWS_ERROR] * failed_posts
    worker_harness.clients.gone |= set() if connected else {"c1"}
    worker_harness.script_answer(*script)
    worker_harness.invoke()
    failures = matching("answers-unheard", lines(capsys))
    assert (len(failures) > UNHEARD_ABOVE) is raises_alarm
    assert bool(failures) is (failed_posts > 0)
    assert filter_of("answers-unheard").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_a_failure_that_was_reported_to_the_client_raises_the_alarm(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_logger(), create_socket_harness(monkeypatch) as socket_harness:
        socket_harness.connect()
        socket_harness.invocation_error = AWS_ERROR
        assert socket_harness.ask()["code"] == "UNAVAILABLE"
        monkeypatch.setattr(socket_harness.handler._uploads, "create_form", lambda *_: 1 / 0)
        assert socket_harness.send("upload", kind="query", contentType="audio/ogg")["code"] == "INTERNAL"
        assert socket_harness.send("nothing")["code"] == "UNKNOWN_ACTION"
    failed = [message["message"] for message in matching("messages-failed", lines(capsys))]
    assert failed == ["worker_not_called", "message_failed"]
    assert filter_of("messages-failed").inputs["logGroupName"] == f"/aws/lambda/{PREFIX}-websocket-handler"

"""What is watched in voice Q&A: the lines that its alarms count are those that its handlers write."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from handlers.voice_qa.query_worker.agent import agent_types
from handlers.voice_qa.query_worker.agent.agent_types import AgentCode, AgentFailed
from local.preview.resource_graph import Resource
from tests.components.voice_qa.recorded_deployment import PREFIX, complete
from tests.credentials import credentials
from tests.handlers.voice_qa.conversation_setup import scened
from tests.handlers.voice_qa.query_worker.worker_setup import AUDIO_KEY, BROKE, ERROR, HELLO, WORLD, Desk
from tests.handlers.voice_qa.validate_lecture.lecture_setup import staged
from tests.loggers import own_logger

WORKER = f"{PREFIX}-query-worker"
UNHEARD_ABOVE = 2
"""The threshold of `answers-unheard` (tests/components/test_alarms.py)."""


def filter_of(name: str) -> Resource:
    return complete().one("cloudwatch.LogMetricFilter", name)


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A worker with a lecture to ask."""
    credentials(monkeypatch)
    with own_logger(), staged() as stage:
        made = Desk(stage)
        made.lecture()
        yield made


def test_how_long_answers_take_is_read_from_the_workers_own_line(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.asks()
    desk.answers_with(HELLO)
    desk.call()
    [line] = matching("answer-milliseconds", lines(capsys))
    one = filter_of("answer-milliseconds").inputs
    assert one["logGroupName"] == f"/aws/lambda/{WORKER}"
    assert isinstance(line[one["metricTransformation"]["value"].removeprefix("$.")], (int, float))


def test_what_was_missed_is_read_from_the_sweeps_own_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(monkeypatch)
    with own_logger(), staged() as stage:
        stage.put(b"no recording")
        stage.now = datetime.now(UTC) + timedelta(hours=1)
        for _ in range(2):  # the first finds it, the second has looked at it as well
            stage.sweep().run()
    line = matching("lectures-missed", lines(capsys))[-1]
    one = filter_of("lectures-missed").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PREFIX}-validate-lecture"
    assert line[one["metricTransformation"]["value"].removeprefix("$.")] == 0


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def matching(name: str, written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that a filter takes; of its language, what the filters here are written in."""
    pattern = filter_of(name).inputs["pattern"].strip("{ }").replace("&&", "and").replace("||", "or")
    compared = re.sub(r"\$\.(\w+) = ", r"line.get('\1') == ", pattern)
    return [line for line in written if eval(compared, {"line": line})]  # noqa: S307 - the program's own pattern


@pytest.mark.parametrize("code", [one for one in AgentCode if one is not AgentCode.REJECTED])
def test_an_answer_that_the_agent_failed_to_give_is_counted(
    desk: Desk, code: AgentCode, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.asks()
    desk.answers_with(HELLO, AgentFailed(code))
    desk.call()
    assert len(matching("answers-failed", lines(capsys))) == 1
    assert filter_of("answers-failed").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_what_a_guest_did_wrong_is_no_failure_of_the_agent(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.asks(audio_key=AUDIO_KEY)
    desk.call()
    desk.asks()
    desk.answers_with(HELLO)
    desk.call()
    written = lines(capsys)
    ended = [one["cause"] for one in written if one["message"] == "query_ended"]
    assert ended == ["AUDIO_MISSING", ""]
    assert matching("answers-failed", written) == []


def test_a_question_that_the_agent_can_do_nothing_with_is_the_guests(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.asks()
    desk.answers_with(AgentFailed(AgentCode.REJECTED))
    desk.call()
    written = lines(capsys)
    assert [one["cause"] for one in written if one["message"] == "query_ended"] == ["rejected"]
    assert matching("answers-failed", written) == []


@pytest.mark.parametrize("script", [HELLO, BROKE], ids=["answered", "failed"])
def test_an_answer_that_nobody_can_be_sent_rings(
    desk: Desk, script: agent_types.AgentPiece | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.asks()
    desk.clients.failures = [ERROR] * 100
    desk.answers_with(script)
    desk.call()
    assert len(matching("answers-unheard", lines(capsys))) > UNHEARD_ABOVE
    assert filter_of("answers-unheard").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_a_post_that_fails_once_rings_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.asks()
    desk.clients.failures = [ERROR]
    desk.answers_with(HELLO, WORLD)
    desk.call()
    assert len(desk.said("text")) == 2, "it was posted again"
    assert len(matching("answers-unheard", lines(capsys))) == 1 <= UNHEARD_ABOVE


def test_a_client_that_is_gone_is_no_trouble(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.asks()
    desk.clients.gone.add("c1")
    desk.answers_with(HELLO, WORLD)
    desk.call()
    assert matching("answers-unheard", lines(capsys)) == []


def test_a_failure_that_a_client_was_told_of_rings_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with own_logger(), scened(monkeypatch) as scene:
        scene.connect()
        scene.refusing = ERROR
        assert scene.asks()["code"] == "UNAVAILABLE"
        monkeypatch.setattr(scene.handler._uploads, "create_form", lambda *_: 1 / 0)
        assert scene.says("upload", kind="query", contentType="audio/ogg")["code"] == "INTERNAL"
        assert scene.says("nothing")["code"] == "UNKNOWN_ACTION"
    failed = [one["message"] for one in matching("messages-failed", lines(capsys))]
    assert failed == ["worker_not_called", "message_failed"]
    assert filter_of("messages-failed").inputs["logGroupName"] == f"/aws/lambda/{PREFIX}-websocket-handler"

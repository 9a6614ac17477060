"""What rings in voice Q&A: every alarm to the number, and the pages that they name."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from components.blocks.context import Subsystem
from handlers.common.logging import EventLog
from handlers.voice_qa import agent
from handlers.voice_qa.agent import AgentCode, AgentFailed
from local import ROOT
from local.graph import Resource
from tests.components.subsystem import alarms
from tests.components.voice_qa.deployment import ENDPOINT, PREFIX, TABLE, args, complete, voice_qa
from tests.credentials import credentials
from tests.engine import Recorded, scope
from tests.handlers.voice_qa.desk import AUDIO_KEY, BROKE, ERROR, HELLO, WORLD, Desk
from tests.handlers.voice_qa.lecture_stage import staged
from tests.handlers.voice_qa.scene import scened
from tests.loggers import own_logger

WORKER = f"{PREFIX}-query-worker"
FUNCTIONS = ("websocket-handler", "query-worker", "validate-lecture")
OF_THE_API = {"ApiId": "a1b2c3", "Stage": "Prod"}
OF_THE_TABLE = {"TableName": TABLE}


def alias(function: str) -> dict[str, str]:
    name = f"{PREFIX}-{function}"
    return {"FunctionName": name, "Resource": f"{name}:live"}


def parked(queue: str) -> tuple[Any, ...]:
    return ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Average", 0, 300, {"QueueName": f"{PREFIX}-{queue}"})


def counted(name: str, above: float = 0) -> tuple[Any, ...]:
    return (f"polyphony-test/{Subsystem.VOICE_QA}", name, "Sum", above, 300, {})


ALARMS: dict[str, tuple[Any, ...]] = {
    "answers-failed-warning": counted("answers-failed"),
    "answers-unheard-critical": counted("answers-unheard", above=2),
    "messages-failed-critical": counted("messages-failed"),
    "answer-latency-warning": (f"polyphony-test/{Subsystem.VOICE_QA}", "answer-milliseconds", "p95", 10_000, 300, {}),
    "lectures-missed-warning": (f"polyphony-test/{Subsystem.VOICE_QA}", "lectures-missed", "Sum", 0, 300, {}),
    "handler-duration-warning": ("AWS/Lambda", "Duration", "p95", 23_200, 300, alias("websocket-handler")),
    "worker-duration-warning": ("AWS/Lambda", "Duration", "p95", 480_000, 300, alias("query-worker")),
    "validator-duration-warning": ("AWS/Lambda", "Duration", "p95", 240_000, 300, alias("validate-lecture")),
    "concurrency-warning": ("AWS/Lambda", "ConcurrentExecutions", "Maximum", 800, 60, {}),
    "table-read-throttles-warning": ("AWS/DynamoDB", "ReadThrottleEvents", "Sum", 0, 300, OF_THE_TABLE),
    "table-write-throttles-warning": ("AWS/DynamoDB", "WriteThrottleEvents", "Sum", 0, 300, OF_THE_TABLE),
    "connections-warning": ("AWS/ApiGateway", "ConnectCount", "Sum", 500, 60, OF_THE_API),
    "socket-client-errors-warning": ("AWS/ApiGateway", "ClientError", "Sum", 50, 300, OF_THE_API),
    "socket-integration-errors-critical": ("AWS/ApiGateway", "IntegrationError", "Sum", 50, 300, OF_THE_API),
    "socket-execution-errors-critical": ("AWS/ApiGateway", "ExecutionError", "Sum", 0, 300, OF_THE_API),
    **{f"{one}-errors-critical": ("AWS/Lambda", "Errors", "Sum", 0, 300, alias(one)) for one in FUNCTIONS},
    **{f"{one}-throttles-warning": ("AWS/Lambda", "Throttles", "Sum", 0, 300, alias(one)) for one in FUNCTIONS},
    **{f"{one}-critical": parked(one) for one in ("queries-failed", "validator-failed", "uploads-dlq", "sweep-dlq")},
}
"""End of the name → namespace, metric, statistic, threshold, seconds of a period, dimensions."""


def rings(recorded: Recorded) -> dict[str, dict[str, Any]]:
    return alarms(recorded, Subsystem.VOICE_QA)


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


@cache
def plain() -> dict[str, dict[str, Any]]:
    return rings(complete())


def test_the_listed_alarms_ring_and_no_more() -> None:
    assert set(plain()) == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_has_its_numbers_and_rings_at_once_above_them(name: str) -> None:
    one = plain()[name]
    assert ("extendedStatistic" in one) != ("statistic" in one), "CloudWatch takes one of them"
    assert (
        one["namespace"],
        one["metricName"],
        one.get("extendedStatistic") or one["statistic"],
        one["threshold"],
        one["period"],
        one["dimensions"],
    ) == ALARMS[name]
    assert (one["comparisonOperator"], one["evaluationPeriods"]) == ("GreaterThanThreshold", 1)


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_tells_people_and_says_how_bad_it_is(name: str) -> None:
    one = plain()[name]
    assert one["alarmActions"] == one["okActions"] == [scope().alerts_topic]
    assert one["alarmDescription"].startswith(f"{name.rpartition('-')[2].upper()}: ")
    assert one["treatMissingData"] == "notBreaching", "no questions are no trouble"


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_names_a_page_that_is_there(name: str) -> None:
    _, _, page = plain()[name]["alarmDescription"].rpartition("Runbook: ")
    assert page.startswith("docs/runbooks/")
    assert (ROOT / page).is_file(), f"{name} names {page}"


@pytest.mark.parametrize(
    ("name", "page"),
    [
        *((f"{one}-duration-warning", "answers-late") for one in ("handler", "worker", "validator")),
        ("answer-latency-warning", "answers-late"),
        ("answers-failed-warning", "answers-late"),
        ("answers-unheard-critical", "answers-late"),
        ("messages-failed-critical", "websocket-errors"),
        ("lectures-missed-warning", "lectures-missed"),
        *((f"{one}-warning", "limits-near") for one in ("concurrency", "connections")),
        *((f"table-{one}-throttles-warning", "limits-near") for one in ("read", "write")),
    ],
)
def test_the_subsystems_own_alarms_name_the_page_for_their_kind(name: str, page: str) -> None:
    assert plain()[name]["alarmDescription"].endswith(f"Runbook: docs/runbooks/{page}.md")


@pytest.mark.parametrize(
    ("settings", "moved"),
    [
        (
            {
                "alarms": {
                    "answerSeconds": 7,
                    "connectionsPerMinute": 9,
                    "accountConcurrency": 100,
                    "failedAnswersAbove": 5,
                    "failedPostsAbove": 6,
                },
                "socketHandler": {"timeoutSeconds": 10},
                "agentcore": {"endpoint": ENDPOINT, "answerSeconds": 500},
                "validator": {"timeoutSeconds": 100},
                "socket": {"clientErrorsAbove": 3, "refusedConnectionsAbove": 4},
            },
            {
                "answer-latency-warning": 7_000,
                "answers-failed-warning": 5,
                "answers-unheard-critical": 6,
                "connections-warning": 9,
                "concurrency-warning": 80,
                "handler-duration-warning": 8_000,
                "worker-duration-warning": 400_000,
                "validator-duration-warning": 80_000,
                "socket-client-errors-warning": 3,
                "socket-integration-errors-critical": 4,
            },
        ),
        (
            {"alarms": {"concurrencyPercent": 50, "durationPercent": 60}},
            {
                "concurrency-warning": 500,
                "handler-duration-warning": 17_400,
                "worker-duration-warning": 360_000,
                "validator-duration-warning": 180_000,
            },
        ),
    ],
    ids=["of their own", "percent"],
)
def test_each_threshold_is_a_setting_and_moves_no_other(settings: dict[str, Any], moved: dict[str, float]) -> None:
    found = {name: one["threshold"] for name, one in rings(voice_qa(**settings)).items()}
    assert found == {**{name: one["threshold"] for name, one in plain().items()}, **moved}


@pytest.mark.parametrize("settings", [{}, {"agentcore": {"endpoint": ENDPOINT, "answerSeconds": 60}}])
def test_a_worker_rings_before_its_answers_are_cut_off(settings: dict[str, Any]) -> None:
    cut_off = args(**settings).settings.agentcore.answer_seconds * 1000
    assert rings(voice_qa(**settings))["worker-duration-warning"]["threshold"] < cut_off


def test_how_long_answers_take_is_read_from_the_workers_own_line(capsys: pytest.CaptureFixture[str]) -> None:
    with own_logger():
        EventLog("INFO").info("query_ended", milliseconds=4_321)
    line = json.loads(capsys.readouterr().out)
    one = filter_of("answer-milliseconds").inputs
    assert one["logGroupName"] == f"/aws/lambda/{WORKER}"
    assert one["pattern"] == f'{{ $.message = "{line["message"]}" }}'
    assert line[one["metricTransformation"]["value"].removeprefix("$.")] == 4_321


def test_what_was_missed_is_read_from_the_sweeps_own_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    credentials(monkeypatch)
    with own_logger(), staged() as stage:
        stage.put(b"no recording")
        stage.now = datetime.now(UTC) + timedelta(hours=1)
        for _ in range(2):  # the first finds it, the second has looked at it as well
            stage.sweep().run()
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    one = filter_of("lectures-missed").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PREFIX}-validate-lecture"
    assert one["pattern"] == f'{{ $.message = "{line["message"]}" }}'
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
    desk: Desk, script: agent.Piece | Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    desk.asks()
    desk.clients.failures = [ERROR] * 100
    desk.answers_with(script)
    desk.call()
    assert len(matching("answers-unheard", lines(capsys))) > plain()["answers-unheard-critical"]["threshold"]
    assert filter_of("answers-unheard").inputs["logGroupName"] == f"/aws/lambda/{WORKER}"


def test_a_post_that_fails_once_rings_nothing(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    desk.asks()
    desk.clients.failures = [ERROR]
    desk.answers_with(HELLO, WORLD)
    desk.call()
    assert len(desk.said("text")) == 2, "it was posted again"
    assert len(matching("answers-unheard", lines(capsys))) == 1 <= plain()["answers-unheard-critical"]["threshold"]


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
        monkeypatch.setattr(scene.handler._uploads, "ready", lambda *_: 1 / 0)
        assert scene.says("upload", kind="query", contentType="audio/ogg")["code"] == "INTERNAL"
        assert scene.says("nothing")["code"] == "UNKNOWN_ACTION"
    failed = [one["message"] for one in matching("messages-failed", lines(capsys))]
    assert failed == ["worker_not_called", "message_failed"]
    assert filter_of("messages-failed").inputs["logGroupName"] == f"/aws/lambda/{PREFIX}-websocket-handler"


COUNTED = {
    "answer-milliseconds": "answer-latency-warning",
    "answers-failed": "answers-failed-warning",
    "answers-unheard": "answers-unheard-critical",
    "lectures-missed": "lectures-missed-warning",
    "messages-failed": "messages-failed-critical",
}
"""A filter of log lines → the alarm that watches what it makes."""


@pytest.mark.parametrize("name", COUNTED)
def test_an_alarm_watches_what_its_filter_makes(name: str) -> None:
    made = filter_of(name).inputs["metricTransformation"]
    watched = plain()[COUNTED[name]]
    assert (watched["namespace"], watched["metricName"]) == (made["namespace"], made["name"])


@pytest.mark.parametrize("name", COUNTED)
def test_a_filter_is_made_after_the_log_group_that_it_reads(name: str) -> None:
    one = filter_of(name)
    before = [group.inputs["name"] for group in complete().ancestors(one) if group.kind == "LogGroup"]
    assert one.inputs["logGroupName"] in before


def test_the_dashboard_shows_functions_queue_and_table() -> None:
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = json.dumps([widget["properties"]["metrics"] for widget in widgets])
    for name in (*(f"{PREFIX}-{one}" for one in FUNCTIONS), f"{PREFIX}-uploads", TABLE):
        assert f'"{name}"' in shown

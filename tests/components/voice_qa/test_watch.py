"""What rings in voice Q&A: every alarm to the number, and the pages that they name."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import pytest

from components.blocks.context import Subsystem
from handlers.common.logging import EventLog
from local import ROOT
from local.graph import Resource
from tests.components.subsystem import alarms
from tests.components.voice_qa.deployment import PREFIX, TABLE, complete, voice_qa
from tests.credentials import credentials
from tests.engine import Recorded, scope
from tests.handlers.voice_qa.lecture_stage import staged
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


ALARMS: dict[str, tuple[Any, ...]] = {
    "answer-latency-warning": (f"polyphony-test/{Subsystem.VOICE_QA}", "answer-milliseconds", "p95", 10_000, 300, {}),
    "lectures-missed-warning": (f"polyphony-test/{Subsystem.VOICE_QA}", "lectures-missed", "Sum", 0, 300, {}),
    "handler-duration-warning": ("AWS/Lambda", "Duration", "p95", 23_200, 300, alias("websocket-handler")),
    "worker-duration-warning": ("AWS/Lambda", "Duration", "p95", 720_000, 300, alias("query-worker")),
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
                "alarms": {"answerSeconds": 7, "connectionsPerMinute": 9, "accountConcurrency": 100},
                "socketHandler": {"timeoutSeconds": 10},
                "queryWorker": {"timeoutSeconds": 700},
                "validator": {"timeoutSeconds": 100},
                "socket": {"clientErrorsAbove": 3, "refusedConnectionsAbove": 4},
            },
            {
                "answer-latency-warning": 7_000,
                "connections-warning": 9,
                "concurrency-warning": 80,
                "handler-duration-warning": 8_000,
                "worker-duration-warning": 560_000,
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
                "worker-duration-warning": 540_000,
                "validator-duration-warning": 180_000,
            },
        ),
    ],
    ids=["of their own", "percent"],
)
def test_each_threshold_is_a_setting_and_moves_no_other(settings: dict[str, Any], moved: dict[str, float]) -> None:
    found = {name: one["threshold"] for name, one in rings(voice_qa(**settings)).items()}
    assert found == {**{name: one["threshold"] for name, one in plain().items()}, **moved}


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


@pytest.mark.parametrize(
    ("name", "alarm"),
    [("answer-milliseconds", "answer-latency-warning"), ("lectures-missed", "lectures-missed-warning")],
)
def test_an_alarm_watches_what_its_filter_makes(name: str, alarm: str) -> None:
    made = filter_of(name).inputs["metricTransformation"]
    watched = plain()[alarm]
    assert (watched["namespace"], watched["metricName"]) == (made["namespace"], made["name"])


@pytest.mark.parametrize("name", ["answer-milliseconds", "lectures-missed"])
def test_a_filter_is_made_after_the_log_group_that_it_reads(name: str) -> None:
    one = filter_of(name)
    before = [group.inputs["name"] for group in complete().ancestors(one) if group.kind == "LogGroup"]
    assert one.inputs["logGroupName"] in before


def test_the_dashboard_shows_functions_queue_and_table() -> None:
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = json.dumps([widget["properties"]["metrics"] for widget in widgets])
    for name in (*(f"{PREFIX}-{one}" for one in FUNCTIONS), f"{PREFIX}-uploads", TABLE):
        assert f'"{name}"' in shown

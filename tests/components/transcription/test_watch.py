"""What rings in transcription: the requirement's six alarms to the number, and what is watched beyond them."""

import json
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from handlers.common.logging import EventLog
from handlers.common.sockets import Talk
from handlers.transcription.environment import GIVEN_UP
from handlers.transcription.messages import REQUESTS
from local import ROOT
from operations.rollout import Plan
from operations.target import Target
from tests.components.transcription.deployment import PREFIX, complete, transcription
from tests.engine import Recorded, scope
from tests.handlers.transcription.stage import Scene, tables
from tests.loggers import own_logger

PROCESSOR = f"{PREFIX}-audio-processor"
OF_THE_PROCESSOR = {"FunctionName": PROCESSOR}
OF_ITS_ALIAS = {"FunctionName": PROCESSOR, "Resource": f"{PROCESSOR}:live"}
CAPTIONS = "AudioTranscription/PartialResults"
ABOVE, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"
SIX = {
    "latency-critical": (
        CAPTIONS, "PartialResultProcessingLatency", "p95", ABOVE, 5000, 2, 300, OF_THE_PROCESSOR,
    ),
    "rate-limit-warning": (CAPTIONS, "PartialResultsDropped", "Sum", ABOVE, 100, 2, 60, OF_THE_PROCESSOR),
    "orphans-warning": (CAPTIONS, "OrphanedResultsFlushed", "Sum", ABOVE, 10, 2, 300, OF_THE_PROCESSOR),
    "fallback-critical": (CAPTIONS, "TranscribeFallbackTriggered", "Sum", AT_LEAST, 1, 1, 300, OF_THE_PROCESSOR),
    "audio-processor-errors-critical": ("AWS/Lambda", "Errors", "Sum", ABOVE, 5, 1, 300, OF_ITS_ALIAS),
    "audio-processor-throttles-warning": ("AWS/Lambda", "Throttles", "Sum", ABOVE, 10, 1, 300, OF_ITS_ALIAS),
}  # fmt: skip
"""End of the name → namespace, metric, statistic, comparison, threshold, periods, seconds of one, dimensions."""
BEYOND = {
    "audio-processor-memory-warning",
    "given-up-critical",
    "lost-utterances-warning",
    "messages-failed-critical",
    "router-errors-critical",
    "router-throttles-warning",
    "router-failed-critical",
    "sweep-dlq-critical",
    "socket-execution-errors-critical",
    "socket-integration-errors-critical",
    "socket-client-errors-warning",
}


def alarms(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """By the end of their names."""
    found = [one.inputs for one in recorded.all("cloudwatch.MetricAlarm")]
    return {one["name"].removeprefix(f"{PREFIX}-"): one for one in found}


@cache
def plain() -> dict[str, dict[str, Any]]:
    return alarms(complete())


def test_the_six_of_the_document_and_the_listed_others_ring_and_no_more() -> None:
    assert set(plain()) == {*SIX, *BEYOND}


def test_a_roll_out_gives_a_tenth_and_watches_all_of_them() -> None:
    target, plan = Target.parse("test", "transcription/audio-processor"), Plan()
    assert (target.function, plan.share) == (PROCESSOR, 10)
    names = {one.inputs["name"] for one in complete().all("cloudwatch.MetricAlarm")}
    assert {one for one in names if one.startswith(f"{target.alarm_prefix}{plan.alarms}")} == names


@pytest.mark.parametrize("name", SIX)
def test_each_alarm_has_the_documents_numbers(name: str) -> None:
    one = plain()[name]
    assert ("statistic" in one) != ("extendedStatistic" in one), "CloudWatch takes one of them"
    assert (
        one["namespace"],
        one["metricName"],
        one.get("extendedStatistic") or one["statistic"],
        one["comparisonOperator"],
        one["threshold"],
        one["evaluationPeriods"],
        one["period"],
        one["dimensions"],
    ) == SIX[name]


@pytest.mark.parametrize("name", [*SIX, *sorted(BEYOND)])
def test_each_alarm_tells_people_and_says_how_bad_it_is(name: str) -> None:
    one = plain()[name]
    assert one["alarmActions"] == one["okActions"] == [scope().alerts_topic]
    assert one["alarmDescription"].startswith(f"{name.rpartition('-')[2].upper()}: ")
    assert one["treatMissingData"] == "notBreaching", "no speech is no trouble"


@pytest.mark.parametrize("name", [*SIX, *sorted(BEYOND)])
def test_each_alarm_names_a_page_that_is_there(name: str) -> None:
    _, _, page = plain()[name]["alarmDescription"].rpartition("Runbook: ")
    assert page.startswith("docs/runbooks/")
    assert (ROOT / page).is_file(), f"{name} names {page}"


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ("latencyMs", "latency-critical"),
        ("droppedPerMinute", "rate-limit-warning"),
        ("orphans", "orphans-warning"),
        ("fallbacks", "fallback-critical"),
        ("givenUp", "given-up-critical"),
        ("errors", "audio-processor-errors-critical"),
        ("throttles", "audio-processor-throttles-warning"),
    ],
)
def test_each_threshold_is_a_setting_and_moves_no_other(setting: str, name: str) -> None:
    moved = alarms(transcription(alarms={setting: 777}))
    thresholds = {one: alarm["threshold"] for one, alarm in moved.items()}
    assert thresholds == {**{one: alarm["threshold"] for one, alarm in plain().items()}, name: 777}


@pytest.mark.parametrize(
    ("settings", "megabytes"),
    [
        ({}, 460.8),
        ({"audioProcessor": {"memoryMb": 768}}, 691.2),
        ({"alarms": {"memoryPercent": 50}}, 256),
    ],
)
def test_memory_rings_at_a_share_of_what_there_is(settings: dict[str, Any], megabytes: float) -> None:
    one = alarms(transcription(**settings))["audio-processor-memory-warning"]
    assert one["threshold"] == pytest.approx(megabytes)
    assert (one["comparisonOperator"], one["statistic"], one["evaluationPeriods"]) == (ABOVE, "Maximum", 1)


def test_memory_is_read_from_lambdas_own_report() -> None:
    one = complete().one("cloudwatch.LogMetricFilter", "audio-processor-memory").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PROCESSOR}"
    assert one["pattern"] == '{ $.type = "platform.report" }'
    assert one["metricTransformation"]["value"] == "$.record.metrics.maxMemoryUsedMB"
    watched = plain()["audio-processor-memory-warning"]
    made = one["metricTransformation"]
    assert (watched["namespace"], watched["metricName"]) == (made["namespace"], made["name"])


@pytest.mark.parametrize(
    ("name", "severity", "lines"),
    [("lost-utterances", "warning", 1), ("given-up", "critical", 10), ("messages-failed", "critical", 1)],
)
def test_so_many_lines_in_five_minutes_ring(name: str, severity: str, lines: int) -> None:
    one = plain()[f"{name}-{severity}"]
    assert (one["comparisonOperator"], one["threshold"], one["evaluationPeriods"]) == (AT_LEAST, lines, 1)
    assert (one["statistic"], one["period"]) == ("Sum", 300)
    made = complete().one("cloudwatch.LogMetricFilter", name).inputs["metricTransformation"]
    assert (one["namespace"], one["metricName"]) == (made["namespace"], made["name"])


def test_the_line_that_tells_of_an_utterance_given_up_is_the_one_that_is_counted() -> None:
    one = complete().one("cloudwatch.LogMetricFilter", "given-up").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PROCESSOR}"
    assert (one["pattern"], one["metricTransformation"]["value"]) == (f'{{ $.message = "{GIVEN_UP}" }}', "1")


def test_a_message_at_which_the_router_fails_is_a_line_that_is_counted_at_any_level(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Its client has an answer, so API Gateway and Lambda count no error."""
    with own_logger():
        talk = Talk(REQUESTS, EventLog("ERROR"))
        talk.answer('{"action": "ping"}', {"routeKey": "ping", "requestId": "r1"}, lambda *_: 1 / 0)  # type: ignore[arg-type]
    [line] = capsys.readouterr().out.splitlines()
    assert counted("messages-failed", json.loads(line)["message"])


def test_an_utterance_that_the_processor_could_not_be_called_with_rings_and_a_clients_mistake_does_not(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its client is told, and sends it again; but where no call comes through, there are no captions for anybody."""
    with own_logger(), tables(monkeypatch) as dynamodb:
        scene = Scene(dynamodb, level="ERROR")
        session = scene.opens()
        scene.refusing = ClientError({"Error": {"Code": "AccessDeniedException"}}, "Invoke")
        assert scene.utters(session)["code"] == "UNAVAILABLE"
        assert scene.says("nothing")["code"] == "UNKNOWN_ACTION"
    [line] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert counted("messages-failed", line["message"])
    assert line["error_type"] == "ClientError"
    assert complete().one("cloudwatch.LogMetricFilter", "messages-failed").inputs["logGroupName"] == (
        f"/aws/lambda/{PREFIX}-router"
    )


def counted(name: str, message: str) -> bool:
    """Whether a filter takes lines of this name."""
    pattern = complete().one("cloudwatch.LogMetricFilter", name).inputs["pattern"]
    return f'$.message = "{message}"' in pattern.strip("{ }").split(" || ")


def test_the_line_that_tells_of_lost_utterances_is_the_one_that_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with own_logger():
        EventLog("INFO").warning("utterances_lost", lost=3)
    line = json.loads(capsys.readouterr().out)
    one = complete().one("cloudwatch.LogMetricFilter", "lost-utterances").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PREFIX}-router"
    assert one["pattern"] == f'{{ $.message = "{line["message"]}" }}'
    assert line[one["metricTransformation"]["value"].removeprefix("$.")] == 3


def test_a_filter_is_made_after_the_log_group_that_it_reads() -> None:
    filters = complete().all("cloudwatch.LogMetricFilter")
    assert filters
    for one in filters:
        before = [group.inputs["name"] for group in complete().ancestors(one) if group.kind == "LogGroup"]
        assert one.inputs["logGroupName"] in before


def test_refused_messages_ring_above_a_setting() -> None:
    assert plain()["socket-client-errors-warning"]["threshold"] == 50
    assert alarms(transcription(socket={"clientErrorsAbove": 3}))["socket-client-errors-warning"]["threshold"] == 3


def test_the_dashboard_shows_every_metric_of_captions() -> None:
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = {(metric[0], metric[1]) for widget in widgets for metric in widget["properties"]["metrics"]}
    assert {(namespace, metric) for namespace, metric, *_ in SIX.values()} <= shown

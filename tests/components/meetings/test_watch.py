"""What rings in meetings: every alarm to the number, the lines that are counted, the pages that they name; what is charted."""

import json
import re
from functools import cache
from typing import Any

import pytest

from components.blocks.context import Subsystem
from components.meetings.watch import MISSED
from handlers.common.asking import NoAnswer
from handlers.common.faults import PASSING, Fault
from handlers.common.logging import ALLOWED
from handlers.meetings import metrics, summary_faults
from handlers.meetings.storage_totals import measures
from local import ROOT
from local.drivers.fit import service_model
from local.patches.casing import error_name
from tests.components.meetings.deployment import PREFIX, TABLE, changed, complete, meetings
from tests.components.subsystem import ACCOUNT, alarms
from tests.engine import scope
from tests.handlers.meetings.control_stage import Told

NAMESPACE = f"polyphony-test/{Subsystem.MEETINGS}"
FUNCTIONS = ("auth-exchange", "start", "steps", "bedrock-summarize", "sweep", "storage")
OF_THE_API = {"ApiName": f"{PREFIX}-api", "Stage": "api"}
OF_THE_WORKFLOW = {"StateMachineArn": f"arn:aws:states:{ACCOUNT}:stateMachine:{PREFIX}-workflow"}


def alias(function: str) -> dict[str, str]:
    name = f"{PREFIX}-{function}"
    return {"FunctionName": name, "Resource": f"{name}:live"}


def parked(queue: str) -> tuple[Any, ...]:
    return ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "Average", 0, 300, {"QueueName": f"{PREFIX}-{queue}"})


OWN: dict[str, tuple[Any, ...]] = {
    "meetings-failed-critical": (NAMESPACE, "meetings-failed", "Sum", 0, 300, {}),
    "media-failed-critical": (NAMESPACE, "media-failed", "Sum", 0, 300, {}),
    "meetings-given-up-critical": (NAMESPACE, "meetings-given-up", "Sum", 0, 300, {}),
    "meetings-unattended-warning": (NAMESPACE, "meetings-unattended", "Minimum", 0, 2700, {}),
    "sweep-unfinished-warning": (NAMESPACE, "sweep-unfinished", "Minimum", 0, 2700, {}),
    "processing-late-warning": (
        metrics.NAMESPACE, metrics.PROCESSING_DURATION, "p95", 10_800, 300, {metrics.STACK: "polyphony-test"},
    ),
    "spot-interruptions-warning": (NAMESPACE, "spot-interruptions", "Sum", 5, 3600, {}),
    "uploads-waiting-warning": (
        "AWS/SQS", "ApproximateAgeOfOldestMessage", "Maximum", 1800, 300, {"QueueName": f"{PREFIX}-uploads"},
    ),
    "model-throttles-warning": (NAMESPACE, "model-throttles", "Sum", 20, 300, {}),
    "model-errors-warning": (NAMESPACE, "model-errors", "Sum", 0, 300, {}),
    "recordings-unheard-warning": (NAMESPACE, "recordings-unheard", "Sum", 0, 300, {}),
}  # fmt: skip
ALARMS: dict[str, tuple[Any, ...]] = {
    **OWN,
    "api-client-errors-warning": ("AWS/ApiGateway", "4XXError", "Sum", 50, 300, OF_THE_API),
    "api-server-errors-critical": ("AWS/ApiGateway", "5XXError", "Sum", 0, 300, OF_THE_API),
    "api-slow-warning": ("AWS/ApiGateway", "Latency", "p95", 3000, 300, OF_THE_API),
    "workflow-executionsfailed-critical": ("AWS/States", "ExecutionsFailed", "Sum", 0, 300, OF_THE_WORKFLOW),
    "workflow-executionstimedout-critical": ("AWS/States", "ExecutionsTimedOut", "Sum", 0, 300, OF_THE_WORKFLOW),
    "workflow-executionthrottled-warning": ("AWS/States", "ExecutionThrottled", "Sum", 0, 300, OF_THE_WORKFLOW),
    **{f"{one}-errors-critical": ("AWS/Lambda", "Errors", "Sum", 0, 300, alias(one)) for one in FUNCTIONS},
    "bedrock-summarize-errors-critical": ("AWS/Lambda", "Errors", "Sum", 20, 300, alias("bedrock-summarize")),
    **{f"{one}-throttles-warning": ("AWS/Lambda", "Throttles", "Sum", 0, 300, alias(one)) for one in FUNCTIONS},
    **{
        f"{one}-critical": parked(one)
        for one in (
            *("care-failures", "uploads-dlq", "recording-uploaded-dlq"),
            *("sweep-schedule-dlq", "storage-schedule-dlq"),
        )
    },
}
"""End of the name → namespace, metric, statistic, threshold, seconds of a period, dimensions."""
PAGES = {
    **dict.fromkeys(OWN, "meetings-late"),
    "spot-interruptions-warning": "spot-interruptions",
    "model-throttles-warning": "models-refuse",
    "model-errors-warning": "models-refuse",
}


@cache
def plain() -> dict[str, dict[str, Any]]:
    return alarms(complete(), Subsystem.MEETINGS)


def test_the_listed_alarms_ring_and_no_more() -> None:
    assert set(plain()) == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_each_alarm_has_its_numbers_and_tells_people(name: str) -> None:
    one = plain()[name]
    statistic = one.get("extendedStatistic") or one["statistic"]
    found = (one["namespace"], one["metricName"], statistic, one["threshold"], one["period"], one["dimensions"])
    assert found == ALARMS[name]
    assert one["alarmActions"] == one["okActions"] == [scope().alerts_topic]
    assert one["treatMissingData"] == "notBreaching", "no meetings are no trouble"


@pytest.mark.parametrize("name", OWN)
def test_the_subsystems_own_alarms_name_the_page_for_their_kind(name: str) -> None:
    page = f"docs/runbooks/{PAGES[name]}.md"
    assert plain()[name]["alarmDescription"].endswith(f"Runbook: {page}")


def test_each_threshold_is_a_setting_and_moves_no_other() -> None:
    """No two numbers are the same: what takes another's is found.

    What a busy model puts off is an error of the function's too, so one number says when either rings.
    """
    settings = {
        "failedMeetingsAbove": 3,
        "processingMinutes": 2,
        "interruptionsAbove": 9,
        "queueMinutes": 4,
        "throttlesAbove": 8,
        "clientErrorsAbove": 7,
        "serverErrorsAbove": 6,
        "latencyMs": 11,
    }
    moved = {
        "meetings-failed-critical": 3,
        "meetings-given-up-critical": 3,
        "processing-late-warning": 120,
        "spot-interruptions-warning": 9,
        "uploads-waiting-warning": 240,
        "model-throttles-warning": 8,
        "bedrock-summarize-errors-critical": 8,
        "api-client-errors-warning": 7,
        "api-server-errors-critical": 6,
        "api-slow-warning": 11,
    }
    found = alarms(meetings(alarms=settings), Subsystem.MEETINGS)
    before = {one: alarm["threshold"] for one, alarm in plain().items()}
    assert {one: alarm["threshold"] for one, alarm in found.items()} == {**before, **moved}


@pytest.mark.parametrize(
    ("name", "function", "pattern", "value"),
    [
        ("meetings-failed", "steps", '{ $.message = "meeting_failed" }', "1"),
        ("media-failed", "steps", '{ $.message = "meeting_failed" && $.code = "MEDIA_FAILED" }', "1"),
        (
            "meetings-given-up",
            "sweep",
            '{ $.message = "meeting_given_up" && $.code != "NEVER_COMPLETE" }',
            "1",
        ),
        ("meetings-unattended", "sweep", '{ $.message = "meeting_sweep" }', "$.failed"),
        ("sweep-unfinished", "sweep", '{ $.message = "meeting_sweep" }', "$.unfinished"),
        ("spot-interruptions", "steps", '{ $.message = "media_read" }', "$.interruptions"),
        (
            "model-throttles",
            "bedrock-summarize",
            '{ $.message = "summary_failed" && $.error_type = "ModelBusy" }',
            "1",
        ),
        (
            "model-errors",
            "bedrock-summarize",
            '{ $.message = "summary_failed" && ($.error_type = "ModelRefused" || $.error_type = "SummaryUnusable") }',
            "1",
        ),
        (
            "recordings-unheard",
            "storage",
            '{ $.message = "recording_unheard" || $.message = "recording_unattended" || $.message = "recordings_unchecked" }',
            "1",
        ),
    ],
)
def test_lines_that_mean_trouble_are_counted(name: str, function: str, pattern: str, value: str) -> None:
    one = complete().one("cloudwatch.LogMetricFilter", f"meetings-{name}-filter").inputs
    assert one["logGroupName"] == f"/aws/lambda/{PREFIX}-{function}"
    assert (one["pattern"], one["metricTransformation"]["value"]) == (pattern, value)
    assert (one["metricTransformation"]["namespace"], one["metricTransformation"]["name"]) == (NAMESPACE, name)


@pytest.mark.parametrize("name", ["meetings-unattended", "sweep-unfinished"])
@pytest.mark.parametrize("minutes", [2, 15, 60])
def test_what_no_sweep_gets_done_rings_and_what_only_one_did_not_does_not(name: str, minutes: int) -> None:
    one = alarms(meetings(care={"sweepMinutes": minutes}), Subsystem.MEETINGS)[f"{name}-warning"]
    assert one["statistic"] == "Minimum"
    assert one["period"] >= 2 * minutes * 60, "the least of several sweeps"
    assert one["period"] % 60 == 0


def test_the_lines_of_the_daily_look_are_those_that_it_writes() -> None:
    written = (ROOT / "handlers/meetings/unheard.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"(recordings?_\w+)"', written)) == set(MISSED)


def test_the_errors_that_are_counted_are_those_that_the_summariser_has() -> None:
    for name in ("ModelBusy", "ModelRefused", "SummaryUnusable"):
        assert issubclass(getattr(summary_faults, name), summary_faults.SummaryFailed)
    written = (ROOT / "handlers/meetings/summarizing.py").read_text(encoding="utf-8")
    assert '"summary_failed"' in written
    assert "error_type" in ALLOWED


def test_the_page_explains_each_cause_that_a_models_refusal_has() -> None:
    page = (ROOT / "docs/runbooks/models-refuse.md").read_text(encoding="utf-8")
    unusable = {NoAnswer.UNUSABLE, Fault.CONFLICT}
    causes = (set(Fault) - PASSING | set(NoAnswer)) - unusable
    assert {one.value for one in causes if f"`{one.value}`" not in page} == set()


@pytest.mark.parametrize("action", ["StartTranscriptionJob", "GetTranscriptionJob"])
def test_the_page_names_a_denied_call_as_the_workflow_does(action: str) -> None:
    page = (ROOT / "docs/runbooks/meetings-late.md").read_text(encoding="utf-8")
    operation = service_model("transcribe").operation_model(action)
    for code in ("AccessDeniedException", "BadRequestException"):
        assert f"`{error_name(operation, code)}`" in page


def test_the_dashboard_shows_the_four_metrics_the_bucket_the_table_and_the_functions() -> None:
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = json.dumps([widget["properties"]["metrics"] for widget in widgets])
    for name in (
        *(metrics.PROCESSING_DURATION, metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS),
        *(metrics.STORAGE_GROWTH, metrics.FFMPEG_RATIO),
        *("FirstByteLatency", "SuccessfulRequestLatency", TABLE, f"{PREFIX}-uploads"),
        *(f"{PREFIX}-{one}" for one in FUNCTIONS),
    ):
        assert f'"{name}"' in shown, name


def test_the_growth_that_is_charted_is_one_that_is_told() -> None:
    """CloudWatch adds nothing up over a dimension: a chart has what was told with just its dimensions."""
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    charted = [
        (namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
        for widget in widgets
        for namespace, name, *dimensions, _ in widget["properties"]["metrics"]
        if name == metrics.STORAGE_GROWTH
    ]
    told = Told()
    client: Any = told
    metrics.Metrics(client, "polyphony-test").put(measures({"A" * 32: 5}, 1))
    assert charted
    for one in charted:
        assert one in [
            (call["Namespace"], data["MetricName"], {one["Name"]: one["Value"] for one in data["Dimensions"]})
            for call in told.calls
            for data in call["MetricData"]
        ]


def test_the_dashboard_shows_what_traces_take_by_who_measures_it() -> None:
    widgets = json.loads(complete().one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    charts = {one["properties"]["title"]: one["properties"]["metrics"] for one in widgets}
    for about, namespace, metric in (
        ("execution", "AWS/States", "ExecutionTime"),
        ("exchange", "AWS/ApiGateway", "Latency"),
    ):
        [found] = [
            metrics for title, metrics in charts.items() if title.startswith(f"what a trace of an {about} takes")
        ]
        assert {(one[0], one[1]) for one in found} == {(namespace, metric)}


def test_the_buckets_latency_is_measured_where_somebody_pays_for_it() -> None:
    assert complete().all("s3.BucketMetric") == []
    assert len(changed().all("s3.BucketMetric")) == 1

"""What is watched in meetings: the lines that its alarms count are those that its handlers write; what is charted."""

import json
import re
from typing import Any

import pytest

from components.meetings.alarms_and_charts import MISSED
from handlers.common.aws.service_faults import PASSING, Fault
from handlers.common.bedrock.model_questions import NoAnswer
from handlers.common.logging import ALLOWED
from handlers.meetings import metrics, summary_errors
from handlers.meetings.storage.storage_totals import measures
from local import ROOT
from local.emulation.step_functions.parameter_names import error_name
from local.platform.drivers.service_shapes import service_model
from tests.components.meetings.recorded_deployment import PREFIX, changed, complete
from tests.handlers.meetings.meeting_setup import Told


def test_the_lines_of_the_daily_look_are_those_that_it_writes() -> None:
    written = (ROOT / "handlers/meetings/storage/unannounced_recordings.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"(recordings?_\w+)"', written)) == set(MISSED)


def test_the_errors_that_are_counted_are_those_that_the_summariser_has() -> None:
    for name in ("ModelBusy", "ModelRefused", "SummaryUnusable"):
        assert issubclass(getattr(summary_errors, name), summary_errors.SummaryFailed)
    written = (ROOT / "handlers/meetings/bedrock_summarize/summarizer.py").read_text(encoding="utf-8")
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
        *("FirstByteLatency", "SuccessfulRequestLatency", f"{PREFIX}-uploads"),
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

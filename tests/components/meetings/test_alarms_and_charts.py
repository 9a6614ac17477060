"""Tests of the meetings alarms and dashboard: they read exactly the log events and metrics that the functions write."""

import json
import re
from typing import Any

import pytest

from components.meetings.alarms_and_charts import MISSED_RECORDING_EVENTS
from handlers.common.aws.service_faults import TRANSIENT_FAULTS, ServiceFault
from handlers.common.bedrock.model_questions import NoAnswer
from handlers.common.logging import ALLOWED_LOG_FIELDS
from handlers.meetings import metrics, summary_errors
from handlers.meetings.storage.daily_storage_metrics import growth_metrics
from local import ROOT
from local.emulation.step_functions.parameter_name_conversion import error_name
from local.platform.driver_model.service_shapes import service_model
from tests.components.deployment_harness import chart_metrics
from tests.components.meetings.recorded_deployment import PREFIX, changed_preview, deployed, previewed
from tests.handlers.meetings.meeting_harness import FakeCloudWatch


def test_the_alarm_counts_every_log_event_of_the_daily_check_for_lost_upload_events() -> None:
    source = (ROOT / "handlers/meetings/storage/lost_upload_events.py").read_text(encoding="utf-8")
    assert set(re.findall(r'"(recordings?_\w+)"', source)) == set(MISSED_RECORDING_EVENTS)


def test_the_counted_model_errors_exist_in_the_summary_function() -> None:
    for name in ("ModelBusy", "ModelRefused", "SummaryUnusable"):
        assert issubclass(getattr(summary_errors, name), summary_errors.SummaryFailed)
    source = (ROOT / "handlers/meetings/bedrock_summarize/summarizer.py").read_text(encoding="utf-8")
    assert '"summary_failed"' in source
    assert "error_type" in ALLOWED_LOG_FIELDS


def test_the_runbook_explains_every_cause_with_which_a_model_refuses() -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    # An unusable answer is another error, `SummaryUnusable`. A call of a model has no precondition that could conflict.
    other_causes = {NoAnswer.UNUSABLE, ServiceFault.CONFLICT}
    causes = (set(ServiceFault) - TRANSIENT_FAULTS | set(NoAnswer)) - other_causes
    assert {cause.value for cause in causes if f"`{cause.value}`" not in page} == set()


@pytest.mark.parametrize("action", ["StartTranscriptionJob", "GetTranscriptionJob"])
def test_the_runbook_has_the_error_names_that_step_functions_gives_a_denied_call(action: str) -> None:
    page = (ROOT / "docs/runbooks/meetings.md").read_text(encoding="utf-8")
    operation = service_model("transcribe").operation_model(action)
    for code in ("AccessDeniedException", "BadRequestException"):
        assert f"`{error_name(operation, code)}`" in page


def test_the_dashboard_shows_the_backends_own_metrics_the_latency_of_its_resources_and_its_queue() -> None:
    """The bucket has request metrics only if a setting enables them (`tests/test_shown_metrics.py`)."""
    shown_metrics = json.dumps(chart_metrics(previewed(requestsMeasured=True)))
    for name in (
        *(metrics.PROCESSING_DURATION, metrics.INPUT_TOKENS, metrics.OUTPUT_TOKENS),
        *(metrics.STORAGE_GROWTH, metrics.FFMPEG_RATIO),
        *("FirstByteLatency", "SuccessfulRequestLatency", f"{PREFIX}-uploads"),
    ):
        assert f'"{name}"' in shown_metrics, name


def test_the_charted_growth_has_the_dimensions_of_a_sent_metric() -> None:
    """CloudWatch does not add values up over a dimension. A chart only finds metrics that were sent with exactly its
    dimensions.
    """
    charted_metrics = [
        (namespace, name, dict(zip(dimensions[::2], dimensions[1::2], strict=True)))
        for chart in chart_metrics(deployed()).values()
        for namespace, name, *dimensions, _ in chart
        if name == metrics.STORAGE_GROWTH
    ]
    cloudwatch: Any = FakeCloudWatch()
    metrics.MeetingMetrics(cloudwatch, "polyphony-test").put(growth_metrics({"A" * 32: 5}, max_users_with_metric=1))
    sent_metrics = [
        (call["Namespace"], data["MetricName"], {item["Name"]: item["Value"] for item in data["Dimensions"]})
        for call in cloudwatch.calls
        for data in call["MetricData"]
    ]
    assert charted_metrics
    for metric in charted_metrics:
        assert metric in sent_metrics


def test_the_dashboard_shows_the_duration_of_executions_and_token_exchanges() -> None:
    charts = chart_metrics(deployed())
    for operation, namespace, metric in (
        ("executions", "AWS/States", "ExecutionTime"),
        ("token exchanges", "AWS/ApiGateway", "Latency"),
    ):
        [chart] = [charts[title] for title in charts if title.startswith(f"duration of {operation},")]
        assert {tuple(charted_metric[:2]) for charted_metric in chart} == {(namespace, metric)}


def test_request_metrics_of_the_bucket_are_a_setting() -> None:
    assert deployed().all("s3.BucketMetric") == []
    assert len(changed_preview().all("s3.BucketMetric")) == 1

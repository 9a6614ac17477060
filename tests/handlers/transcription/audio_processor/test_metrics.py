"""Metrics of one invocation: one call, within the format and limits of PutMetricData."""

from typing import Any

import boto3
from botocore.stub import Stubber

from handlers.transcription.audio_processor.captions.caption_decisions import CaptionCounts
from handlers.transcription.audio_processor.metrics import MAX_VALUES, UtteranceMetrics
from tests.handlers.transcription.processor_harness import CloudWatch


def put_metrics(latencies_ms: list[int], *counts: CaptionCounts) -> list[dict[str, Any]]:
    cloudwatch: Any = CloudWatch()
    UtteranceMetrics(cloudwatch, "processor").put(latencies_ms, counts)
    return [datum for call in cloudwatch.calls for datum in call["MetricData"]]


def test_equal_latencies_are_one_value_with_a_count() -> None:
    [latency] = put_metrics([70, 30, 70])
    assert (latency["Values"], latency["Counts"], latency["Unit"]) == ([30.0, 70.0], [1.0, 2.0], "Milliseconds")


def test_too_many_values_keep_the_slowest() -> None:
    """The alarm uses the slow values."""
    [latency] = put_metrics(list(range(MAX_VALUES + 50)))
    assert latency["Values"] == [float(value) for value in range(50, MAX_VALUES + 50)]
    assert len(latency["Counts"]) == MAX_VALUES


def test_the_streams_of_an_invocation_are_summed() -> None:
    found = put_metrics(
        [],
        CaptionCounts(dropped=3, orphans=1, fallback="stream_failed", failed=True),
        CaptionCounts(dropped=2, failed=True),
    )
    assert {entry["MetricName"]: entry["Value"] for entry in found} == {
        "PartialResultsDropped": 5,
        "OrphanedResultsFlushed": 1,
        "TranscribeFallbackTriggered": 1,
    }
    assert put_metrics([], CaptionCounts(partials=7, duplicates=1)) == [], "all counts are zero"


def test_the_call_matches_botocores_model_of_the_service() -> None:
    client = boto3.client("cloudwatch", "us-east-1", aws_access_key_id="x", aws_secret_access_key="x")
    with Stubber(client) as stub:
        stub.add_response("put_metric_data", {})
        UtteranceMetrics(client, "processor").put(
            [1, 2, 2], [CaptionCounts(dropped=1, orphans=1, fallback="no_stability")]
        )
        stub.assert_no_pending_responses()

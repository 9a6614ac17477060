"""Tests of the metrics of one attempt, which are put in one call within the limits of PutMetricData."""

from typing import Any

from handlers.transcription.audio_processor.captions import CaptionCounts
from handlers.transcription.audio_processor.metrics import UtteranceMetrics
from tests.handlers.transcription.router_harness import CloudWatch


def put_metrics(latencies_ms: list[int], *, is_fallback: bool = False, **counts: Any) -> list[dict[str, Any]]:
    """Put the metrics of an attempt, and return them as CloudWatch receives them."""
    cloudwatch: Any = CloudWatch()
    UtteranceMetrics(cloudwatch, "processor").put(latencies_ms, CaptionCounts(**counts), is_fallback=is_fallback)
    return [datum for call in cloudwatch.calls for datum in call["MetricData"]]


def test_equal_latencies_are_one_value_with_a_count() -> None:
    [latency] = put_metrics([70, 30, 70])
    assert (latency["Values"], latency["Counts"], latency["Unit"]) == ([70.0, 30.0], [2.0, 1.0], "Milliseconds")


def test_metrics_of_zero_are_not_put() -> None:
    metrics = put_metrics([], dropped=5, orphans=1, is_fallback=True)
    assert {metric["MetricName"]: metric["Value"] for metric in metrics} == {
        "PartialResultsDropped": 5,
        "OrphanedResultsFlushed": 1,
        "TranscribeFallbackTriggered": 1,
    }
    assert put_metrics([], partials=7, duplicates=1) == []

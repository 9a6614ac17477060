"""CloudWatch metrics of one attempt to transcribe an utterance. All are put in one call at the end."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from handlers.transcription.audio_processor.captions import CaptionCounts
from handlers.transcription.environment import (
    DROPPED_METRIC,
    FALLBACK_METRIC,
    LATENCY_METRIC,
    METRICS_NAMESPACE,
    ORPHANS_METRIC,
)

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient

MAX_VALUES = 150
"""Maximum number of different values in one metric datum, as CloudWatch limits it."""


class UtteranceMetrics:
    """Client that sends the metrics of one attempt to caption an utterance to CloudWatch."""

    def __init__(self, client: "CloudWatchClient", function_name: str) -> None:
        self._client = client
        self._dimensions = [{"Name": "FunctionName", "Value": function_name}]

    def put(self, latencies_ms: Sequence[int], counts: CaptionCounts, *, is_fallback: bool) -> None:
        """Put the metrics that are not zero. Make no call if all are zero.

        A latency is the time from the end of a caption's speech, as it was accepted, to the caption. `counts` explains
        dropped and orphaned results. `is_fallback` is True if partial captions were given up, or the stream broke.
        """
        data = [self._latency_datum(latencies_ms)] if latencies_ms else []
        for name, value in (
            (DROPPED_METRIC, counts.dropped),
            (ORPHANS_METRIC, counts.orphans),
            (FALLBACK_METRIC, int(is_fallback)),
        ):
            if value:
                data.append({"MetricName": name, "Dimensions": self._dimensions, "Value": value, "Unit": "Count"})
        if data:
            self._client.put_metric_data(Namespace=METRICS_NAMESPACE, MetricData=data)  # type: ignore[arg-type]

    def _latency_datum(self, latencies_ms: Sequence[int]) -> dict[str, Any]:
        # If there are too many values, only the highest are put, because the alarm watches high latencies.
        values = sorted(Counter(latencies_ms).items())[-MAX_VALUES:]
        return {
            "MetricName": LATENCY_METRIC,
            "Dimensions": self._dimensions,
            "Values": [float(value) for value, _ in values],
            "Counts": [float(count) for _, count in values],
            "Unit": "Milliseconds",
        }

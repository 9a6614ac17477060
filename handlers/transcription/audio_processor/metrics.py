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
        data: list[dict[str, Any]] = []
        if latencies_ms:
            values = Counter(latencies_ms)
            counts_by_value = {"Values": [*map(float, values)], "Counts": [*map(float, values.values())]}
            data.append({"MetricName": LATENCY_METRIC, **counts_by_value, "Unit": "Milliseconds"})
        for name, value in (
            (DROPPED_METRIC, counts.dropped),
            (ORPHANS_METRIC, counts.orphans),
            (FALLBACK_METRIC, int(is_fallback)),
        ):
            if value:
                data.append({"MetricName": name, "Value": value, "Unit": "Count"})
        if data:
            metric_data: Any = [{**datum, "Dimensions": self._dimensions} for datum in data]
            self._client.put_metric_data(Namespace=METRICS_NAMESPACE, MetricData=metric_data)

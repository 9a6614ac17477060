"""The numbers of one invocation, in one call, after the client has its answer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from handlers.transcription.audio_processor.captions.caption_rules import CaptionCounts
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
"""Different values that one datum takes."""


class UtteranceMetrics:
    """What CloudWatch is told."""

    def __init__(self, client: "CloudWatchClient", function_name: str) -> None:
        self._client = client
        self._dimensions = [{"Name": "FunctionName", "Value": function_name}]

    def put(self, latencies_ms: Sequence[int], counts: Iterable[CaptionCounts]) -> None:
        """Sends what there is to say; nothing is sent where nothing happened."""
        known = list(counts)
        data = [self._distribution(latencies_ms)] if latencies_ms else []
        for name, value in (
            (DROPPED_METRIC, sum(one.dropped for one in known)),
            (ORPHANS_METRIC, sum(one.orphans for one in known)),
            # Where nobody wanted partials, a stream that fails is no less a failure of Transcribe's.
            (FALLBACK_METRIC, int(any(one.fallback is not None or one.failed for one in known))),
        ):
            if value:
                data.append({"MetricName": name, "Dimensions": self._dimensions, "Value": value, "Unit": "Count"})
        if data:
            self._client.put_metric_data(Namespace=METRICS_NAMESPACE, MetricData=data)  # type: ignore[arg-type]

    def _distribution(self, latencies_ms: Sequence[int]) -> dict[str, Any]:
        values = sorted(Counter(latencies_ms).items())[-MAX_VALUES:]  # of too many, the slow ones matter
        return {
            "MetricName": LATENCY_METRIC,
            "Dimensions": self._dimensions,
            "Values": [float(value) for value, _ in values],
            "Counts": [float(count) for _, count in values],
            "Unit": "Milliseconds",
        }

"""CloudWatch metrics of the meetings backend, all in one namespace."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from handlers.common.logging import EventLog

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef

NAMESPACE: Final = "Polyphony/Meetings"
PROCESSING_DURATION: Final = "ProcessingDuration"
"""Seconds from the last upload of a recording until the meeting is ready."""
INPUT_TOKENS: Final = "SummaryInputTokens"
"""Tokens that the models read for one meeting's summary and action items."""
OUTPUT_TOKENS: Final = "SummaryOutputTokens"
"""Tokens that the models wrote for them."""
STORAGE_GROWTH: Final = "StorageGrowth"
"""Bytes per day by which a user's storage grew. The total of all users has only the stack as dimension."""
FFMPEG_RATIO: Final = "FfmpegRatio"
"""Seconds of ffmpeg's work per second of recording."""
STACK: Final = "Stack"
"""Dimension of all metrics."""
USER: Final = "User"
"""Second dimension of a user's `StorageGrowth`."""


@dataclass(frozen=True)
class MeetingMetric:
    """One value of a metric."""

    name: str
    value: float
    unit: Literal["Seconds", "Count", "Bytes", "None"]
    user: str | None = None
    """The user's pseudonym in S3 keys, `others` for all users without their own metric, or None for the whole stack."""


class MeetingMetrics:
    """Sends metric values to CloudWatch."""

    def __init__(self, client: "CloudWatchClient", stack: str) -> None:
        self._client = client
        self._stack = stack

    def put(self, metrics: Sequence[MeetingMetric]) -> None:
        """Send up to a thousand values in one call."""
        if not metrics:
            return
        self._client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": metric.name,
                    "Value": metric.value,
                    "Unit": metric.unit,
                    "Dimensions": self._dimensions(metric.user),
                }
                for metric in metrics
            ],
        )

    def put_or_log(self, metrics: Sequence[MeetingMetric], event_log: EventLog) -> None:
        """Send values; log a failure instead of raising it, because the measured work is done."""
        try:
            self.put(metrics)
        except Exception as error:  # noqa: BLE001 - the caller must not repeat work that is done
            event_log.error("metrics_lost", error_type=type(error).__name__)

    def _dimensions(self, user: str | None) -> "list[DimensionTypeDef]":
        stack: DimensionTypeDef = {"Name": STACK, "Value": self._stack}
        return [stack] if user is None else [stack, {"Name": USER, "Value": user}]

"""CloudWatch metrics of the meetings backend: their names, and the gateway that sends them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from handlers.common.logging import EventLog

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef

NAMESPACE: Final = "Polyphony/Meetings"
PROCESSING_DURATION: Final = "ProcessingDuration"
"""Seconds from the upload of a recording's last object until the meeting is ready."""
INPUT_TOKENS: Final = "SummaryInputTokens"
"""Tokens that the models read for one meeting's summary and action items."""
OUTPUT_TOKENS: Final = "SummaryOutputTokens"
"""Tokens that the models wrote for one meeting's summary and action items."""
STORAGE_GROWTH: Final = "StorageGrowth"
"""Bytes that were written on the day before and never expire: of one user or of `others` (with the dimension `User`), or
of all users (without it).
"""
FFMPEG_RATIO: Final = "FfmpegRatio"
"""Seconds during which the media job ran ffmpeg, per second of the recording."""
STACK: Final = "Stack"
"""Dimension of all metrics: the name of the stack."""
USER: Final = "User"
"""Second dimension of `StorageGrowth`."""


@dataclass(frozen=True)
class MeetingMetric:
    """One value of a metric."""

    name: str
    value: float
    unit: Literal["Seconds", "Count", "Bytes", "None"]
    user: str | None = None
    """Value of the dimension `User`: the pseudonym that names the user in S3 keys, or `others`. Only the users whose data
    grew most have a value of their own, and `others` is the sum of the rest. None for a metric without this dimension.
    """


@dataclass(frozen=True)
class MeetingMetrics:
    """Sends metric values to CloudWatch."""

    client: "CloudWatchClient"
    stack: str

    def put(self, metrics: Sequence[MeetingMetric]) -> None:
        """Send the values in one call. PutMetricData refuses more than a thousand."""
        if not metrics:
            return
        stack: DimensionTypeDef = {"Name": STACK, "Value": self.stack}
        self.client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": metric.name,
                    "Value": metric.value,
                    "Unit": metric.unit,
                    "Dimensions": [stack] if metric.user is None else [stack, {"Name": USER, "Value": metric.user}],
                }
                for metric in metrics
            ],
        )

    def put_or_log(self, metrics: Sequence[MeetingMetric], event_log: EventLog) -> None:
        """Send values. A failure is only logged, because the caller must not repeat the work that it has measured."""
        try:
            self.put(metrics)
        except Exception as error:  # noqa: BLE001 - see the docstring
            event_log.failure("metrics_lost", error)

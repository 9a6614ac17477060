"""The four numbers that meetings tell CloudWatch, all in one namespace, each in one call."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from handlers.common.logging import EventLog

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef

NAMESPACE: Final = "Polyphony/Meetings"
PROCESSING_DURATION: Final = "ProcessingDuration"
"""Seconds from the whole recording to all that comes of it: a summary, if anything was said."""
INPUT_TOKENS: Final = "SummaryInputTokens"
OUTPUT_TOKENS: Final = "SummaryOutputTokens"
"""Of one meeting's summary, each."""
STORAGE_GROWTH: Final = "StorageGrowth"
"""Bytes that a user has more than the day before; and all of them together, by stack alone."""
FFMPEG_RATIO: Final = "FfmpegRatio"
"""Seconds that ffmpeg worked for a second of recording."""
STACK: Final = "Stack"
USER: Final = "User"


@dataclass(frozen=True)
class MeetingMetric:
    """One number."""

    name: str
    value: float
    unit: Literal["Seconds", "Count", "Bytes", "None"]
    user: str | None = None
    """The user whose it is, in the form that nobody can be found by."""


class MeetingMetrics:
    """What CloudWatch is told."""

    def __init__(self, client: "CloudWatchClient", stack: str) -> None:
        self._client = client
        self._stack = stack

    def put(self, measures: Sequence[MeetingMetric]) -> None:
        """Sends up to a thousand numbers."""
        if not measures:
            return
        self._client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {
                    "MetricName": measure.name,
                    "Value": measure.value,
                    "Unit": measure.unit,
                    "Dimensions": self._dimensions(measure.user),
                }
                for measure in measures
            ],
        )

    def put_or_log(self, measures: Sequence[MeetingMetric], event_log: EventLog) -> None:
        """Send numbers; log a failure, because the work that the numbers describe is done."""
        try:
            self.put(measures)
        except Exception as error:  # noqa: BLE001 - the caller must not repeat what is done
            event_log.error("metrics_lost", error_type=type(error).__name__)

    def _dimensions(self, user: str | None) -> "list[DimensionTypeDef]":
        stack: DimensionTypeDef = {"Name": STACK, "Value": self._stack}
        return [stack] if user is None else [stack, {"Name": USER, "Value": user}]

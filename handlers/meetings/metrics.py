"""CloudWatch metrics of the meetings backend: their names, and the gateway that sends them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from handlers.common.logging import EventLog

if TYPE_CHECKING:
    from types_boto3_cloudwatch.client import CloudWatchClient
    from types_boto3_cloudwatch.literals import StandardUnitType
    from types_boto3_cloudwatch.type_defs import DimensionTypeDef

NAMESPACE: Final = "Polyphony/Meetings"
PROCESSING_DURATION: Final = "ProcessingDuration"
"""Seconds from the upload of a recording's last object until the meeting is ready."""
INPUT_TOKENS: Final = "SummaryInputTokens"
"""Tokens that the models read for one meeting's summary and action items."""
OUTPUT_TOKENS: Final = "SummaryOutputTokens"
"""Tokens that the models wrote for one meeting's summary and action items."""
STORAGE_GROWTH: Final = "StorageGrowth"
"""Bytes that were written on the day before and never expire."""
FFMPEG_RATIO: Final = "FfmpegRatio"
"""Seconds during which the media job ran ffmpeg, per second of the recording."""
STACK: Final = "Stack"
"""Dimension of all metrics: the name of the stack."""
USER: Final = "User"
"""Second dimension of `StorageGrowth`: the pseudonym that names the user in S3 keys, or `others` for all users without a
value of their own.
"""
_UNITS: Final[Mapping[str, "StandardUnitType"]] = {
    PROCESSING_DURATION: "Seconds",
    INPUT_TOKENS: "Count",
    OUTPUT_TOKENS: "Count",
    STORAGE_GROWTH: "Bytes",
    FFMPEG_RATIO: "None",
}


@dataclass(frozen=True)
class MeetingMetrics:
    """Sends metric values to CloudWatch."""

    client: "CloudWatchClient"
    stack: str

    def put(self, name: str, value: float, by_user: Mapping[str, float] | None = None) -> None:
        """Send the value of the whole stack and the values of single users in one call, which may have 1,000 values."""
        stack: DimensionTypeDef = {"Name": STACK, "Value": self.stack}
        values: list[tuple[float, list[DimensionTypeDef]]] = [(value, [stack])]
        values += [(of_user, [stack, {"Name": USER, "Value": user}]) for user, of_user in (by_user or {}).items()]
        self.client.put_metric_data(
            Namespace=NAMESPACE,
            MetricData=[
                {"MetricName": name, "Value": number, "Unit": _UNITS[name], "Dimensions": dimensions}
                for number, dimensions in values
            ],
        )

    def put_or_log(self, name: str, value: float, event_log: EventLog) -> None:
        """Send a value. A failure is only logged, because the caller must not repeat the work that it has measured."""
        try:
            self.put(name, value)
        except Exception as error:  # noqa: BLE001 - see the docstring
            event_log.failure("metrics_lost", error)

"""Resources of the livestream backend: episodes with their videos, transcripts, fact claims and clips."""

from components.livestream.livestream import Livestream, LivestreamArgs
from components.livestream.usage_estimate import monthly_usage

__all__ = ["Livestream", "LivestreamArgs", "monthly_usage"]

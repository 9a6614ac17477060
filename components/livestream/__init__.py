"""Episodes of livestreams: what they are, their videos, and what is claimed in them."""

from components.livestream.livestream import Livestream, LivestreamArgs
from components.livestream.usage import monthly_usage

__all__ = ["Livestream", "LivestreamArgs", "monthly_usage"]

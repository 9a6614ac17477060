"""Resources of the meetings backend, which makes a video, a transcript and a summary of every recording."""

from components.meetings.meetings import Meetings, MeetingsArgs
from components.meetings.usage_estimate import monthly_usage

__all__ = ["Meetings", "MeetingsArgs", "monthly_usage"]

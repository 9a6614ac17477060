"""Recordings of meetings: put together, transcribed, summarised, and read by who recorded them."""

from components.meetings.meetings import Meetings, MeetingsArgs
from components.meetings.usage import monthly_usage

__all__ = ["Meetings", "MeetingsArgs", "monthly_usage"]

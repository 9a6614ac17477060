"""Meetings backend: makes a video, a transcript and a summary of every recording, for the user who recorded it."""

from components.meetings.meetings import Meetings, MeetingsArgs
from components.meetings.usage import monthly_usage

__all__ = ["Meetings", "MeetingsArgs", "monthly_usage"]

"""Environment variables of the function `start`, which processes S3 events of uploaded objects."""

from handlers.meetings.environment import MeetingsEnvironment


class StartEnvironment(MeetingsEnvironment):
    """Variables of the function `start`: only those that it shares with other functions."""

"""Environment variables of the function that starts the processing of recordings."""

from handlers.meetings.environment import MeetingsEnvironment


class StartEnvironment(MeetingsEnvironment):
    """The shared variables. The function has no others."""

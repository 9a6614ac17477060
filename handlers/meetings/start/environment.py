"""Environment variables of the function that starts the processing of recordings."""

from handlers.meetings.environment import MeetingsEnvironment


class StartEnvironment(MeetingsEnvironment):
    """Currently exactly the shared variables."""

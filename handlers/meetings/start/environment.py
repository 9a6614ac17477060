"""What the function that starts the work on recordings reads from its environment."""

from handlers.meetings.environment import MeetingsEnvironment


class StartEnvironment(MeetingsEnvironment):
    """The function's own."""

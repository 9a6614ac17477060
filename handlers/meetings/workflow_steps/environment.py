"""What the workflow's own steps read from their environment.

The workflow is the one that calls them: a recording whose chunks came meanwhile is started anew.
"""

from handlers.meetings.environment import MeetingsEnvironment


class StepsEnvironment(MeetingsEnvironment):
    """The function's own."""

    stack: str
    """The dimension of the metrics."""

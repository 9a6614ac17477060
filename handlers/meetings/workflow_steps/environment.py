"""Environment variables of the workflow's own steps.

The workflow calls this function, and the function also starts executions: a recording whose missing chunks arrived
during the media job is started again.
"""

from handlers.meetings.environment import MeetingsEnvironment


class MeetingStepsEnvironment(MeetingsEnvironment):
    stack: str
    """Dimension of the metrics."""

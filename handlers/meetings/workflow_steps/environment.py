"""Environment variables of the function `steps`, which runs the steps of the workflow.

The function knows the state machine, because it also starts executions. It starts a recording again whose missing chunks
arrived during the media job.
"""

from handlers.meetings.environment import MeetingsEnvironment


class MeetingStepsEnvironment(MeetingsEnvironment):
    stack: str
    """Dimension of the metrics."""

"""Environment variables of the function `steps`, which runs the steps of the workflow.

The function knows the state machine, because it also starts executions: if missing chunks of a recording arrived during
its media job, the function starts the recording's next execution.
"""

from handlers.meetings.environment import MeetingsEnvironment


class MeetingStepsEnvironment(MeetingsEnvironment):
    stack: str
    """Dimension of the metrics."""

"""Environment variables of the function `steps`, with which the workflow writes its progress to a meeting's record.

The variables name the workflow's state machine, because the function also starts executions. It does so if chunks
(files of a recording) that the media job reported as missing have arrived since.
"""

from handlers.meetings.environment import MeetingsEnvironment


class MeetingStepsEnvironment(MeetingsEnvironment):
    stack: str
    """Name of the stack, which is a dimension of the metrics."""

"""What the count of storage reads from its environment; a deployment's settings share the ranges."""

from typing import Annotated

from pydantic import Field

from handlers.meetings.environment import MeetingsEnvironment

MaxUsers = Annotated[int, Field(ge=0, le=500)]
"""Each is a metric that is paid for; CloudWatch takes a thousand at once."""
CountSeconds = Annotated[int, Field(ge=1, le=870)]


class StorageEnvironment(MeetingsEnvironment):
    """The function's own."""

    stack: str
    """The dimension of the metrics."""
    max_users: MaxUsers = 20
    """Users who have a metric of their own: those that grew most. The others are one together."""
    count_seconds: CountSeconds = 840
    """After which a count is given up."""

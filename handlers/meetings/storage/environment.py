"""Environment variables of the daily storage count, and the types of their values, which the stack's settings use too."""

from typing import Annotated

from pydantic import Field

from handlers.meetings.environment import MeetingsEnvironment

MaxUsers = Annotated[int, Field(ge=0, le=500)]
"""Number of users with a metric of their own, which costs money. CloudWatch accepts a thousand values per call."""
CountSeconds = Annotated[int, Field(ge=1, le=870)]
"""The maximum leaves 30 of the 900 seconds that a Lambda function may run."""


class StorageEnvironment(MeetingsEnvironment):
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    max_users: MaxUsers = 20
    """Number of users with a metric of their own: those whose storage grew most. All others share one metric."""
    count_seconds: CountSeconds = 840
    """Time for the listing, and then for uploads whose event was lost. If the listing takes longer, the count fails."""

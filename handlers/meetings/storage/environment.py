"""Environment variables of the daily storage count, and the types of their values, which the stack's settings use too."""

from typing import Annotated

from pydantic import Field

from handlers.meetings.environment import MeetingsEnvironment

MaxUsers = Annotated[int, Field(ge=0, le=500)]
"""Maximum number of users with a metric of their own. Each such metric costs money. All values are sent in one call, in
which CloudWatch accepts a thousand.
"""
CountSeconds = Annotated[int, Field(ge=1, le=870)]
"""The maximum leaves 30 of the 900 seconds that a Lambda function can run."""


class StorageEnvironment(MeetingsEnvironment):
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    max_users: MaxUsers = 20
    """Maximum number of users with a metric of their own: those whose storage grew most. All others share a metric."""
    count_seconds: CountSeconds = 840
    """Time for the listing and, after it, for processing the uploads whose event was lost. If the listing alone takes
    longer, the count fails.
    """

"""Environment variables of the daily storage count, and the types of their values, which the stack's settings use too."""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

MaxUsers = Annotated[int, Field(ge=0, le=500)]
"""Maximum number of users with a metric of their own. Each such metric costs money. All values are sent in one call, in
which CloudWatch accepts a thousand.
"""
CountSeconds = Annotated[int, Field(ge=1, le=870)]
"""The maximum leaves 30 of the 900 seconds that a Lambda function can run."""


class StorageEnvironment(HandlerEnvironment):
    bucket_name: str
    stack: str
    """Name of the stack, which is a dimension of the metrics."""
    max_users: MaxUsers = 20
    """Maximum number of users with a metric of their own: those whose storage grew most. All others share a metric."""
    count_seconds: CountSeconds = 840
    """Time for the listing. If it takes longer, the count fails."""

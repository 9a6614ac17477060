"""What the function that has videos cut reads from its environment; a deployment's settings share the range."""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

ChunkSeconds = Annotated[int, Field(ge=1, le=3600)]
MaxHours = Annotated[int, Field(ge=1, le=11)]
"""MediaConvert takes clips of less than 12 hours."""


class VideoEnvironment(HandlerEnvironment):
    """The function's own."""

    table_name: str
    bucket_name: str
    event_source: str
    """Under which it tells the bus that a video is there."""
    mediaconvert_role_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
    chunk_seconds: ChunkSeconds = 120
    max_hours: MaxHours | None = None
    """How long a video may be."""

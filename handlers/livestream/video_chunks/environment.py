"""Environment of the function `video-chunks`, which lets MediaConvert cut uploaded videos into chunks.

The stack settings use the range `ChunkSeconds` of this module, too.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

ChunkSeconds = Annotated[int, Field(ge=1, le=3600)]


class VideoEnvironment(HandlerEnvironment):
    table_name: str
    bucket_name: str
    event_source: str
    """Source of the event that announces a complete video upload."""
    mediaconvert_role_arn: Annotated[str, Field(pattern=r"^arn:aws[a-z-]*:iam::\d{12}:role/.+$")]
    chunk_seconds: ChunkSeconds = 120

"""Names of the events that livestream tells the default bus, and of those that it hears there. Pure."""

from typing import Final

SOURCE_SUFFIX: Final = ".livestream"
"""How the source of what livestream tells ends: it begins with the stack's name, because stacks may share a bus."""
EPISODE_DELETED: Final = "Episode Deleted"
UPLOAD_COMPLETED: Final = "Video Upload Completed"
MEDIACONVERT: Final = "aws.mediaconvert"
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"


def is_livestream_source(source: str) -> bool:
    """Whether a livestream tells it. Rules let in this stack's alone."""
    return source.endswith(SOURCE_SUFFIX)

"""Names of the events that livestream publishes on the default bus, and of those that it receives from MediaConvert."""

from typing import Final

SOURCE_SUFFIX: Final = ".livestream"
"""End of the source of livestream's own events. The source begins with the name of the stack, because several stacks
may use the same bus."""
EPISODE_DELETED: Final = "Episode Deleted"
"""Detail type of the event that starts the cleanup of a deleted episode."""
UPLOAD_COMPLETED: Final = "Video Upload Completed"
"""Detail type of the event that makes livestream cut the uploaded video into chunks."""
MEDIACONVERT: Final = "aws.mediaconvert"
"""Source of MediaConvert's events."""
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"
"""Detail type of MediaConvert's events about jobs."""


def is_livestream_source(source: str) -> bool:
    """Return True if the source is that of a livestream backend.

    The stack need not be checked, because the event rules only pass on events of this stack.
    """
    return source.endswith(SOURCE_SUFFIX)

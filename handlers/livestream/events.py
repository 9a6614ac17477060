"""Names of the EventBridge events that livestream publishes and receives on the default bus."""

from typing import Final

SOURCE_SUFFIX: Final = ".livestream"
"""End of the source of livestream's own events. The source begins with the name of the stack, because several stacks
may use the same bus."""
UPLOAD_COMPLETED: Final = "Video Upload Completed"
"""Detail type of the event that makes livestream cut the uploaded video into chunks."""
MEDIACONVERT: Final = "aws.mediaconvert"
"""Source of MediaConvert's events."""
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"
"""Detail type of MediaConvert's events about jobs."""

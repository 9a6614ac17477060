"""Names of the events that livestream tells the default bus, and of those that it hears there. Pure."""

from typing import Final

SOURCE: Final = "polyphony.livestream"
"""Of what livestream tells."""
EPISODE_DELETED: Final = "Episode Deleted"
UPLOAD_COMPLETED: Final = "Video Upload Completed"
MEDIACONVERT: Final = "aws.mediaconvert"
JOB_STATE_CHANGE: Final = "MediaConvert Job State Change"

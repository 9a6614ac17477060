"""Environment variables of the media job, and the numbers that the stack's settings use too.

The media job is an AWS Batch job that joins the files of a recording to a video, and extracts the audio. The job
definition sets the variables of `MediaDeployment`. Each job submission adds the variables that name its recording.
"""

from typing import Final

from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import Ulid, UserId
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording

RECORDING_VARIABLES: Final = ("MEETING_USER", "MEETING_ID", "CONTENT")
"""Variables that each job submission sets. `MediaEnvironment` declares them in lower case."""
AUDIO_PART_SECONDS: Final = 13_800
"""Maximum duration of a part of the audio: ten minutes less than the four hours that an Amazon Transcribe job accepts."""
ENCODE_THREADS: Final = 2
"""Number of threads with which ffmpeg encodes video: the number of processors that the operating system of a Fargate task
with one vCPU reports.
"""


class MediaDeployment(HandlerEnvironment):
    """Variables that are the same for every job."""

    bucket_name: str
    scratch_mb: int
    """Maximum disk space of a job in megabytes. A job needs about twice the size of its recording."""
    max_hours: int
    """Maximum duration of a recording."""
    scratch_folder: str = "/scratch"
    """Folder for downloaded chunks and output. The job deletes its files when it ends."""
    ffmpeg: str = "/usr/bin/ffmpeg"


class MediaEnvironment(MediaDeployment):
    """All variables of a job."""

    meeting_user: UserId
    meeting_id: Ulid
    content: ContentHash

    @property
    def recording(self) -> Recording:
        return Recording(MeetingId(self.meeting_user, self.meeting_id), self.content)

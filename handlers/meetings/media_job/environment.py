"""Environment variables of the media job, and the types of their values, which the stack's settings use too.

The media job is an AWS Batch job that joins the files of a recording to a video, and extracts the audio. The job
definition sets the variables of `MediaDeployment`. Each job submission adds the variables that name its recording.
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import Ulid, UserId
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording

RECORDING_VARIABLES: Final = ("MEETING_USER", "MEETING_ID", "CONTENT")
"""Variables that each job submission sets. `MediaEnvironment` declares them in lower case."""

ScratchMegabytes = Annotated[int, Field(ge=64, le=200_000)]
"""Disk space of a job. A Fargate task has 20 GiB by default, including the image, and at most 200 GiB."""
AUDIO_PART_SECONDS: Final = 13_800
"""Default maximum duration of a part of the audio: ten minutes less than the four hours that an Amazon Transcribe job
accepts.
"""
AudioPartSeconds = Annotated[int, Field(ge=60, le=14_340)]
"""An Amazon Transcribe job accepts four hours and 2 GB. Four hours of 16-kHz mono take at most 0.46 GB."""
MaxHours = Annotated[int, Field(ge=1, le=24)]
EncodeThreads = Annotated[int, Field(ge=1, le=16)]
ENCODE_THREADS: Final = 2
"""Default number of threads: the number of processors that the operating system of a Fargate task with one vCPU
reports.
"""


class MediaDeployment(HandlerEnvironment):
    """Variables that are the same for every job."""

    bucket_name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    scratch_mb: ScratchMegabytes
    """Maximum disk space of a job in megabytes. A job needs about twice the size of its recording."""
    audio_part_seconds: AudioPartSeconds = AUDIO_PART_SECONDS
    """Maximum duration of a part of the audio, which one job of Amazon Transcribe transcribes."""
    max_hours: MaxHours
    """Maximum duration of a recording."""
    encode_threads: EncodeThreads = ENCODE_THREADS
    """Number of threads with which ffmpeg encodes video."""
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

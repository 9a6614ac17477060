"""What the media job reads from its environment, and the ranges that a deployment's settings share with it.

Two models, because two set it: the job's definition says once for a deployment what there is (`MediaDeployment`), and
whoever submits a job says which recording it is about (`ABOUT`). Both are parsed alike: a job may be submitted by hand.
"""

from typing import Annotated, Final

from pydantic import Field, StringConstraints

from handlers.common.environment import HandlerEnvironment
from handlers.common.name_patterns import Ulid, User
from handlers.meetings.s3_keys import Content, MeetingId, Recording

RECORDING_VARIABLES: Final = ("MEETING_USER", "MEETING_ID", "CONTENT")
"""The variables that each job sets for itself."""

ScratchMegabytes = Annotated[int, Field(ge=64, le=200_000)]
"""A Fargate task has 20 GiB of disk, the image among them, unless it is given up to 200."""
AUDIO_PART_SECONDS: Final = 13_800
AudioPartSeconds = Annotated[int, Field(ge=60, le=14_340)]
"""Amazon Transcribe takes four hours and 2 GB. Of 16-kHz mono, four hours are 0.46 GB even where nothing gets smaller."""
PieceSeconds = Annotated[int, Field(ge=1, le=3_600)]
MaxHours = Annotated[int, Field(ge=1, le=24)]
EncodeThreads = Annotated[int, Field(ge=1, le=16)]
ENCODE_THREADS: Final = 2
"""Fargate shows two processors to a task of one."""


class MediaDeployment(HandlerEnvironment):
    """The same for every job."""

    bucket_name: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    scratch_mb: ScratchMegabytes = 16_000
    """What a job may have on its disk at once: about twice the recording."""
    audio_part_seconds: AudioPartSeconds = AUDIO_PART_SECONDS
    """The longest part of the sound."""
    piece_seconds: PieceSeconds = 300
    """What is encoded and kept at once: an interruption costs so much of the recording at most."""
    max_hours: MaxHours = 12
    """The longest recording."""
    encode_threads: EncodeThreads = ENCODE_THREADS
    scratch_folder: str = "/scratch"
    ffmpeg: str = "/usr/bin/ffmpeg"


class MediaEnvironment(MediaDeployment):
    """One job's."""

    meeting_user: User
    meeting_id: Ulid
    content: Content

    @property
    def recording(self) -> Recording:
        """What it is about."""
        return Recording(MeetingId(self.meeting_user, self.meeting_id), self.content)

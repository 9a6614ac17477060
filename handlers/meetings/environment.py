"""Environment variables of the meetings functions and the media job, and numbers that the stack's settings use too.

`stack` is the name of the stack, which is a dimension of the metrics.

The media job is an AWS Batch job that joins the files of a recording to a video, and extracts the audio. The job
definition sets the variables of `MediaDeployment`. Each job submission adds the variables that name its recording.
"""

from typing import Final

from handlers.common.environment import HandlerEnvironment
from handlers.common.ids import ModelId, Ulid, UserId
from handlers.meetings.s3_keys import ContentHash, MeetingId, Recording

CREDENTIAL_SECONDS: Final = 3600
"""Validity of the credentials that clients receive. The function's role assumes the role of the clients. STS calls this role
chaining, and limits the credentials to an hour.
"""
RENEW_BEFORE_SECONDS: Final = 900
"""Time before the expiration of credentials at which clients should request new credentials."""
RECORDING_VARIABLES: Final = ("MEETING_USER", "MEETING_ID", "CONTENT")
"""Variables that each job submission sets. `MediaEnvironment` declares them in lower case."""
AUDIO_PART_SECONDS: Final = 13_800
"""Maximum duration of a part of the audio: ten minutes less than the four hours that an Amazon Transcribe job accepts."""
ENCODE_THREADS: Final = 2
"""Number of threads with which ffmpeg encodes video: the number of processors that the operating system of a Fargate task
with one vCPU reports.
"""


class StartEnvironment(HandlerEnvironment):
    """Variables of the function `start`, which processes upload events."""

    table_name: str
    bucket_name: str
    state_machine_arn: str


class StepsEnvironment(HandlerEnvironment):
    """Variables of the function `steps`, with which the workflow writes its progress to a meeting's record."""

    table_name: str
    bucket_name: str
    stack: str


class StorageEnvironment(HandlerEnvironment):
    """Variables of the function `storage`, which measures the growth of storage once a day."""

    bucket_name: str
    stack: str
    max_users: int
    """Maximum number of users with a metric of their own: those whose storage grew most. All others share a metric."""


class MeetingCleanupEnvironment(HandlerEnvironment):
    """Variables of the function `meeting-cleanup`, which removes the data of deleted meetings."""

    table_name: str
    bucket_name: str
    state_machine_arn: str
    deletions_queue_url: str


class AuthEnvironment(HandlerEnvironment):
    """Variables of the function `auth-exchange`, which implements the meetings API."""

    issuer: str
    """Value that the claim `iss` of a token must have."""
    audience: str
    """Value that the claim `aud` of a token must contain."""
    jwks_url: str | None = None
    """URL of the identity provider's public keys (JWKS). Only a stack for the local platform leaves it out: the
    platform then adds the variable, with the URL of the local identity provider.
    """
    client_role: str
    """ARN of the role whose credentials clients receive."""
    bucket_name: str
    table_name: str
    deletions_queue_url: str
    """Queue of the function `meeting-cleanup`, for deleted meetings."""
    origin: str
    """Web origin whose pages may read the responses (CORS)."""


class SummaryEnvironment(HandlerEnvironment):
    """Variables of the function `bedrock-summarize`."""

    bucket_name: str
    stack: str
    summary_model_id: ModelId
    action_model_id: ModelId
    """Id of the model that finds action items. Before choosing Haiku, compare it with Sonnet by
    `operations/compare_models.py`.
    """
    max_output_tokens: int
    """Limit for one answer. Tokens of the model's thinking do not count, because each request allows further tokens for
    them.
    """
    answer_seconds: int
    """Timeout for one answer."""
    part_characters: int
    """Maximum length of a window, which is a section of the transcript for one request."""
    at_once: int
    """Number of windows that are processed concurrently. All meetings share the account's quota of the model."""


class MediaDeployment(HandlerEnvironment):
    """Variables that are the same for every media job."""

    bucket_name: str
    scratch_mb: int
    """Maximum disk space of a job in megabytes. A job needs about twice the size of its recording."""
    max_hours: int
    """Maximum duration of a recording."""
    scratch_folder: str = "/scratch"
    """Folder for downloaded chunks and output. The job deletes its files when it ends."""
    ffmpeg: str = "/usr/bin/ffmpeg"


class MediaEnvironment(MediaDeployment):
    """All variables of a media job."""

    meeting_user: UserId
    meeting_id: Ulid
    content: ContentHash

    @property
    def recording(self) -> Recording:
        return Recording(MeetingId(self.meeting_user, self.meeting_id), self.content)

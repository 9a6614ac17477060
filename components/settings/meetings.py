"""Settings of meetings: expected load, token exchange, media job, transcription, models, retention and functions.

The media job joins the chunks of a recording to its video and audio.
"""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from components.settings.base import (
    FunctionSettings,
    KeyArn,
    Origin,
    Region,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from components.settings.foundation import BuiltNetwork, LargeCidr
from handlers.common.bedrock import SONNET
from handlers.common.ids import ModelId
from handlers.meetings.environment import ENCODE_THREADS

Days = Annotated[int, Field(ge=1, le=3650)]


class MeetingLoad(SettingsModel):
    """Expected load, from which the cost is computed."""

    meetings_per_month: Annotated[int, Field(ge=1)] = 60
    """Meetings of all users per month."""
    hours_each: Annotated[float, Field(gt=0)] = 1
    """Average length of a meeting in hours."""
    encoded_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Share of recordings that must be encoded again. The others are joined without encoding."""


class ExchangeSettings(SettingsModel):
    """Settings of the token exchange, which trades an identity provider's token for AWS credentials."""

    cors_origin: Origin = "*"
    """Origin of the web page that may use the exchange and the bucket. In prod it must not be `*`."""
    requests_per_second: RequestsPerSecond = 10
    """Maximum request rate of the API stage, for all callers together."""


class ProcessingEngine(StrEnum):
    """Compute on which the media job runs."""

    BATCH_SPOT = "batch-spot"
    """Fargate Spot, and Fargate on demand if AWS has no Spot capacity or interrupts the job too often."""
    FARGATE = "fargate"
    """Only Fargate on demand, with its own machine size (the setting `fargate`). This is the former configuration, for
    a rollback."""


ATTEMPTS: Final = 3
"""Maximum number of starts of a job on Fargate Spot. After an interruption, the job starts again."""


class MachineSize(SettingsModel):
    """Size of a Fargate task."""

    vcpus: Annotated[int, Field(ge=1, le=ENCODE_THREADS)]
    """Number of vCPUs. A job uses at most two."""
    memory_mb: Annotated[int, Field(ge=2048, le=16_384)]
    """Memory in MB: for each vCPU, Fargate allows 2 to 8 GB, in steps of 1 GB."""

    @model_validator(mode="after")
    def _check_memory(self) -> Self:
        smallest, largest = self.vcpus * 2048, self.vcpus * 8192
        if not smallest <= self.memory_mb <= largest or self.memory_mb % 1024:
            raise ValueError(f"Fargate has no such size: memoryMb must be {smallest} to {largest}, in steps of 1024")
        return self


class ProcessingSettings(SettingsModel):
    """Settings of the media job."""

    engine: ProcessingEngine = ProcessingEngine.BATCH_SPOT
    """Compute on which the media job runs: `batch-spot` on Fargate Spot first and then on demand, `fargate` on demand
    only."""
    spot: MachineSize = MachineSize.model_validate({"vcpus": 1, "memoryMb": 2048})
    """Size with engine `batch-spot`, on Spot and on demand."""
    fargate: MachineSize = MachineSize.model_validate({"vcpus": 2, "memoryMb": 4096})
    """Size with engine `fargate`."""
    timeout_minutes: Annotated[int, Field(ge=5, le=1_440)] = 1_440
    """Time limit of one attempt. A job that exceeds it is stopped, so the longest recording must fit."""
    capacity_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """Time that each attempt waits for Spot capacity before on-demand capacity is used."""
    poll_seconds: Annotated[int, Field(ge=5, le=600)] = 30
    """Shortest interval at which the workflow checks the status of the job, or of the transcription of a part."""
    max_vcpus: Annotated[int, Field(ge=1, le=16)] = 8
    """Maximum total of the vCPUs of all jobs of a queue that run at the same time."""
    max_hours: Annotated[int, Field(ge=1, le=24)] = 12
    """Maximum length of a recording."""
    alarm_minutes: Annotated[int, Field(ge=1)] = 180
    """Alarm threshold for the time from the complete upload to the summary (95th percentile)."""

    @property
    def size(self) -> MachineSize:
        """Size of the Fargate task for the chosen engine."""
        return self.spot if self.engine is ProcessingEngine.BATCH_SPOT else self.fargate

    @property
    def spot_seconds(self) -> int:
        """Maximum duration of a job on Fargate Spot: each attempt waits for capacity and then runs."""
        return ATTEMPTS * (self.timeout_minutes + self.capacity_minutes) * 60

    @property
    def on_demand_seconds(self) -> int:
        """Maximum duration of a job on demand: the time limit of another job of the queue, for which it may have to wait,
        and its own.
        """
        return 2 * self.timeout_minutes * 60


class MeetingNetworkSettings(BuiltNetwork):
    """Network of the media jobs: public subnets, no inbound traffic, no NAT gateway."""

    cidr: LargeCidr = "10.65.0.0/16"
    """CIDR block of the network: a /16 block. Each zone's subnet is a /24 block of it."""


class MeetingSpeechSettings(SettingsModel):
    """Settings of transcription by Amazon Transcribe."""

    max_minutes: Annotated[int, Field(ge=5, le=1_440)] = 240
    """Maximum time that the workflow waits for the transcription of one part, which is a section of a recording's
    audio."""
    at_once: Annotated[int, Field(ge=1, le=40)] = 5
    """Maximum number of parts of one recording that are transcribed at the same time."""


class ModelSettings(SettingsModel):
    """Models that write summaries and action items."""

    summary: ModelId = SONNET
    """Model for summaries: id of a model or of an inference profile."""
    action_items: ModelId = SONNET
    """Model for action items. Use a cheaper model only after it has passed `.venv/bin/python -m
    operations.compare_models`."""
    regions: Annotated[tuple[Region, ...], Field(min_length=1)] = ("us-east-1", "us-east-2", "us-west-2")
    """Regions to which an inference profile may send a request. The function gets a permission for each of them."""
    max_output_tokens: Annotated[int, Field(ge=256, le=32_000)] = 5_200
    """Maximum length of one answer of a model, not counting reasoning tokens. For Claude Sonnet 5.5, 4,000 more tokens
    are allowed."""
    answer_seconds: Annotated[int, Field(ge=10, le=600)] = 180
    """Timeout for one answer of a model."""
    part_characters: Annotated[int, Field(ge=4_000, le=400_000)] = 100_000
    """Maximum number of characters of a transcript in one request. A longer transcript is divided into windows of this
    size (not the parts of the audio). If a request has more than 100,000 tokens, Claude Haiku 5.5 bills all its tokens
    at five times their price."""
    at_once: Annotated[int, Field(ge=1, le=10)] = 3
    """Maximum number of windows of one transcript that are summarised at the same time."""


class RetentionSettings(SettingsModel):
    """Retention of a recording's objects."""

    raw_days: Days = 7
    """Days that uploaded chunks (the files of a recording) are kept."""
    audio_days: Days = 30
    """Days that the audio is kept. An operator can extract it from the video again."""
    old_version_days: Days = 1
    """Days that an overwritten, deleted or expired version is kept."""


class MeetingsSettings(SubsystemSettings):
    """Settings of meetings, which turns recordings into videos, transcripts, summaries and action items."""

    load: MeetingLoad = MeetingLoad()
    exchange: ExchangeSettings = ExchangeSettings()
    processing: ProcessingSettings = ProcessingSettings()
    network: MeetingNetworkSettings = MeetingNetworkSettings()
    speech: MeetingSpeechSettings = MeetingSpeechSettings()
    models: ModelSettings = ModelSettings()
    kept: RetentionSettings = RetentionSettings()
    table_kms_key: KeyArn | None = None
    """KMS key of the table. Set it only for a table that already uses this key. Without it, DynamoDB's own key is used,
    which is free."""
    storage_users: Annotated[int, Field(ge=0, le=500)] = 20
    """Maximum number of users that have a metric of their storage: the users whose storage grew most. Each metric costs
    money."""
    auth_exchange: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 15})
    """Function that exchanges tokens for credentials, and deletes meetings."""
    start: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """Function that receives upload events and starts the workflow."""
    steps: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 60})
    """Function behind the steps of the workflow that processes a recording."""
    bedrock_summarize: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 900})
    """Function that writes summaries and action items."""
    meeting_cleanup: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Function that removes the data of deleted meetings."""
    storage: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Function that measures the storage of each user once a day."""

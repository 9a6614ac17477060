"""Settings of meetings: expected load, token exchange, transcription, models, retention and functions.

The settings of the media job, which makes a recording's video and audio, are in `meetings_media`.
"""

from typing import Annotated

from pydantic import Field

from components.settings.meetings_media import MeetingNetworkSettings, ProcessingSettings
from components.settings.settings_base import (
    FunctionSettings,
    KeyArn,
    Origin,
    Region,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.bedrock.model_families import SONNET
from handlers.common.identifier_types import ModelId
from handlers.meetings.bedrock_summarize.environment import (
    ANSWER_SECONDS,
    MAX_OUTPUT_TOKENS,
    OVERLAP_CHARACTERS,
    AnswerSeconds,
    AtOnce,
    OutputTokens,
)
from handlers.meetings.media_job.environment import AUDIO_PART_SECONDS
from handlers.meetings.storage.environment import MaxUsers

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
    max_output_tokens: OutputTokens = MAX_OUTPUT_TOKENS
    """Maximum length of one answer of a model, not counting reasoning tokens. For models that reason, 4,000 more tokens
    are allowed."""
    answer_seconds: AnswerSeconds = ANSWER_SECONDS
    """Timeout for one answer of a model."""
    part_characters: Annotated[int, Field(ge=2 * OVERLAP_CHARACTERS, le=400_000)] = 100_000
    """Maximum number of characters of a transcript in one request. A longer transcript is divided into windows of this
    size (not the parts of the audio), which overlap by at most half. If a request has more than 100,000 tokens, Claude
    Haiku 5.5 bills all its tokens at five times their price."""
    at_once: AtOnce = 3
    """Maximum number of windows of one transcript that are summarised at the same time."""


class RetentionSettings(SettingsModel):
    """Retention of a recording's objects."""

    raw_days: Days = 7
    """Days that uploaded chunks (the files of a recording) are kept."""
    audio_days: Days = 30
    """Days that the audio is kept. An operator can extract it from the video again."""
    old_version_days: Days = 1
    """Days that an overwritten, deleted or expired version is kept."""

    @property
    def work_days(self) -> int:
        """Days that intermediate objects below `work/` are kept: a day longer than the chunks, so that a job that is
        resumed while the chunks exist still finds them.
        """
        return self.raw_days + 1


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
    storage_users: MaxUsers = 20
    """Maximum number of users that have a metric of their storage: the users whose storage grew most. Each metric costs
    money."""
    auth_exchange: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 15})
    """Function that exchanges tokens for credentials."""
    start: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """Function that receives upload events and starts the workflow."""
    steps: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 60})
    """Function behind the steps of the workflow that processes a recording."""
    bedrock_summarize: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 900})
    """Function that writes summaries and action items."""
    storage: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """Function that measures the storage of each user once a day."""

    @property
    def audio_parts(self) -> int:
        """Number of parts in which the longest recording is transcribed."""
        return -(-self.processing.max_hours * 3600 // AUDIO_PART_SECONDS)

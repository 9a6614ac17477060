"""Settings of the meetings backend: the load, the exchange, transcription, models, what is kept."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.meetings_media import MeetingNetworkSettings, ProcessingSettings
from components.settings.networks import Origin
from components.settings.settings_base import (
    FunctionSettings,
    Region,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.name_patterns import GuardrailId, GuardrailVersion, ModelId
from handlers.meetings.bedrock_summarize.environment import (
    OVERLAP_CHARACTERS,
    SONNET,
    AnswerSeconds,
    AtOnce,
    OutputTokens,
)
from handlers.meetings.media_job.environment import AUDIO_PART_SECONDS
from handlers.meetings.storage.environment import MaxUsers

Days = Annotated[int, Field(ge=1, le=3650)]
KeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$")]


class MeetingLoad(SettingsModel):
    """The load that cost follows from."""

    meetings_per_month: Annotated[int, Field(ge=1)] = 60
    hours_each: Annotated[float, Field(gt=0)] = 1
    encoded_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Of recordings that have to be encoded anew; the others are put together as they are."""


class ExchangeSettings(SettingsModel):
    """The exchange of tokens for credentials."""

    cors_origin: Origin = "*"
    """The page that may use the exchange and the bucket; prod must name it."""
    requests_per_second: RequestsPerSecond = 10
    """What the stage takes, all callers together."""
    waf_requests: Annotated[int, Field(ge=10, le=2_000_000_000)] | None = None
    """Requests of one address in five minutes, held by a web firewall ($8 a month); none has no firewall."""


class MeetingSpeechSettings(SettingsModel):
    """Amazon Transcribe."""

    max_minutes: Annotated[int, Field(ge=5, le=1_440)] = 240
    """How long one part is waited for."""
    at_once: Annotated[int, Field(ge=1, le=40)] = 5
    """Parts of one recording."""


class ModelSettings(SettingsModel):
    """Who summarises."""

    summary: ModelId = SONNET
    action_items: ModelId = SONNET
    """The cheaper one only after `python -m operations.compare_models` has passed it."""
    regions: Annotated[tuple[Region, ...], Field(min_length=1)] = ("us-east-1", "us-east-2", "us-west-2")
    """Where an inference profile may send a request: each is granted by name."""
    guardrail_id: GuardrailId | None = None
    guardrail_version: GuardrailVersion | None = None
    max_output_tokens: OutputTokens = 4_000
    answer_seconds: AnswerSeconds = 150
    part_characters: Annotated[int, Field(ge=2 * OVERLAP_CHARACTERS, le=400_000)] = 100_000
    """A transcript that has more is summarised in parts, which overlap by at most half."""
    at_once: AtOnce = 3

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrailId and guardrailVersion go together")
        return self


class RecordingSettings(SettingsModel):
    """How long things are kept."""

    raw_days: Days = 7
    """What clients upload; missing chunks are waited for as long, and two weeks at most."""
    audio_days: Days = 30
    """The sound; it can be made again from the video, by hand."""
    old_version_days: Days = 1
    """What is overwritten, deleted or expired."""

    @property
    def work_days(self) -> int:
        """The job's own notes: a job that goes on reads them while there are chunks, so they are kept a day longer."""
        return self.raw_days + 1


class MeetingsSettings(SubsystemSettings):
    """Recordings of meetings, and what was said and agreed in them."""

    load: MeetingLoad = MeetingLoad()
    exchange: ExchangeSettings = ExchangeSettings()
    processing: ProcessingSettings = ProcessingSettings()
    network: MeetingNetworkSettings = MeetingNetworkSettings()
    speech: MeetingSpeechSettings = MeetingSpeechSettings()
    models: ModelSettings = ModelSettings()
    kept: RecordingSettings = RecordingSettings()
    table_kms_key: KeyArn | None = None
    """A customer key for the table, to go back to; none uses the key that DynamoDB owns, which costs nothing."""
    storage_users: MaxUsers = 20
    """How many users have a metric of their storage, those that grew most: each is paid for."""
    requests_measured: bool = False
    """Whether the dashboard has the bucket's latency: sixteen metrics, about $5 a month."""
    auth_exchange: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 15})
    """The function that gives credentials for tokens."""
    start: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """The function that hears of uploads."""
    steps: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 60})
    """The function behind the workflow's own steps."""
    bedrock_summarize: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 900})
    """The function that summarises."""
    sweep: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 120})
    """The function that looks after meetings which stay where they are."""
    storage: FunctionSettings = FunctionSettings.model_validate({"timeoutSeconds": 300})
    """The function that measures how much each user has, once a day."""

    @property
    def audio_parts(self) -> int:
        """In how many parts the longest recording is transcribed."""
        return -(-self.processing.max_hours * 3600 // AUDIO_PART_SECONDS)

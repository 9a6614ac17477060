"""Settings of the meetings backend: the load, the exchange, transcription, models, what is kept."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.base import FunctionSettings, Region, RestStage, Settings, SubsystemSettings
from components.settings.meetings_media import MediaSettings, MeetingNetworkSettings, ProcessingSettings
from components.settings.networks import Origin
from components.settings.polling import EVENTS_A_ROUND, EVENTS_BESIDE, MOST_EVENTS, PollSeconds, rounds
from handlers.common.names import GuardrailId, GuardrailVersion, ModelId
from handlers.meetings.auth_environment import CredentialSeconds, RenewBeforeSeconds
from handlers.meetings.media_environment import AudioPartSeconds
from handlers.meetings.storage_environment import MaxUsers
from handlers.meetings.summary_environment import (
    SONNET,
    AnswerSeconds,
    AtOnce,
    OutputTokens,
    OverlapCharacters,
    PartCharacters,
)
from handlers.meetings.sweep_environment import GiveUpMinutes, ProcessingMinutes

Days = Annotated[int, Field(ge=1, le=3650)]
KeyArn = Annotated[str, StringConstraints(pattern=r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+$")]


class MeetingLoad(Settings):
    """The load that cost follows from."""

    meetings_per_month: Annotated[int, Field(ge=1)] = 60
    hours_each: Annotated[float, Field(gt=0)] = 1
    gigabytes_per_hour: Annotated[float, Field(gt=0)] = 0.9
    """Of a recording: screen and camera."""
    encoded_share: Annotated[float, Field(ge=0, le=1)] = 0.2
    """Of recordings that have to be encoded anew; the others are put together as they are."""


class ExchangeSettings(Settings):
    """The exchange of tokens for credentials."""

    stage: RestStage = "api"
    cors_origin: Origin = "*"
    """The page that may use the exchange and the bucket; prod must name it."""
    requests_per_second: Annotated[int, Field(ge=1, le=1_000)] = 10
    """What the stage takes, all callers together."""
    burst: Annotated[int, Field(ge=1, le=1_000)] = 20
    waf_requests: Annotated[int, Field(ge=10, le=2_000_000_000)] | None = None
    """Requests of one address in five minutes, held by a web firewall ($8 a month); none has no firewall."""
    credential_seconds: CredentialSeconds = 3600
    """How long credentials hold; STS gives no more than an hour to a role that another role takes on."""
    renew_before_seconds: RenewBeforeSeconds = 900

    @model_validator(mode="after")
    def _renewed_in_time(self) -> Self:
        if self.renew_before_seconds * 2 > self.credential_seconds:
            raise ValueError("renewBeforeSeconds is at most half of credentialSeconds")
        return self


class SpeechSettings(Settings):
    """Amazon Transcribe."""

    max_speakers: Annotated[int, Field(ge=2, le=30)] = 10
    """How many are told apart."""
    part_seconds: AudioPartSeconds = 13_800
    """Longer recordings are transcribed in parts: Transcribe takes four hours."""
    poll_seconds: PollSeconds = 30
    """How soon it is asked what has become of a part."""
    max_minutes: Annotated[int, Field(ge=5, le=1_440)] = 240
    """How long one part is waited for."""
    at_once: Annotated[int, Field(ge=1, le=40)] = 5
    """Parts of one recording."""


class ModelSettings(Settings):
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
    part_characters: PartCharacters = 100_000
    overlap_characters: OverlapCharacters = 2_000
    at_once: AtOnce = 3

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrailId and guardrailVersion go together")
        if self.overlap_characters * 2 > self.part_characters:
            raise ValueError("overlapCharacters is at most half of partCharacters")
        return self


class MeetingTableSettings(Settings):
    """The table of meetings."""

    kms_key: KeyArn | None = None
    """A customer key, to go back to; none uses the key that DynamoDB owns, which costs nothing."""


class RecordingSettings(Settings):
    """How long things are kept."""

    raw_days: Days = 7
    """What clients upload; missing chunks are waited for as long, and two weeks at most."""
    audio_days: Days = 30
    """The sound; it can be made again from the video, by hand."""
    versioned: bool = True
    """Whether what is overwritten or deleted can be had back for a while."""
    old_version_days: Days = 1
    work_days: Days = 8
    """The job's own notes, longer than what they are about."""


class CareSettings(Settings):
    """Meetings that stay where they are."""

    sweep_minutes: Annotated[int, Field(ge=2, le=60)] = 15
    processing_minutes: ProcessingMinutes = 60
    """After so long a meeting's execution is asked what became of it."""
    storage_hour_utc: Annotated[int, Field(ge=0, le=23)] = 2
    """When it is measured how much each user has, each day."""
    give_up_minutes: GiveUpMinutes = 2_880
    """After so long a meeting whose executions come to nothing is not begun anew."""
    storage_users: MaxUsers = 20
    """How many users have a metric of their own, those that grew most: each is paid for."""

    @model_validator(mode="after")
    def _asked_before_given_up(self) -> Self:
        if self.give_up_minutes <= self.processing_minutes:
            raise ValueError(
                "giveUpMinutes is more than processingMinutes: a meeting is asked for before it is given up"
            )
        return self


class MeetingAlarmSettings(Settings):
    """When somebody is told."""

    client_errors_above: Annotated[int, Field(ge=0)] = 50
    server_errors_above: Annotated[int, Field(ge=0)] = 0
    latency_ms: Annotated[int, Field(ge=1)] = 3_000
    """Of 95 in 100 answers of the exchange."""
    failed_meetings_above: Annotated[int, Field(ge=0)] = 0
    """In five minutes."""
    processing_minutes: Annotated[int, Field(ge=1)] = 180
    """From the whole recording to its summary, 95 in 100 meetings."""
    interruptions_above: Annotated[int, Field(ge=0)] = 5
    """Jobs that lost a spare machine, in an hour."""
    queue_minutes: Annotated[int, Field(ge=1)] = 30
    """How long news of an upload may wait."""
    requests_measured: bool = False
    """Whether the dashboard has the bucket's latency: sixteen metrics, about $5 a month."""
    throttles_above: Annotated[int, Field(ge=0)] = 20
    """Summaries that a busy model put off, in five minutes: the workflow asks again. The function's errors ring above as many."""


class MeetingsSettings(SubsystemSettings):
    """Recordings of meetings, and what was said and agreed in them."""

    load: MeetingLoad = MeetingLoad()
    exchange: ExchangeSettings = ExchangeSettings()
    processing: ProcessingSettings = ProcessingSettings()
    media: MediaSettings = MediaSettings()
    network: MeetingNetworkSettings = MeetingNetworkSettings()
    speech: SpeechSettings = SpeechSettings()
    models: ModelSettings = ModelSettings()
    table: MeetingTableSettings = MeetingTableSettings()
    kept: RecordingSettings = RecordingSettings()
    care: CareSettings = CareSettings()
    alarms: MeetingAlarmSettings = MeetingAlarmSettings()
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
        return -(-self.processing.max_hours * 3600 // self.speech.part_seconds)

    @model_validator(mode="after")
    def _fits_into_a_history(self) -> Self:
        asked = self.processing.rounds + self.audio_parts * rounds(
            self.speech.max_minutes * 60, self.speech.poll_seconds
        )
        events = asked * EVENTS_A_ROUND + EVENTS_BESIDE
        if events > MOST_EVENTS:
            raise ValueError(
                f"one recording might be asked about {asked:,} times, about {events:,} events: Step Functions ends an "
                f"execution after {MOST_EVENTS:,}. Raise processing.pollSeconds, speech.pollSeconds or "
                "speech.partSeconds, or lower processing.attempts, the timeouts or processing.maxHours"
            )
        return self

"""Settings of the meetings backend: the load, the exchange, the job, transcription, models, what is kept."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from math import ceil
from typing import Annotated, Final, Self

from pydantic import Field, StringConstraints, model_validator

from components.settings.base import FunctionSettings, Region, RestStage, Settings, SubsystemSettings
from components.settings.networks import BuiltNetwork, Cidr, Origin
from components.settings.polling import EVENTS_A_ROUND, EVENTS_BESIDE, MOST_EVENTS, rounds
from handlers.common.names import GuardrailId, GuardrailVersion, ModelId
from handlers.meetings.auth_environment import CredentialSeconds, RenewBeforeSeconds
from handlers.meetings.media_environment import ENCODE_THREADS, AudioPartSeconds, MaxHours, PieceSeconds
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
PollSeconds = Annotated[int, Field(ge=5, le=600)]
"""The shortest pause between two questions about the same thing: it grows with what was waited."""
Digest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]
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


class Engine(StrEnum):
    """What machines recordings are put together on."""

    BATCH_SPOT = "batch-spot"
    """Spare ones of Fargate, and others on demand where AWS has none or takes them back."""
    FARGATE = "fargate"
    """On demand alone, twice as large: how it was before, to go back to."""


FARGATE: Mapping[float, Sequence[int]] = {
    0.25: (512, 1024, 2048),
    0.5: range(1024, 4096 + 1, 1024),
    1: range(2048, 8192 + 1, 1024),
    2: range(4096, 16_384 + 1, 1024),
    4: range(8192, 30_720 + 1, 1024),
    8: range(16_384, 61_440 + 1, 4096),
    16: range(32_768, 122_880 + 1, 8192),
}
"""Processors → megabytes that go with them (Batch API reference, ResourceRequirement); it takes no other job."""

ENCODE_HOURS: Final = 2
"""Of a processor, for an hour of recording that must be encoded, at the most: assumed (docs/decisions/0061)."""


class Size(Settings):
    """A machine of Fargate's."""

    vcpus: Annotated[float, Field(ge=0.25, le=16)]
    memory_mb: Annotated[int, Field(ge=512, le=122_880)]

    @model_validator(mode="after")
    def _is_one_of_fargates(self) -> Self:
        if self.vcpus not in FARGATE:
            raise ValueError(f"vcpus is one of {', '.join(f'{one:g}' for one in FARGATE)}: Fargate has no others")
        allowed = FARGATE[self.vcpus]
        if self.memory_mb not in allowed:
            step = f" in steps of {allowed[1] - allowed[0]}" if isinstance(allowed, range) else ""
            between = f"{allowed[0]} to {allowed[-1]}{step}" if step else ", ".join(map(str, allowed))
            raise ValueError(f"memoryMb with {self.vcpus:g} vcpus is {between}: Fargate has no others")
        return self


class ProcessingSettings(Settings):
    """The job that puts a recording together."""

    engine: Engine = Engine.BATCH_SPOT
    spot: Size = Size.model_validate({"vcpus": 1, "memoryMb": 2048})
    """With `batch-spot`, on demand too."""
    fargate: Size = Size.model_validate({"vcpus": 2, "memoryMb": 4096})
    attempts: Annotated[int, Field(ge=2, le=10)] = 3
    """How often an interrupted job is begun on spare machines; it goes on where it was."""
    timeout_minutes: Annotated[int, Field(ge=5, le=1_440)] = 1_440
    """Of one attempt. What has not ended by then is given up: the longest recording has to fit."""
    capacity_minutes: Annotated[int, Field(ge=1, le=720)] = 30
    """How long a spare machine is waited for, each time that a job needs one, before one on demand is taken."""
    poll_seconds: PollSeconds = 30
    """How soon it is asked what has become of the job."""
    disk_gigabytes: Annotated[int, Field(ge=21, le=200)] = 40
    """Of the job: about twice the largest recording, and the image."""
    max_vcpus: Annotated[int, Field(ge=1, le=16)] = 8
    """Of all jobs of a queue at once."""
    piece_seconds: PieceSeconds = 300
    """What is encoded and kept at once: an interruption costs so much at most."""
    max_hours: MaxHours = 12
    """The longest recording."""

    @property
    def size(self) -> Size:
        """The machine that the engine has."""
        return self.spot if self.engine is Engine.BATCH_SPOT else self.fargate

    @property
    def spot_seconds(self) -> int:
        """How long a job may take on spare machines: each attempt waits for its machine and runs."""
        return self.attempts * (self.timeout_minutes + self.capacity_minutes) * 60

    @property
    def on_demand_seconds(self) -> int:
        """How long a job may take on demand: it may wait behind others as long as it may run."""
        return 2 * self.timeout_minutes * 60

    @property
    def rounds(self) -> int:
        """How often it is asked about at the most."""
        attempt = sum(rounds(one * 60, self.poll_seconds) for one in (self.timeout_minutes, self.capacity_minutes))
        spot = self.attempts * attempt if self.engine is Engine.BATCH_SPOT else 0
        return spot + rounds(self.on_demand_seconds, self.poll_seconds)

    @model_validator(mode="after")
    def _one_fits(self) -> Self:
        if self.size.vcpus > self.max_vcpus:
            raise ValueError(f"maxVcpus is at least the vcpus of one job ({self.size.vcpus:g}), or none ever starts")
        return self

    @model_validator(mode="after")
    def _the_longest_ends_in_time(self) -> Self:
        least = ceil(self.max_hours * 60 * ENCODE_HOURS / min(self.size.vcpus, ENCODE_THREADS))
        if self.timeout_minutes < least:
            raise ValueError(
                f"timeoutMinutes is at least {least:,}: to encode an hour of a recording may take a processor "
                f"{ENCODE_HOURS} hours, and the longest has maxHours ({self.max_hours}). Raise it or the vcpus (of which "
                f"{ENCODE_THREADS} are used), or lower maxHours"
            )
        return self


class MediaSettings(Settings):
    """The image of the job."""

    image_digest: Digest | None = None
    """Which image runs; required in staging and prod. None runs what is tagged `latest`."""


class MeetingNetworkSettings(BuiltNetwork):
    """The network of the jobs: public subnets, nothing inwards, no gateway that is paid for."""

    cidr: Cidr = "10.65.0.0/16"


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

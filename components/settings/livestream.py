"""Settings of the livestream backend: the load, the API, uploads, what is kept, the function behind the API."""

import math
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from components.settings.base import FunctionSettings, Region, RestStage, Settings, SubsystemSettings
from components.settings.networks import Origin
from handlers.common.names import GuardrailId, GuardrailVersion, ModelId
from handlers.livestream.agent_environment import AnswerSeconds, ClipMaxSeconds, ClipMinSeconds, OutputTokens
from handlers.livestream.care_environment import LimitMinutes
from handlers.livestream.environment import (
    CursorSeconds,
    DeletedDays,
    MultipartMegabytes,
    TranscriptMegabytes,
    UrlSeconds,
    VideoGigabytes,
    secret_lines,
)
from handlers.livestream.transcript_environment import OverlapCharacters, WindowCharacters, WindowSeconds
from handlers.livestream.video_environment import ChunkSeconds, MaxHours

Days = Annotated[int, Field(ge=1, le=365)]


def _each_line_seals(secret: SecretStr) -> SecretStr:
    secret_lines(secret.get_secret_value())
    return secret


EncryptionKey = Annotated[SecretStr, Field(min_length=32, max_length=4096), AfterValidator(_each_line_seals)]

TOKENS_A_SECOND = 60
"""What a model of middling speed writes: a longer answer would not be there in time, and is paid for."""

WINDOW_MARGIN_SECONDS = 20
"""What the agent needs for a window beside two answers: 8 to keep what it found, and to read before."""


def window_seconds(answer_seconds: int) -> int:
    """What the agent needs for a window at least."""
    return 2 * answer_seconds + WINDOW_MARGIN_SECONDS


class EpisodeSettings(Settings):
    """The load that cost follows from."""

    episodes_per_day: Annotated[int, Field(ge=1)] = 4
    requests_per_episode: Annotated[float, Field(gt=0)] = 300
    """Requests to the API for one episode, mostly reading."""
    video_gigabytes: Annotated[float, Field(gt=0)] = 1
    """An episode's video."""
    video_minutes: Annotated[float, Field(gt=0)] = 30
    """Its length."""
    transcript_megabytes: Annotated[float, Field(gt=0)] = 0.2


class Authorizer(StrEnum):
    """Whom the API answers."""

    NONE = "none"
    """Everybody."""
    API_KEY = "apiKey"
    """Whoever has a key, within the usage plan's quota."""
    JWT = "jwt"
    """Callers of `foundation.identity`; each has episodes of his own."""


class RestSettings(Settings):
    """The REST API."""

    stage: RestStage = "api"
    cors_origin: Origin = "*"
    """The page that may use the API and the bucket; prod must name it."""
    authorizer: Authorizer = Authorizer.JWT
    requests_per_second: Annotated[int, Field(ge=1, le=10_000)] = 50
    """What the stage takes, all callers together."""
    burst: Annotated[int, Field(ge=1, le=5_000)] = 100
    requests_per_day: Annotated[int, Field(ge=1)] = 50_000
    """What one API key may ask, with authorizer `apiKey`."""
    waf_requests: Annotated[int, Field(ge=10, le=2_000_000_000)] | None = None
    """Requests of one address in five minutes, held by a web firewall ($8 a month); none has no firewall."""
    data_trace: bool = False
    """Whether the gateway logs whole requests and answers: to find a fault, and never in prod."""


class UploadSettings(Settings):
    """What may be uploaded, and for how long an address for it holds."""

    max_video_gigabytes: VideoGigabytes = 20
    max_transcript_megabytes: TranscriptMegabytes = 10
    multipart_megabytes: MultipartMegabytes = 100
    """What is larger is uploaded in parts, each to an address of its own."""
    url_seconds: UrlSeconds = 3600
    """How long an address holds."""


class VideoSettings(Settings):
    """How videos are cut."""

    chunk_seconds: ChunkSeconds = 120
    """How long a chunk is."""
    max_hours: MaxHours | None = 11
    """How long a video may be: MediaConvert is paid by the minute, and takes no clip of 12 hours. None cuts everything to
    its end, whatever it costs."""
    deliveries: Annotated[int, Field(ge=1, le=100)] = 20
    """How often an event is delivered, some minutes apart, before it is parked: MediaConvert may be busy for long."""


class AgentSettings(Settings):
    """The agent that checks claims."""

    model_id: ModelId = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    """A model's, or an inference profile's. Models are retired within a year or two."""
    model_regions: Annotated[tuple[Region, ...], Field(min_length=1)] = ("us-east-1", "us-east-2", "us-west-2")
    """Where an inference profile may send a request: each is granted by name."""
    guardrail_id: GuardrailId | None = None
    guardrail_version: GuardrailVersion | None = None
    memory_days: Annotated[int, Field(ge=7, le=365)] = 90
    """How long the agent remembers what it heard."""
    window_characters: WindowCharacters = 6_000
    """Of what is said in a window, before its overlap with the next."""
    window_seconds: WindowSeconds = 600
    overlap_characters: OverlapCharacters = 600
    """The longest claim that is certain to stand whole in one window."""
    max_output_tokens: OutputTokens = 3_000
    answer_seconds: AnswerSeconds = 50
    """How long an answer may take. What takes longer is asked for once more, and paid for each time."""
    clip_min_seconds: ClipMinSeconds = 10
    clip_max_seconds: ClipMaxSeconds = 90
    at_once: Annotated[int, Field(ge=2, le=100)] = 5
    """Windows that are worked on at once: the model's quota is an account's."""

    @model_validator(mode="after")
    def _agrees(self) -> "AgentSettings":
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrailId and guardrailVersion go together")
        if self.overlap_characters * 2 > self.window_characters:
            raise ValueError("overlapCharacters is at most half of windowCharacters")
        if self.clip_min_seconds > self.clip_max_seconds:
            raise ValueError("clipMinSeconds is at most clipMaxSeconds")
        most = self.answer_seconds * TOKENS_A_SECOND
        if self.max_output_tokens > most:
            needed = math.ceil(self.max_output_tokens / TOKENS_A_SECOND)
            raise ValueError(
                f"maxOutputTokens is at most {most:,}: in answerSeconds ({self.answer_seconds}) a model writes no more. "
                f"{self.max_output_tokens:,} need answerSeconds {needed}, and agentWorker.timeoutSeconds {window_seconds(needed)}"
            )
        return self


class KeptSettings(Settings):
    """How long things are kept."""

    object_days: Days = 7
    """Objects of the bucket."""
    versioned: bool = True
    """Whether what is overwritten, deleted or too old can be had back for a while."""
    old_version_days: Days = 1
    cursor_seconds: CursorSeconds = 3600
    """How long a list can be gone on with."""
    deleted_days: DeletedDays = 7
    """How long a deleted episode's mark stays."""
    event_days: Days = 14
    """How long our own events are archived, to be replayed."""


class StuckSettings(Settings):
    """How long a video or a transcript may be in one state before it is given up."""

    requested_minutes: LimitMinutes = 720
    """Asked for and not uploaded; an upload in parts may take long."""
    uploaded_minutes: LimitMinutes = 120
    """Until somebody begins to work on it."""
    chunking_minutes: LimitMinutes = 720
    """A busy queue of MediaConvert's takes hours."""
    analyzing_minutes: LimitMinutes = 360
    sweep_minutes: Annotated[int, Field(ge=2, le=60)] = 15
    """How often that is looked at, and at what is left of deleted episodes."""


class RestAlarmSettings(Settings):
    """When somebody is told."""

    client_errors_above: Annotated[int, Field(ge=0)] = 100
    """Requests that were refused, in five minutes."""
    server_errors_above: Annotated[int, Field(ge=0)] = 0
    latency_ms: Annotated[int, Field(ge=1)] = 2_000
    """Of 95 in 100 answers."""
    failed_videos_above: Annotated[int, Field(ge=0)] = 0
    """Videos that MediaConvert could not cut, in five minutes."""
    failed_windows_above: Annotated[int, Field(ge=0)] = 0
    """Windows of transcripts of which nothing came, in five minutes."""


class LivestreamSettings(SubsystemSettings):
    """Episodes of livestreams, and what is claimed in them."""

    encryption_key: EncryptionKey | None = None
    """What cursors are encrypted with; required where the subsystem is on. Of several lines the first seals, and those below
    it open what they sealed before."""
    load: EpisodeSettings = EpisodeSettings()
    api: RestSettings = RestSettings()
    uploads: UploadSettings = UploadSettings()
    kept: KeptSettings = KeptSettings()
    video: VideoSettings = VideoSettings()
    agent: AgentSettings = AgentSettings()
    stuck: StuckSettings = StuckSettings()
    alarms: RestAlarmSettings = RestAlarmSettings()
    episodes: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 25})
    """The function behind the API."""
    videos: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 25})
    """The function that has videos cut."""
    transcript_windows: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """The function that reads transcripts."""
    agent_worker: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 120})
    """The function that has windows of a transcript checked."""
    care: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """The function that tidies up after deletions and gives up what is stuck."""
    authorizer: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 512, "timeoutSeconds": 10})
    """The function that checks tokens, with authorizer `jwt`."""

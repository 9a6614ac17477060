"""Settings of the livestream backend: the load, the API, uploads, what is kept, the function behind the API."""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr, model_validator

from components.settings.networks import Origin
from components.settings.settings_base import (
    ClientFunctionSettings,
    FunctionSettings,
    Region,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.name_patterns import GuardrailId, GuardrailVersion, ModelId
from handlers.livestream.agent.environment import MAX_OUTPUT_TOKENS
from handlers.livestream.episode_cleanup.environment import LimitMinutes
from handlers.livestream.episodes_api.environment import (
    MultipartMegabytes,
    TranscriptMegabytes,
    VideoGigabytes,
    secret_lines,
)
from handlers.livestream.transcript_windows.environment import OVERLAP_CHARACTERS
from handlers.livestream.video_chunks.environment import ChunkSeconds, MaxHours

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


class LivestreamLoad(SettingsModel):
    """The load that cost follows from."""

    episodes_per_day: Annotated[int, Field(ge=1)] = 4
    video_minutes: Annotated[float, Field(gt=0)] = 30
    """The length of an episode's video."""


class AuthorizerKind(StrEnum):
    """Whom the API answers."""

    NONE = "none"
    """Everybody."""
    API_KEY = "apiKey"
    """Whoever has a key, within the usage plan's quota."""
    JWT = "jwt"
    """Callers of `foundation.identity`; each has episodes of his own."""


class RestSettings(SettingsModel):
    """The REST API."""

    cors_origin: Origin = "*"
    """The page that may use the API and the bucket; prod must name it."""
    authorizer: AuthorizerKind = AuthorizerKind.JWT
    requests_per_second: RequestsPerSecond = 50
    """What the stage takes, all callers together."""
    waf_requests: Annotated[int, Field(ge=10, le=2_000_000_000)] | None = None
    """Requests of one address in five minutes, held by a web firewall ($8 a month); none has no firewall."""


class UploadSettings(SettingsModel):
    """What may be uploaded, and how long it is kept."""

    max_video_gigabytes: VideoGigabytes = 20
    max_transcript_megabytes: TranscriptMegabytes = 10
    multipart_megabytes: MultipartMegabytes = 100
    """What is larger is uploaded in parts, each to an address of its own."""
    object_days: Days = 7
    """How long the bucket keeps an object."""


class VideoSettings(SettingsModel):
    """How videos are cut."""

    chunk_seconds: ChunkSeconds = 120
    """How long a chunk is."""
    max_hours: MaxHours | None = 11
    """How long a video may be: MediaConvert is paid by the minute, and takes no clip of 12 hours. None cuts everything to
    its end, whatever it costs."""
    chunking_minutes: LimitMinutes = 720
    """After so long a video that MediaConvert works on has failed; a busy queue of MediaConvert's takes hours."""


class ClaimAgentSettings(SettingsModel):
    """The agent that checks claims."""

    model_id: ModelId = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
    """A model's, or an inference profile's. Models are retired within a year or two."""
    model_regions: Annotated[tuple[Region, ...], Field(min_length=1)] = ("us-east-1", "us-east-2", "us-west-2")
    """Where an inference profile may send a request: each is granted by name."""
    guardrail_id: GuardrailId | None = None
    guardrail_version: GuardrailVersion | None = None
    memory_days: Annotated[int, Field(ge=7, le=365)] = 90
    """How long the agent remembers what it heard."""
    window_characters: Annotated[int, Field(ge=2 * OVERLAP_CHARACTERS, le=50_000)] = 6_000
    """Of what is said in a window, before its overlap with the next, which is at most half of it."""
    answer_seconds: Annotated[int, Field(ge=MAX_OUTPUT_TOKENS // TOKENS_A_SECOND, le=440)] = 50
    """How long an answer may take. What takes longer is asked for once more, and paid for each time."""
    at_once: Annotated[int, Field(ge=2, le=100)] = 5
    """Windows that are worked on at once: the model's quota is an account's."""

    @model_validator(mode="after")
    def _agrees(self) -> "ClaimAgentSettings":
        if (self.guardrail_id is None) != (self.guardrail_version is None):
            raise ValueError("guardrailId and guardrailVersion go together")
        return self


class LivestreamSettings(SubsystemSettings):
    """Episodes of livestreams, and what is claimed in them."""

    encryption_key: EncryptionKey | None = None
    """What cursors are encrypted with; required where the subsystem is on. Of several lines the first seals, and those below
    it open what they sealed before."""
    load: LivestreamLoad = LivestreamLoad()
    api: RestSettings = RestSettings()
    uploads: UploadSettings = UploadSettings()
    video: VideoSettings = VideoSettings()
    agent: ClaimAgentSettings = ClaimAgentSettings()
    episodes: ClientFunctionSettings = ClientFunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 25})
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

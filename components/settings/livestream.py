"""Settings of livestream: expected load, REST API, uploads, videos, the fact-check agent, and functions.

An episode is a recorded broadcast with a video and a transcript.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, Field, SecretStr

from components.settings.base import (
    ClientFunctionSettings,
    FunctionSettings,
    Origin,
    Region,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.bedrock import HAIKU
from handlers.common.ids import ModelId
from handlers.livestream.environment import OVERLAP_CHARACTERS, parse_secrets

Days = Annotated[int, Field(ge=1, le=365)]


def _check_lines(secret: SecretStr) -> SecretStr:
    """Return the secret. Raise ValueError if a line is too short for a key."""
    parse_secrets(secret.get_secret_value())
    return secret


EncryptionKey = Annotated[SecretStr, Field(min_length=32, max_length=4096), AfterValidator(_check_lines)]
"""Secret with one key in each line."""


class LivestreamLoad(SettingsModel):
    """Expected load, from which the cost is computed."""

    episodes_per_day: Annotated[int, Field(ge=1)] = 4
    """Episodes with video and transcript per day."""
    video_minutes: Annotated[float, Field(gt=0)] = 30
    """Length of an episode's video."""


class AuthorizerKind(StrEnum):
    """Authorization of the API's callers."""

    NONE = "none"
    JWT = "jwt"


class RestSettings(SettingsModel):
    """Settings of the REST API."""

    cors_origin: Origin = "*"
    """Origin of the web page that may use the API and the bucket. In prod it must not be `*`."""
    authorizer: AuthorizerKind = AuthorizerKind.JWT
    """Authorization of the API's callers. `jwt`: a token of `foundation.identity`, and callers see only their own
    episodes. `none`: every caller is accepted; only in local and dev, and required if `foundation.identity.auth` is
    `none`."""
    requests_per_second: RequestsPerSecond = 50
    """Maximum request rate of the API stage, for all callers together."""
    method_metrics: bool = True
    """Record metrics of each method, in addition to the free metrics of the stage. Each method that is called has five
    metrics, which are billed monthly."""


class UploadSettings(SettingsModel):
    """Limits of uploads, and retention of objects."""

    max_video_gigabytes: Annotated[int, Field(ge=1, le=100)] = 20
    """Maximum size of a video in units of 1000³ bytes."""
    max_transcript_megabytes: Annotated[int, Field(ge=1, le=20)] = 10
    """Maximum size of a transcript in units of 1000² bytes."""
    multipart_megabytes: Annotated[int, Field(ge=10, le=5000)] = 100
    """Size above which a video is uploaded in parts, in units of 1000² bytes. Each part has its own presigned URL."""
    object_days: Days = 7
    """Days that the bucket keeps an object."""


class VideoSettings(SettingsModel):
    """Settings of the conversion of videos to chunks."""

    chunk_seconds: Annotated[int, Field(ge=1, le=3600)] = 120
    """Length of a video chunk. A player loads one chunk at a time, so shorter chunks start faster, but they need more
    files and more URLs."""


class ClaimAgentSettings(SettingsModel):
    """Settings of the fact-check agent, which finds claims in transcripts and checks them with a Bedrock model."""

    model_id: ModelId = HAIKU
    """Id of a model or of an inference profile. AWS retires models within a year or two."""
    model_regions: Annotated[tuple[Region, ...], Field(min_length=1)] = ("us-east-1", "us-east-2", "us-west-2")
    """Regions to which an inference profile may send a request. The function gets a permission for each of them."""
    memory_days: Annotated[int, Field(ge=7, le=365)] = 90
    """Days that the agent's memory in Amazon Bedrock AgentCore keeps an event. The summaries and facts that AgentCore
    derives from events are kept until their episode is deleted, and are billed every month."""
    window_characters: Annotated[int, Field(ge=2 * OVERLAP_CHARACTERS, le=50_000)] = 6_000
    """Maximum length of a window (a section of a transcript), without its overlap with the next window. The overlap is
    at most half as long."""
    answer_seconds: Annotated[int, Field(ge=10, le=440)] = 65
    """Maximum time for an answer of the model. The program refuses less than the longest answer takes, which is 65 for a
    model that does not think, and more for others. A request that takes longer is repeated once, and each is billed."""
    at_once: Annotated[int, Field(ge=2, le=100)] = 5
    """Maximum number of windows that are processed at the same time. The whole account shares the model's quota."""


class LivestreamSettings(SubsystemSettings):
    """Settings of livestream, which checks the claims of recorded broadcasts."""

    encryption_key: EncryptionKey | None = None
    """Key that encrypts cursors: the positions in a list that the API returns, and that clients send to get the next
    page. It is required if the subsystem is enabled. If it has several lines, the first line encrypts, and the other
    lines decrypt older cursors."""
    load: LivestreamLoad = LivestreamLoad()
    api: RestSettings = RestSettings()
    uploads: UploadSettings = UploadSettings()
    video: VideoSettings = VideoSettings()
    agent: ClaimAgentSettings = ClaimAgentSettings()
    episodes: ClientFunctionSettings = ClientFunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 25})
    """Function behind the API."""
    video_chunks: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 25})
    """Function that starts the conversion of videos to chunks."""
    transcript_windows: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """Function that reads transcripts and splits them into windows."""
    fact_check_agent: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 150})
    """Function that checks the claims of a window with the model."""
    episode_cleanup: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 1024, "timeoutSeconds": 60})
    """Function that deletes the data of deleted episodes."""
    authorizer: FunctionSettings = FunctionSettings.model_validate({"memoryMb": 512, "timeoutSeconds": 10})
    """Function that checks tokens. It exists only with authorizer `jwt`."""

"""Settings of transcription: the load, thresholds of live captions, sessions, the WebSocket API, its two functions."""

from typing import Annotated

from pydantic import Field

from components.settings.settings_base import (
    GATEWAY_SECONDS,
    ClientFunctionSettings,
    FunctionSettings,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.name_patterns import LanguageCode
from handlers.transcription.environment import (
    BufferSeconds,
    DedupSeconds,
    InFlight,
    OrphanSeconds,
    PauseSeconds,
    RatePerSecond,
    Stability,
)


class TranscriptionLoad(SettingsModel):
    """The load that cost follows from."""

    utterances_per_day: Annotated[int, Field(ge=1)] = 1_000
    """Utterances that are spoken a day: each is one invocation and one stream."""
    utterance_seconds: Annotated[float, Field(gt=0, le=5)] = 5
    """Their average length. Amazon Transcribe bills a stream for 15 seconds at least: shorter ones make nothing cheaper."""


class CaptionSettings(SettingsModel):
    """When a caption is shown. A session may choose its own values within the same ranges."""

    partial_results_enabled: bool = True
    """Whether captions are shown before they are final; where they are not, no session can turn them on."""
    min_stability_threshold: Stability = 0.85
    """Share of a partial result's words that must be stable before it is shown at once."""
    max_buffer_timeout: BufferSeconds = 5.0
    """Seconds after which a result is shown however unstable it is."""
    pause_threshold: PauseSeconds = 2.0
    """Seconds without news after which a waiting result is shown."""
    orphan_timeout: OrphanSeconds = 15.0
    """Seconds after which a result whose final does not come is shown as it is."""
    max_rate_per_second: RatePerSecond = 5
    """Partial captions a second at most."""
    dedup_cache_ttl: DedupSeconds = 10
    """Seconds within which the same words are not shown again; 0 shows everything."""


class TranscriptionSessionSettings(SettingsModel):
    """What one user may use at once."""

    in_flight: InFlight = 3
    """Utterances of one session that are transcribed at once."""
    per_user: Annotated[int, Field(ge=1, le=100)] = 5
    """Open sessions of one user."""
    hours: Annotated[float, Field(ge=0.1, le=6)] = 4
    """How long a session can be used."""
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)] = (
        *("en-US", "en-GB", "en-AU", "de-DE", "fr-FR", "fr-CA", "es-US", "es-ES"),
        *("it-IT", "pt-BR", "ja-JP", "ko-KR", "zh-CN", "hi-IN", "nl-NL", "pl-PL"),
    )
    """Languages that a session may be in; Amazon Transcribe must have them for streaming."""
    direct_enabled: bool = True
    """Whether clients may stream to Amazon Transcribe themselves, past the rules for captions."""
    stream_quota: Annotated[int, Field(ge=1, le=10_000)] = 25
    """Streams that the account may have open at once (Service Quotas, Amazon Transcribe)."""


class CaptionAlarmSettings(SettingsModel):
    """Thresholds of the alarms that the requirement lists."""

    latency_ms: Annotated[int, Field(ge=100)] = 5_000
    dropped_per_minute: Annotated[int, Field(ge=1)] = 100
    orphans: Annotated[int, Field(ge=1)] = 10
    fallbacks: Annotated[int, Field(ge=1)] = 1
    errors: Annotated[int, Field(ge=0)] = 5
    throttles: Annotated[int, Field(ge=0)] = 10


class RouterSettings(FunctionSettings):
    """Size and version of the function behind the WebSocket API."""

    timeout_seconds: Annotated[int, Field(ge=1, le=GATEWAY_SECONDS)] = 20
    """How long one message may take; API Gateway waits for 29 seconds."""


class TranscriptionSettings(SubsystemSettings):
    """Speech into captions while it is spoken."""

    structured_logging: bool = True
    """Whether log lines are JSON, or plain text."""
    load: TranscriptionLoad = TranscriptionLoad()
    captions: CaptionSettings = CaptionSettings()
    sessions: TranscriptionSessionSettings = TranscriptionSessionSettings()
    requests_per_second: RequestsPerSecond = 100
    """Messages of all clients together that the WebSocket API lets in."""
    alarms: CaptionAlarmSettings = CaptionAlarmSettings()
    audio_processor: ClientFunctionSettings = ClientFunctionSettings()
    """The function that transcribes an utterance: 512 MB; 768 where its memory alarm rings."""
    router: RouterSettings = RouterSettings()
    """The function behind the WebSocket API."""

"""Settings of transcription: expected load, live captions, limits of sessions, WebSocket API, alarms and functions."""

from typing import Annotated, Final

from pydantic import Field

from components.settings.settings_base import (
    GATEWAY_SECONDS,
    MIN_WEBSOCKET_SECONDS,
    UNIT,
    ClientFunctionSettings,
    FunctionSettings,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.identifier_types import LanguageCode
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
    """Expected load, from which the cost is computed."""

    utterances_per_day: Annotated[int, Field(ge=1)] = 1_000
    """Utterances per day: messages with some seconds of speech. Each needs one invocation and one Transcribe stream."""
    utterance_seconds: Annotated[float, Field(gt=0, le=5)] = 5
    """Average length of an utterance. Amazon Transcribe bills at least 15 seconds for a stream, so shorter utterances
    cost the same."""


IN_SECONDS: Final = Field(json_schema_extra={UNIT: "seconds"})
"""Unit of times whose names contain no unit, because the requirements prescribe the names."""


class CaptionSettings(SettingsModel):
    """Thresholds for showing captions. A session may choose other values within the range of each setting.

    The names are those of the requirements and of the protocol. All times are in seconds.
    """

    partial_results_enabled: bool = True
    """Show captions before they are final. If false, no session can choose to show them."""
    min_stability_threshold: Annotated[Stability, Field(json_schema_extra={UNIT: "share from 0 to 1"})] = 0.85
    """Share of a partial result's words that must be stable for the result to be shown at once."""
    max_buffer_timeout: Annotated[BufferSeconds, IN_SECONDS] = 5.0
    """Seconds after which a result is shown even if it is unstable."""
    pause_threshold: Annotated[PauseSeconds, IN_SECONDS] = 2.0
    """Seconds without an update after which a waiting result is shown."""
    orphan_timeout: Annotated[OrphanSeconds, IN_SECONDS] = 15.0
    """Seconds after which a result is shown as it is if its final version does not arrive. The default of 15 comes from
    the requirements. Like every value of 7 or more, it has no effect: an utterance ends in less than 7 seconds, and all
    its results are shown then."""
    max_rate_per_second: RatePerSecond = 5
    """Maximum number of partial captions per second."""
    dedup_cache_ttl: Annotated[DedupSeconds, IN_SECONDS] = 10
    """Seconds within which the same words are not shown again. With 0, all words are shown."""


class TranscriptionSessionSettings(SettingsModel):
    """Limits of sessions."""

    in_flight: InFlight = 3
    """Maximum number of utterances of one session that are transcribed at the same time."""
    hours: Annotated[float, Field(ge=0.1, le=6)] = 4
    """Hours that a session can be used."""
    languages: Annotated[tuple[LanguageCode, ...], Field(min_length=1)] = (
        *("en-US", "en-GB", "en-AU", "de-DE", "fr-FR", "fr-CA", "es-US", "es-ES"),
        *("it-IT", "pt-BR", "ja-JP", "ko-KR", "zh-CN", "hi-IN", "nl-NL", "pl-PL"),
    )
    """Languages that a session may use. Amazon Transcribe must support them for streaming."""


class CaptionAlarmSettings(SettingsModel):
    """Thresholds of the six alarms that the requirements list. Counts are for five minutes, unless a name states
    otherwise.
    """

    latency_ms: Annotated[int, Field(ge=100)] = 5_000
    """Delay of partial captions (95th percentile)."""
    dropped_per_minute: Annotated[int, Field(ge=1)] = 100
    """Partial captions that the rate limit suppresses."""
    orphans: Annotated[int, Field(ge=1)] = 10
    """Results that never became final."""
    fallbacks: Annotated[int, Field(ge=1)] = 1
    """Streams that fell back to final captions only. This alarm goes off at its threshold, the other alarms above
    theirs."""
    errors: Annotated[int, Field(ge=0)] = 5
    """Failed invocations of the audio processor."""
    throttles: Annotated[int, Field(ge=0)] = 10
    """Throttled invocations of the audio processor."""


class RouterSettings(FunctionSettings):
    """Size and version of the function behind the WebSocket API."""

    timeout_seconds: Annotated[int, Field(ge=MIN_WEBSOCKET_SECONDS, le=GATEWAY_SECONDS)] = 20
    """Maximum time for one message. API Gateway waits for 29 seconds."""


class TranscriptionSettings(SubsystemSettings):
    """Settings of transcription, which turns live speech into captions."""

    structured_logging: bool = True
    """Write log lines as JSON. If false, they are plain text."""
    load: TranscriptionLoad = TranscriptionLoad()
    captions: CaptionSettings = CaptionSettings()
    sessions: TranscriptionSessionSettings = TranscriptionSessionSettings()
    requests_per_second: RequestsPerSecond = 100
    """Maximum message rate of the WebSocket API, for all clients together."""
    alarms: CaptionAlarmSettings = CaptionAlarmSettings()
    audio_processor: ClientFunctionSettings = ClientFunctionSettings()
    """Function that transcribes an utterance. Default memory: 512 MB. Use 768 if the memory alarm goes off."""
    router: RouterSettings = RouterSettings()
    """Function behind the WebSocket API."""

"""Settings of transcription: expected load, live captions, limits of sessions, WebSocket API, alarms and functions.

`CaptionThresholds`, a model of the handlers, has the fields of the settings of captions. A partial caption may still
change, and a final one does not.
"""

from typing import Annotated

from pydantic import Field

from components.settings.base import (
    GATEWAY_SECONDS,
    MIN_WEBSOCKET_SECONDS,
    ClientFunctionSettings,
    FunctionSettings,
    RequestsPerSecond,
    SettingsModel,
    SubsystemSettings,
)
from handlers.common.ids import LanguageCode
from handlers.transcription.environment import CaptionThresholds


class TranscriptionLoad(SettingsModel):
    """Expected load, from which the cost is computed."""

    utterances_per_day: Annotated[int, Field(ge=1)] = 1_000
    """Utterances per day: messages with some seconds of speech. Each needs one invocation and one Transcribe stream."""
    utterance_seconds: Annotated[float, Field(gt=0, le=5)] = 5
    """Average length of an utterance. Amazon Transcribe bills at least 15 seconds for a stream, so shorter utterances
    cost the same."""


class CaptionSettings(CaptionThresholds, SettingsModel):
    """Thresholds for showing captions, with the names of the requirements and of the protocol. A session may choose
    other values within the range of each setting.
    """


class TranscriptionSessionSettings(SettingsModel):
    """Limits of sessions."""

    in_flight: Annotated[int, Field(ge=1, le=8)] = 3
    """Maximum number of utterances of one session that are transcribed at the same time."""
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


class AudioProcessorSettings(ClientFunctionSettings):
    """Size, version and concurrency of the function that transcribes an utterance."""

    timeout_seconds: Annotated[int, Field(ge=15, le=900)] = 60
    """Maximum time for one utterance. An utterance has up to five seconds, and the call needs time before and after."""


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
    last_results_ms: Annotated[int, Field(ge=500, le=6_000)] = 1_500
    """Milliseconds beyond the length of an utterance that its transcription may take. Then the captions that have
    arrived count as final. The requirement allows 2,000."""
    requests_per_second: RequestsPerSecond = 100
    """Maximum message rate of the WebSocket API, for all clients together."""
    alarms: CaptionAlarmSettings = CaptionAlarmSettings()
    audio_processor: AudioProcessorSettings = AudioProcessorSettings()
    """Function that transcribes an utterance. Default memory: 512 MB. Use 768 if the memory alarm goes off."""
    router: RouterSettings = RouterSettings()
    """Function behind the WebSocket API."""

"""What transcription's handlers read from their environment, and the names and ranges that a deployment shares with them.

The ranges stand here because three places keep to them: a stack's settings, these environments, and what a client may
ask for when it opens a session. Alarms look for names of metrics and of a line, the live table has the index.
"""

from typing import Annotated, Literal

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

METRICS_NAMESPACE = "AudioTranscription/PartialResults"
LATENCY_METRIC = "PartialResultProcessingLatency"
DROPPED_METRIC = "PartialResultsDropped"
ORPHANS_METRIC = "OrphanedResultsFlushed"
FALLBACK_METRIC = "TranscribeFallbackTriggered"
GIVEN_UP_EVENT = "utterance_given_up"
"""A line of the processor's log."""
PROTOCOL = "polyphony.transcription.v1"
"""The subprotocol that a client offers and the platform chooses; a token is offered beside it, and never given back."""
DUE_INDEX = "due"
"""Of the live table. Sparse: only items that somebody must look at, by the time when."""

Stability = Annotated[float, Field(ge=0, le=1)]
"""Share of a result's items that are marked as stable."""
BufferSeconds = Annotated[float, Field(ge=0.5, le=10)]
PauseSeconds = Annotated[float, Field(ge=0.2, le=5)]
OrphanSeconds = Annotated[float, Field(ge=5, le=60)]
RatePerSecond = Annotated[int, Field(ge=1, le=20)]
DedupSeconds = Annotated[int, Field(ge=0, le=60)]
InFlight = Annotated[int, Field(ge=1, le=8)]
"""Utterances of one session that are transcribed at once: each holds a stream of Amazon Transcribe's quota."""


class TranscriptionEnvironment(HandlerEnvironment):
    """What both functions read."""

    structured_logging: bool = True
    sessions_table_name: str
    live_table_name: str


class ProcessorEnvironment(TranscriptionEnvironment):
    """The audio processor's: the thresholds are the requirement's, each a setting and open to a session's own."""

    partial_results_enabled: bool = True
    min_stability_threshold: Stability = 0.85
    max_buffer_timeout: BufferSeconds = 5.0
    pause_threshold: PauseSeconds = 2.0
    orphan_timeout: OrphanSeconds = 15.0
    max_rate_per_second: RatePerSecond = 5
    dedup_cache_ttl: DedupSeconds = 10
    aws_endpoint_url_transcribe_streaming: str | None = None
    """Where Amazon Transcribe is, if not where it is for everybody."""


class RouterEnvironment(TranscriptionEnvironment):
    """The router's."""

    processor: str
    """ARN of the processor's alias."""
    auth: Literal["oidc", "none"] = "oidc"
    issuer: str | None = None
    audience: str | None = None
    jwks_url: str | None = None
    in_flight: InFlight = 3
    sessions_per_user: Annotated[int, Field(ge=1, le=100)] = 5
    session_seconds: Annotated[int, Field(ge=60, le=6 * 3600)] = 4 * 3600
    languages: str = "en-US"
    """Languages that a session may be in, separated by commas."""
    direct_enabled: bool = True
    direct_seconds: Annotated[int, Field(ge=1, le=300)] = 300
    """How long an address for streaming to Amazon Transcribe itself can be used."""
    aws_endpoint_url_transcribe_streaming: str | None = None

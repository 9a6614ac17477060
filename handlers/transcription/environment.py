"""What transcription's handlers read from their environment, and the ranges within which a threshold makes sense.

The ranges stand here because three places keep to them: a stack's settings, these environments, and what a client may
ask for when it opens a session.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

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

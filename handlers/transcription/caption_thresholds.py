"""Thresholds that decide when captions are shown: those of the stack, and their overrides by a session.

The thresholds are set in seconds. `caption_decisions`, which applies them, reads them as whole milliseconds.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from handlers.transcription.audio_processor.environment import ProcessorEnvironment
from handlers.transcription.environment import (
    BufferSeconds,
    DedupSeconds,
    OrphanSeconds,
    PauseSeconds,
    RatePerSecond,
    Stability,
)


class SessionSettings(BaseModel):
    """Thresholds that a client can set when it opens a session. Field names are camelCase in messages.

    For an absent field, the value of the stack applies. A session cannot enable partial captions if the stack disables
    them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        hide_input_in_errors=True,
    )

    # `handlers/transcription/environment.py` defines the meaning and the range of each type.
    partial_results_enabled: bool | None = None
    min_stability_threshold: Stability | None = None
    max_buffer_timeout: BufferSeconds | None = None
    pause_threshold: PauseSeconds | None = None
    orphan_timeout: OrphanSeconds | None = None
    max_rate_per_second: RatePerSecond | None = None
    dedup_cache_ttl: DedupSeconds | None = None


class CaptionThresholds(ProcessorEnvironment):
    """Environment of the audio processor, with additional properties for the thresholds in milliseconds."""

    def for_session(self, settings: SessionSettings) -> Self:
        overridden = self.model_copy(update=settings.model_dump(exclude_none=True))
        enabled = self.partial_results_enabled and overridden.partial_results_enabled
        return overridden.model_copy(update={"partial_results_enabled": enabled})

    @property
    def max_buffer_ms(self) -> int:
        return round(self.max_buffer_timeout * 1000)

    @property
    def pause_ms(self) -> int:
        return round(self.pause_threshold * 1000)

    @property
    def orphan_ms(self) -> int:
        return round(self.orphan_timeout * 1000)

    @property
    def dedup_ms(self) -> int:
        return self.dedup_cache_ttl * 1000

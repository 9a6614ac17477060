"""The thresholds of captions: a deployment's, and what a session may have otherwise. Pure.

They are in seconds, as people think of them; the rules count in whole milliseconds, as they compare them.
"""

from typing import Self

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from handlers.transcription.environment import (
    BufferSeconds,
    DedupSeconds,
    OrphanSeconds,
    PauseSeconds,
    ProcessorEnvironment,
    RatePerSecond,
    Stability,
)


class SessionSettings(BaseModel):
    """What a client may ask for when it opens a session: camelCase outside; what is absent stays as deployed.

    Partials that the deployment has off stay off, whatever a session asks for.
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

    partial_results_enabled: bool | None = None
    min_stability_threshold: Stability | None = None
    max_buffer_timeout: BufferSeconds | None = None
    pause_threshold: PauseSeconds | None = None
    orphan_timeout: OrphanSeconds | None = None
    max_rate_per_second: RatePerSecond | None = None
    dedup_cache_ttl: DedupSeconds | None = None


class CaptionThresholds(ProcessorEnvironment):
    """The environment of the processor, with its thresholds as the rules of one stream need them."""

    def for_session(self, settings: SessionSettings) -> Self:
        """The same, but for what a session asks for; it may turn partials off, never on."""
        asked = self.model_copy(update=settings.model_dump(exclude_none=True))
        shown = self.partial_results_enabled and asked.partial_results_enabled
        return asked.model_copy(update={"partial_results_enabled": shown})

    @property
    def max_buffer_ms(self) -> int:
        """How long a partial waits at most, and a final for those before it."""
        return round(self.max_buffer_timeout * 1000)

    @property
    def pause_ms(self) -> int:
        """How long nothing new has to come until what is known is worth showing."""
        return round(self.pause_threshold * 1000)

    @property
    def orphan_ms(self) -> int:
        """How long after a result's last version its final is given up."""
        return round(self.orphan_timeout * 1000)

    @property
    def dedup_ms(self) -> int:
        """How long a text is not shown again; 0 where it may be at once."""
        return self.dedup_cache_ttl * 1000

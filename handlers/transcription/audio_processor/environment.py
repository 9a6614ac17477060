"""Environment variables of the audio processor."""

from handlers.transcription.environment import (
    BufferSeconds,
    DedupSeconds,
    OrphanSeconds,
    PauseSeconds,
    RatePerSecond,
    Stability,
    TranscriptionEnvironment,
)


class ProcessorEnvironment(TranscriptionEnvironment):
    """Environment variables of the audio processor. Most are thresholds that decide when captions are shown.

    The types of the thresholds, in `handlers/transcription/environment.py`, define their meaning and range. The
    defaults are those of the product requirements (docs/requirements.md). A stack can set other values, and a session
    can override them.
    """

    partial_results_enabled: bool = True
    """False to show only final captions, and no captions that may still change."""
    min_stability_threshold: Stability = 0.85
    max_buffer_timeout: BufferSeconds = 5.0
    pause_threshold: PauseSeconds = 2.0
    orphan_timeout: OrphanSeconds = 15.0
    max_rate_per_second: RatePerSecond = 5
    dedup_cache_ttl: DedupSeconds = 10
    aws_endpoint_url_transcribe_streaming: str | None = None
    """Endpoint of Amazon Transcribe, if it is not the region's usual one."""

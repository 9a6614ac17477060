"""Environment variables of the audio processor."""

from handlers.transcription.caption_thresholds import CaptionThresholds
from handlers.transcription.environment import LastResultsMs, TranscriptionEnvironment


class ProcessorEnvironment(CaptionThresholds, TranscriptionEnvironment):
    """Environment variables of the audio processor. Most are thresholds that decide when captions are shown."""

    last_results_ms: LastResultsMs
    """Time beyond the length of an utterance that its transcription may take."""
    aws_endpoint_url_transcribe_streaming: str | None = None
    """Endpoint of Amazon Transcribe, if it is not the region's usual one."""

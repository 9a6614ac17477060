"""Speech into captions while it is spoken."""

from components.transcription.transcription import Transcription, TranscriptionArgs
from components.transcription.usage import monthly_usage

__all__ = ["Transcription", "TranscriptionArgs", "monthly_usage"]

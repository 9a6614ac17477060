"""Resources of transcription, which turns speech into live captions."""

from components.transcription.transcription import Transcription, TranscriptionArgs
from components.transcription.usage_estimate import NOT_BACKED_UP, monthly_usage

__all__ = ["NOT_BACKED_UP", "Transcription", "TranscriptionArgs", "monthly_usage"]

"""Resources of voice Q&A, which answers spoken and written questions about lectures."""

from components.voice_qa.usage_estimate import monthly_usage
from components.voice_qa.voice_qa import VoiceQa, VoiceQaArgs

__all__ = ["VoiceQa", "VoiceQaArgs", "monthly_usage"]

"""Typed settings of a stack: one model for each section of a stack file, and the function that loads them."""

from components.settings.base import Environment, FunctionSettings, LogLevel
from components.settings.foundation import Auth, FoundationSettings
from components.settings.ingestion import IngestionSettings
from components.settings.livestream import LivestreamSettings
from components.settings.load import SettingsError, load_settings
from components.settings.meetings import MeetingsSettings
from components.settings.stack import StackSettings
from components.settings.transcription import TranscriptionSettings
from components.settings.voice_qa import VoiceQaSettings

__all__ = [
    "Auth",
    "Environment",
    "FoundationSettings",
    "FunctionSettings",
    "IngestionSettings",
    "LivestreamSettings",
    "LogLevel",
    "MeetingsSettings",
    "SettingsError",
    "StackSettings",
    "TranscriptionSettings",
    "VoiceQaSettings",
    "load_settings",
]

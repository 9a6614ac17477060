"""Typed settings of a stack: the models, and the loader that reads a stack's configuration into them."""

from components.settings.error_messages import SettingsError, SettingsProblem
from components.settings.foundation import Auth, FoundationSettings
from components.settings.ingestion import IngestionSettings
from components.settings.livestream import LivestreamSettings
from components.settings.loader import load_settings
from components.settings.meetings import MeetingsSettings
from components.settings.settings_base import Environment, FunctionSettings, LogLevel
from components.settings.stack import PolicyException, StackSettings
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
    "PolicyException",
    "SettingsError",
    "SettingsProblem",
    "StackSettings",
    "TranscriptionSettings",
    "VoiceQaSettings",
    "load_settings",
]

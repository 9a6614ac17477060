"""The whole of a stack's settings: one field for each key below `polyphony:` in a stack file."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from components.settings.foundation import FoundationSettings
from components.settings.ingestion import IngestionSettings
from components.settings.livestream import LivestreamSettings
from components.settings.meetings import MeetingsSettings
from components.settings.settings_base import Environment, SettingsModel
from components.settings.transcription import TranscriptionSettings
from components.settings.voice_qa import VoiceQaSettings

Reason = Annotated[str, StringConstraints(min_length=15)]


class PolicyException(SettingsModel):
    """One policy that one resource may break for a while."""

    policy: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]+$")]
    """The policy's name, as in docs/policies.md."""
    resource: Annotated[str, StringConstraints(min_length=1)]
    """The resource's Pulumi name (the last part of its URN)."""
    reason: Reason
    """Why, in a sentence."""
    expires: date
    """The last day on which the exception holds."""


class StackSettings(SettingsModel):
    """Everything a stack file may say below `polyphony:`."""

    environment: Environment
    """How much the stack matters. Never derived from the stack's name."""
    exceptions: tuple[PolicyException, ...]
    """Policies that resources of this stack may break for a while; usually an empty list."""
    foundation: FoundationSettings
    ingestion: IngestionSettings = IngestionSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    voice_qa: VoiceQaSettings = VoiceQaSettings()
    livestream: LivestreamSettings = LivestreamSettings()
    meetings: MeetingsSettings = MeetingsSettings()

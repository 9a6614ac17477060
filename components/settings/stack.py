"""Settings of a whole stack: one field for each key below `polyphony:` in a stack file."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from components.settings.base import Environment, SettingsModel
from components.settings.foundation import FoundationSettings
from components.settings.ingestion import IngestionSettings
from components.settings.livestream import LivestreamSettings
from components.settings.meetings import MeetingsSettings
from components.settings.transcription import TranscriptionSettings
from components.settings.voice_qa import VoiceQaSettings
from handlers.common.json_models import TextForm

SECRETS = ("voiceQa.guestIdKey", "livestream.encryptionKey")
"""Keys of all secret settings. Each is required if its subsystem is enabled."""


class PolicyException(SettingsModel):
    """Permission for one resource to violate one policy until a date."""

    policy: Annotated[str, TextForm(r"^[a-z][a-z0-9-]+$", "must be the name of a policy in docs/reference/policies.md")]
    """Name of the policy, as in docs/reference/policies.md."""
    resource: Annotated[str, StringConstraints(min_length=1)]
    """Pulumi name of the resource: the last part of its URN. `platform` means the whole stack."""
    reason: Annotated[str, StringConstraints(min_length=15)]
    """Reason for the exception, as a sentence."""
    expires: date
    """Last day on which the exception is valid."""


class StackSettings(SettingsModel):
    """All settings of a stack file below `polyphony:`."""

    environment: Environment
    """Kind of the stack. It is never derived from the stack's name."""
    exceptions: tuple[PolicyException, ...] = ()
    """Policies that resources of this stack may violate until a date; usually none."""
    foundation: FoundationSettings
    ingestion: IngestionSettings = IngestionSettings()
    transcription: TranscriptionSettings = TranscriptionSettings()
    voice_qa: VoiceQaSettings = VoiceQaSettings()
    livestream: LivestreamSettings = LivestreamSettings()
    meetings: MeetingsSettings = MeetingsSettings()

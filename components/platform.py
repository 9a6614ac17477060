"""The whole platform: the foundation, and the subsystems that are enabled.

Publishes what the policies judge by (`environment`, `usage`, `budget`, `exceptions`) both as its inputs and as its
outputs, because the engine shows resource policies the one and stack policies the other.
"""

from collections.abc import Mapping

import pulumi

from components.blocks.context import Context, Subsystem
from components.foundation import Foundation
from components.ingestion import Ingestion, IngestionArgs
from components.ingestion import attached_services as ingestion_services
from components.livestream import Livestream, LivestreamArgs
from components.meetings import Meetings, MeetingsArgs
from components.outputs import frontend
from components.settings import (
    IngestionSettings,
    LivestreamSettings,
    MeetingsSettings,
    StackSettings,
    TranscriptionSettings,
    VoiceQaSettings,
)
from components.transcription import Transcription, TranscriptionArgs
from components.usage import monthly_usage
from components.voice_qa import VoiceQa, VoiceQaArgs


def attached_services(settings: StackSettings) -> Mapping[str, str]:
    """The services that functions and jobs inside the network call; nothing attached, no network."""
    ingestion = settings.ingestion
    return ingestion_services(ingestion) if ingestion.enabled and ingestion.network_attached else {}


class Platform(pulumi.ComponentResource):
    """Everything of one stack."""

    frontend: dict[str, object]

    def __init__(
        self, name: str, context: Context, settings: StackSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        published = {
            "environment": settings.environment.value,
            "budget": settings.foundation.spend.monthly_budget,
            "usage": monthly_usage(settings),
            "exceptions": [one.model_dump(mode="json", by_alias=True) for one in settings.exceptions],
        }
        super().__init__("polyphony:platform:Platform", name, published, opts)
        self._foundation = Foundation(context, settings.foundation, attached_services(settings), self._child())
        ingestion = self._ingestion(settings.ingestion) if settings.ingestion.enabled else None
        transcription = self._transcription(settings.transcription) if settings.transcription.enabled else None
        voice_qa = self._voice_qa(settings.voice_qa) if settings.voice_qa.enabled else None
        livestream = self._livestream(settings.livestream) if settings.livestream.enabled else None
        meetings = self._meetings(settings.meetings) if settings.meetings.enabled else None
        self.frontend = frontend(
            settings.environment,
            context.region,
            {
                "ingestion": ingestion,
                "transcription": transcription,
                "voice_qa": voice_qa,
                "livestream": livestream,
                "meetings": meetings,
            },
        )
        self.register_outputs({**published, "frontend": self.frontend})

    def _child(self) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(parent=self)

    def _ingestion(self, settings: IngestionSettings) -> dict[str, pulumi.Input[object]]:
        scope = self._foundation.scope(Subsystem.INGESTION, settings.log_level)
        return Ingestion("ingestion", IngestionArgs(scope, settings, self._foundation.network), self._child()).frontend

    def _transcription(self, settings: TranscriptionSettings) -> dict[str, pulumi.Input[object]]:
        scope = self._foundation.scope(Subsystem.TRANSCRIPTION, settings.log_level)
        return Transcription("transcription", TranscriptionArgs(scope, settings), self._child()).frontend

    def _voice_qa(self, settings: VoiceQaSettings) -> dict[str, pulumi.Input[object]]:
        scope = self._foundation.scope(Subsystem.VOICE_QA, settings.log_level)
        return VoiceQa("voice-qa", VoiceQaArgs(scope, settings), self._child()).frontend

    def _livestream(self, settings: LivestreamSettings) -> dict[str, pulumi.Input[object]]:
        scope = self._foundation.scope(Subsystem.LIVESTREAM, settings.log_level)
        return Livestream("livestream", LivestreamArgs(scope, settings), self._child()).frontend

    def _meetings(self, settings: MeetingsSettings) -> dict[str, pulumi.Input[object]]:
        scope = self._foundation.scope(Subsystem.MEETINGS, settings.log_level)
        return Meetings("meetings", MeetingsArgs(scope, settings), self._child()).frontend

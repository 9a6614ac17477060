"""Component of a whole stack: the foundation and the enabled subsystems.

Policies read the account, the environment, the usage, the budget and the exceptions from this component. Its inputs and
its outputs both contain these values, because Pulumi shows inputs to resource policies and outputs to stack policies.
"""

from collections.abc import Callable, Mapping
from typing import Protocol

import pulumi

from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.subsystem_scope import Scope
from components.foundation import Foundation
from components.frontend_output import build_frontend
from components.ingestion import Ingestion, IngestionArgs
from components.ingestion import attached_services as ingestion_services
from components.livestream import Livestream, LivestreamArgs
from components.meetings import Meetings, MeetingsArgs
from components.platform_usage import monthly_usage
from components.settings import StackSettings
from components.settings.foundation import IdentitySettings
from components.settings.settings_base import SubsystemSettings
from components.transcription import Transcription, TranscriptionArgs
from components.voice_qa import VoiceQa, VoiceQaArgs


class SubsystemComponent(Protocol):
    """Component of one subsystem."""

    @property
    def frontend(self) -> Mapping[str, pulumi.Input[object]]:
        """Values that the subsystem adds to the stack output `frontend`."""


def attached_services(settings: StackSettings) -> Mapping[str, str]:
    """Return the AWS services that functions and jobs in the network call, each with the reason.

    The result is empty if nothing is attached to the network, which is then not created.
    """
    ingestion = settings.ingestion
    return ingestion_services(ingestion) if ingestion.enabled and ingestion.network_attached else {}


def _describe_identity(identity: IdentitySettings) -> Mapping[str, str] | None:
    """Return the identity provider's part of the output `frontend`, or None if the settings name no provider."""
    if identity.issuer is None or identity.audience is None:
        return None
    return {"auth": identity.auth.value, "issuer": str(identity.issuer), "audience": identity.audience}


class Platform(pulumi.ComponentResource):
    frontend: dict[str, object]

    def __init__(
        self, name: str, context: Context, settings: StackSettings, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        policy_values = {
            "account": context.account,
            "environment": settings.environment.value,
            "budget": settings.foundation.spend.monthly_budget,
            "usage": monthly_usage(settings),
            "exceptions": [exception.model_dump(mode="json", by_alias=True) for exception in settings.exceptions],
        }
        super().__init__("polyphony:platform:Platform", name, policy_values, opts)
        child = pulumi.ResourceOptions(parent=self)
        foundation = Foundation(context, settings.foundation, attached_services(settings), child)

        def create_subsystem(
            subsystem: Subsystem, subsystem_settings: SubsystemSettings, create: Callable[[Scope], SubsystemComponent]
        ) -> Mapping[str, pulumi.Input[object]] | None:
            """Create a subsystem if it is enabled, and return its part of the output `frontend`."""
            return (
                create(foundation.scope(subsystem, subsystem_settings.log_level)).frontend
                if subsystem_settings.enabled
                else None
            )

        ingestion, transcription, voice_qa = settings.ingestion, settings.transcription, settings.voice_qa
        livestream, meetings = settings.livestream, settings.meetings
        self.frontend = build_frontend(
            settings.environment,
            context.region,
            {
                "identity": _describe_identity(settings.foundation.identity),
                "ingestion": create_subsystem(
                    Subsystem.INGESTION,
                    ingestion,
                    lambda scope: Ingestion("ingestion", IngestionArgs(scope, ingestion, foundation.network), child),
                ),
                "transcription": create_subsystem(
                    Subsystem.TRANSCRIPTION,
                    transcription,
                    lambda scope: Transcription("transcription", TranscriptionArgs(scope, transcription), child),
                ),
                "voice_qa": create_subsystem(
                    Subsystem.VOICE_QA, voice_qa, lambda scope: VoiceQa("voice-qa", VoiceQaArgs(scope, voice_qa), child)
                ),
                "livestream": create_subsystem(
                    Subsystem.LIVESTREAM,
                    livestream,
                    lambda scope: Livestream("livestream", LivestreamArgs(scope, livestream), child),
                ),
                "meetings": create_subsystem(
                    Subsystem.MEETINGS,
                    meetings,
                    lambda scope: Meetings("meetings", MeetingsArgs(scope, meetings), child),
                ),
            },
        )
        self.register_outputs({**policy_values, "frontend": self.frontend})

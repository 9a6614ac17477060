"""Component of a whole stack: the foundation (resources that the subsystems share) and the enabled subsystems.

The guardrail policies (`policies/`) read the account, the environment, the estimated usage, the budget and the
exceptions to policies from this component. Its inputs and its outputs both contain these values. Pulumi shows the inputs to policies that check one
resource, and the outputs to policies that check the whole stack.
"""

from collections.abc import Callable, Mapping
from typing import Protocol, TypeVar

import pulumi

from components.blocks.naming.context import Context, Subsystem
from components.blocks.naming.subsystem_scope import Scope
from components.foundation import Foundation
from components.frontend_output import build_frontend
from components.ingestion import Ingestion, IngestionArgs
from components.ingestion import list_endpoint_services as ingestion_endpoint_services
from components.livestream import Livestream, LivestreamArgs
from components.meetings import Meetings, MeetingsArgs
from components.overview_dashboard import create_overview_dashboard
from components.settings import IngestionSettings, StackSettings
from components.settings.foundation import IdentitySettings
from components.settings.settings_base import SubsystemSettings
from components.stack_usage_estimate import monthly_usage
from components.transcription import Transcription, TranscriptionArgs
from components.voice_qa import VoiceQa, VoiceQaArgs

SettingsT = TypeVar("SettingsT", bound=SubsystemSettings)
ArgsT = TypeVar("ArgsT")


class SubsystemComponent(Protocol):
    """Component of one subsystem."""

    @property
    def frontend(self) -> Mapping[str, pulumi.Input[object]]:
        """Values that the subsystem adds to the stack output `frontend`."""


def list_endpoint_services(settings: StackSettings) -> Mapping[str, str]:
    """Return the AWS services that need an endpoint in the network of functions and jobs, each with the reason.

    The result is empty if nothing is attached to the network, which is then not created.
    """
    ingestion = settings.ingestion
    return ingestion_endpoint_services(ingestion) if ingestion.enabled and ingestion.network_attached else {}


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
        foundation = Foundation(context, settings.foundation, list_endpoint_services(settings), child)

        def create_subsystem(
            subsystem: Subsystem,
            subsystem_settings: SettingsT,
            component: Callable[[str, ArgsT, pulumi.ResourceOptions], SubsystemComponent],
            arguments: Callable[[Scope, SettingsT], ArgsT],
        ) -> Mapping[str, pulumi.Input[object]] | None:
            """Create a subsystem if it is enabled, and return its part of the output `frontend`."""
            if not subsystem_settings.enabled:
                return None
            scope = foundation.scope(subsystem, subsystem_settings.log_level)
            return component(subsystem.value, arguments(scope, subsystem_settings), child).frontend

        def ingestion_args(scope: Scope, ingestion: IngestionSettings) -> IngestionArgs:
            return IngestionArgs(scope, ingestion, foundation.network)

        parts = {
            "identity": _describe_identity(settings.foundation.identity),
            "ingestion": create_subsystem(Subsystem.INGESTION, settings.ingestion, Ingestion, ingestion_args),
            "transcription": create_subsystem(
                Subsystem.TRANSCRIPTION, settings.transcription, Transcription, TranscriptionArgs
            ),
            "voice_qa": create_subsystem(Subsystem.VOICE_QA, settings.voice_qa, VoiceQa, VoiceQaArgs),
            "livestream": create_subsystem(Subsystem.LIVESTREAM, settings.livestream, Livestream, LivestreamArgs),
            "meetings": create_subsystem(Subsystem.MEETINGS, settings.meetings, Meetings, MeetingsArgs),
        }
        create_overview_dashboard(context, pulumi.ResourceOptions(parent=foundation))
        self.frontend = build_frontend(settings.environment, context.region, parts)
        self.register_outputs({**policy_values, "frontend": self.frontend})

"""Component of a whole stack: the foundation (resources that the subsystems share) and the enabled subsystems.

The guardrail policies (`policies/`) read the account, the environment, the estimated usage, the budget and the
exceptions to policies from this component. Its inputs and its outputs both contain these values. Pulumi shows the inputs
to policies that check one resource, and the outputs to policies that check the whole stack.
"""

from collections.abc import Mapping

import pulumi

from components.core import Context, Subsystem
from components.cost import monthly_usage
from components.foundation import Foundation
from components.frontend_output import build_frontend
from components.ingestion.ingestion import Ingestion, IngestionArgs
from components.livestream.livestream import Livestream, LivestreamArgs
from components.meetings.meetings import Meetings, MeetingsArgs
from components.overview_dashboard import create_overview_dashboard
from components.settings import StackSettings
from components.transcription.transcription import Transcription, TranscriptionArgs
from components.voice_qa.voice_qa import VoiceQa, VoiceQaArgs


class Platform(pulumi.ComponentResource):
    """Outermost component of a stack. It creates all others."""

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
        foundation = Foundation(context, settings.foundation, child, table_key_arn=settings.meetings.table_kms_key)
        parts: dict[str, Mapping[str, pulumi.Input[object]]] = {}
        identity = settings.foundation.identity
        if identity.issuer is not None and identity.audience is not None:
            parts["identity"] = {
                "auth": identity.auth.value,
                "issuer": str(identity.issuer),
                "audience": identity.audience,
            }
        if settings.ingestion.enabled:
            scope = foundation.scope(Subsystem.INGESTION, settings.ingestion.log_level)
            parts["ingestion"] = Ingestion("ingestion", IngestionArgs(scope, settings.ingestion), child).frontend
        if settings.transcription.enabled:
            scope = foundation.scope(Subsystem.TRANSCRIPTION, settings.transcription.log_level)
            transcription_args = TranscriptionArgs(scope, settings.transcription)
            parts["transcription"] = Transcription("transcription", transcription_args, child).frontend
        if settings.voice_qa.enabled:
            scope = foundation.scope(Subsystem.VOICE_QA, settings.voice_qa.log_level)
            parts["voice_qa"] = VoiceQa("voice-qa", VoiceQaArgs(scope, settings.voice_qa), child).frontend
        if settings.livestream.enabled:
            scope = foundation.scope(Subsystem.LIVESTREAM, settings.livestream.log_level)
            parts["livestream"] = Livestream("livestream", LivestreamArgs(scope, settings.livestream), child).frontend
        if settings.meetings.enabled:
            scope = foundation.scope(Subsystem.MEETINGS, settings.meetings.log_level)
            parts["meetings"] = Meetings("meetings", MeetingsArgs(scope, settings.meetings), child).frontend
        create_overview_dashboard(context, pulumi.ResourceOptions(parent=foundation))
        self.frontend = build_frontend(settings.environment, context.region, parts)
        self.register_outputs({**policy_values, "frontend": self.frontend})

"""Component of a whole stack: the foundation (resources that the subsystems share) and the enabled subsystems.

The entry point `__main__.py` creates it. The guardrail policies (`policies/`) read five values from this component: the
account, the environment, the estimated usage, the budget, and the exceptions (violations of a policy that the settings
permit until a date). Its inputs and its outputs both contain these values. Pulumi shows the inputs to policies that check
one resource, and the outputs to policies that check the whole stack.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pulumi

from components.core import Context, Subsystem, SubsystemArgs
from components.foundation import Foundation
from components.frontend_output import build_frontend
from components.ingestion.cost import monthly_usage as ingestion_usage
from components.ingestion.ingestion import Ingestion
from components.livestream.cost import monthly_usage as livestream_usage
from components.livestream.livestream import Livestream
from components.meetings.cost import monthly_usage as meetings_usage
from components.meetings.meetings import Meetings
from components.overview_dashboard import create_overview_dashboard
from components.settings import StackSettings
from components.settings.base import SubsystemSettings
from components.transcription.cost import monthly_usage as transcription_usage
from components.transcription.transcription import Transcription
from components.usage_formulas import Usage
from components.voice_qa.cost import monthly_usage as voice_qa_usage
from components.voice_qa.voice_qa import VoiceQa

SUBSYSTEMS: Mapping[Subsystem, tuple[Callable[..., Any], Callable[[Any], Usage]]] = {
    Subsystem.INGESTION: (Ingestion, ingestion_usage),
    Subsystem.TRANSCRIPTION: (Transcription, transcription_usage),
    Subsystem.VOICE_QA: (VoiceQa, voice_qa_usage),
    Subsystem.LIVESTREAM: (Livestream, livestream_usage),
    Subsystem.MEETINGS: (Meetings, meetings_usage),
}
"""Component of each subsystem, and the function that returns its monthly usage."""


class Platform(pulumi.ComponentResource):
    """Outermost component of a stack. It creates all others."""

    frontend: dict[str, object]
    """Value of the stack output `frontend`."""

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
        for subsystem, section in _enabled_sections(settings).items():
            component, _ = SUBSYSTEMS[subsystem]
            args = SubsystemArgs(foundation.scope(subsystem, section.log_level), section)
            parts[subsystem.package] = component(subsystem, args, child).frontend
        create_overview_dashboard(context, pulumi.ResourceOptions(parent=foundation))
        self.frontend = build_frontend(settings.environment, context.region, parts)
        self.register_outputs({**policy_values, "frontend": self.frontend})


def _enabled_sections(settings: StackSettings) -> dict[Subsystem, SubsystemSettings]:
    """Return the settings of the enabled subsystems."""
    sections = {subsystem: getattr(settings, subsystem.package) for subsystem in SUBSYSTEMS}
    return {subsystem: section for subsystem, section in sections.items() if section.enabled}


def monthly_usage(settings: StackSettings) -> Usage:
    """Return the monthly usage of the whole stack, for the cost model: Pulumi name of a component → measure → amount."""
    usage: Usage = {}
    for subsystem, section in _enabled_sections(settings).items():
        _, compute_usage = SUBSYSTEMS[subsystem]
        usage |= compute_usage(section)
    # AWS Backup makes a full copy of the table `meetings-meetings` once a day, and keeps it for `retention_days`. So it
    # stores `retention_days` copies.
    table_gb = usage["meetings-meetings"]["storageGb"] if settings.meetings.enabled else 0
    return {
        **usage,
        # The notifications of alarms and the access logs count as 0, because they cost only cents.
        "foundation": {"backupGb": table_gb * settings.foundation.backup.retention_days, "published": 0, "emails": 0},
        "foundation-audit-logs": {"storageGb": 0, "puts": 0, "gets": 0},
    }

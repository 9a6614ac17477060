"""Monthly usage of the whole stack, for the cost model: the usage of each enabled subsystem, and the backup storage."""

from components.ingestion.cost import monthly_usage as ingestion_usage
from components.livestream.cost import monthly_usage as livestream_usage
from components.meetings.cost import monthly_usage as meetings_usage
from components.settings import StackSettings
from components.transcription.cost import monthly_usage as transcription_usage
from components.usage_formulas import Usage
from components.voice_qa.cost import monthly_usage as voice_qa_usage


def monthly_usage(settings: StackSettings) -> Usage:
    usage: Usage = {
        **(ingestion_usage(settings.ingestion) if settings.ingestion.enabled else {}),
        **(transcription_usage(settings.transcription) if settings.transcription.enabled else {}),
        **(voice_qa_usage(settings.voice_qa) if settings.voice_qa.enabled else {}),
        **(livestream_usage(settings.livestream) if settings.livestream.enabled else {}),
        **(meetings_usage(settings.meetings) if settings.meetings.enabled else {}),
    }
    # AWS Backup makes a full copy of the table of meetings once a day, and keeps it for `retention_days`. So it stores
    # `retention_days` copies.
    table_gb = usage["meetings-meetings"]["storageGb"] if settings.meetings.enabled else 0
    return {
        **usage,
        # The notifications of alarms and the access logs count as 0, because they cost only cents.
        "foundation": {
            "backupGb": table_gb * settings.foundation.backup.retention_days,
            "published": 0,
            "emails": 0,
        },
        "foundation-audit-logs": {"storageGb": 0, "puts": 0, "gets": 0},
    }

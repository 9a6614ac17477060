"""Monthly usage of the whole stack, for the cost model: the usage of each enabled subsystem, and the backup storage."""

from components.ingestion import monthly_usage as ingestion_usage
from components.livestream import monthly_usage as livestream_usage
from components.meetings import monthly_usage as meetings_usage
from components.settings import StackSettings
from components.transcription import NOT_BACKED_UP
from components.transcription import monthly_usage as transcription_usage
from components.usage_formulas import Usage
from components.voice_qa import monthly_usage as voice_qa_usage


def monthly_usage(settings: StackSettings) -> Usage:
    usage: Usage = {
        **(ingestion_usage(settings.ingestion) if settings.ingestion.enabled else {}),
        **(transcription_usage(settings.transcription) if settings.transcription.enabled else {}),
        **(voice_qa_usage(settings.voice_qa) if settings.voice_qa.enabled else {}),
        **(livestream_usage(settings.livestream) if settings.livestream.enabled else {}),
        **(meetings_usage(settings.meetings) if settings.meetings.enabled else {}),
    }
    # AWS Backup makes a full copy of each table once a day, and keeps it for `retention_days`. So it stores
    # `retention_days` copies. Only tables have an amount `writes`; NOT_BACKED_UP names the tables without backup.
    tables = (amounts for name, amounts in usage.items() if "writes" in amounts and name not in NOT_BACKED_UP)
    table_gb = sum(amounts["storageGb"] for amounts in tables)
    return {
        **usage,
        "foundation-backup": {"backupGb": table_gb * settings.foundation.backup.retention_days},
        # Left out, because access logs and the notifications of alarms cost only cents.
        "foundation-audit-logs": {"storageGb": 0, "puts": 0, "gets": 0},
        "foundation-alerts": {"published": 0, "emails": 0},
    }

"""How much the whole platform is used in a month: each enabled subsystem's own figures, and what follows from them."""

from components.ingestion import monthly_usage as ingestion_usage
from components.livestream import monthly_usage as livestream_usage
from components.meetings import monthly_usage as meetings_usage
from components.settings import StackSettings
from components.transcription import NOT_BACKED_UP
from components.transcription import monthly_usage as transcription_usage
from components.usage_measures import Usage
from components.voice_qa import monthly_usage as voice_qa_usage


def monthly_usage(settings: StackSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    usage: Usage = {
        **(ingestion_usage(settings.ingestion) if settings.ingestion.enabled else {}),
        **(transcription_usage(settings.transcription) if settings.transcription.enabled else {}),
        **(voice_qa_usage(settings.voice_qa) if settings.voice_qa.enabled else {}),
        **(livestream_usage(settings.livestream) if settings.livestream.enabled else {}),
        **(meetings_usage(settings.meetings) if settings.meetings.enabled else {}),
    }
    # Every recovery point is a whole copy of its table, and tables are what publishes writes.
    saved = (one for name, one in usage.items() if "writes" in one and name not in NOT_BACKED_UP)
    tables = sum(one["storageGb"] for one in saved)
    return {**usage, "foundation-backup": {"backupGb": tables * settings.foundation.backup.retention_days}}

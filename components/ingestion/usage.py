"""How much ingestion is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks. Figures that no document gives are marked as assumed.
"""

from components.settings.ingestion import IngestionSettings

DAYS = 30
MILLISECONDS_PER_FILE = 10
"""Assumed: the time one tracked file takes of an invocation."""
MILLISECONDS_PER_BATCH = 60
"""Assumed: what one invocation takes besides its files."""
RECORD_BYTES = 500
"""Assumed: the size of one file's record."""
AVERAGE_BATCH = 2
"""Assumed: files in a batch at this load; the window is short against the time between files."""
LOG_BYTES_PER_INVOCATION = 600
"""Assumed."""

Usage = dict[str, dict[str, float]]


def monthly_usage(settings: IngestionSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    files = settings.load.files_per_day * DAYS
    gigabytes_a_day = settings.load.files_per_day * settings.load.file_megabytes / 1024
    batches = files / AVERAGE_BATCH
    milliseconds = MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * AVERAGE_BATCH
    return {
        "ingestion-landing": {
            "storageGb": gigabytes_a_day * settings.intake.landing_days,
            "puts": files,
            "gets": files,
        },
        "ingestion-intake": {"messages": files, "batches": batches},
        "ingestion-manifest-builder": {
            "invocations": batches,
            "milliseconds": milliseconds,
            "logGb": batches * LOG_BYTES_PER_INVOCATION / 1024**3,
        },
        "ingestion-files": {
            "writes": files,
            "reads": 0,
            "storageGb": settings.load.files_per_day * settings.intake.table_record_days * RECORD_BYTES / 1024**3,
        },
    }

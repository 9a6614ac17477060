"""How much ingestion is used in a month, from its load settings: what the cost model prices.

Keys are the Pulumi names of the blocks, measures those that the cost model's rules read. Figures that no document gives
are constants here, each marked as assumed; benchmarks/ measures those that can be measured.
"""

from components.settings.ingestion import IngestionSettings
from components.usage_measures import DAYS, GB, Usage, of_function
from handlers.ingestion.environment_bases import OPEN_SHARDS

OLD_VERSION_DAYS = 7
"""Days that an overwritten or deleted version stays in the landing bucket."""
MILLISECONDS_PER_FILE = 10
"""Assumed: the time that one tracked file takes of an invocation."""
MILLISECONDS_PER_BATCH = 60
"""Assumed: what one invocation takes besides its files."""
RECORD_BYTES = 700
"""Assumed: the size of one file's record, its index entry included."""
LOG_BYTES_PER_RUN = 200_000
"""Assumed: what one Spark run writes to its three log groups, each."""
PARQUET_SHARE = 0.2
"""Assumed: the size of zstd Parquet as a share of the NDJSON it was made from."""
LAKE_MONTHS = 12
"""Assumed: months of data in the lake when its cost is looked at; it keeps growing."""
OBJECTS_PER_RUN = 8
"""Assumed: Parquet files, pointers, lists and results that one run writes."""
QUERIED_SHARE = 0.5
"""Assumed: share of the lake that queries of one month scan in all."""
WRITES_PER_FILE = 5
"""Tracked, claimed, noted by the builder, confirmed by the workflow, settled; each a write unit of 1 KB, also where the
condition finds the work done (benchmarks/builder.py counts the first three)."""
INDEX_WRITES_PER_FILE = 4
"""Pending in, pending out, claimed in, claimed out."""
TRANSITIONS_PER_RUN = 6
"""Start, confirm, choose, run, mark, done."""


def monthly_usage(settings: IngestionSettings) -> Usage:
    """Pulumi name of a block → measure → amount a month."""
    files = settings.load.files_per_day * DAYS
    gigabytes = files * settings.load.file_megabytes / 1024
    runs = files / settings.files_per_run
    return {**_intake(settings, files, gigabytes), **_runs(settings, files, runs), **_lake(gigabytes, runs)}


def _intake(settings: IngestionSettings, files: float, gigabytes: float) -> Usage:
    # At a low load the window closes before the batch is full, so the load decides how many batches there are.
    per_window = files / (DAYS * 86_400) * settings.intake.batch_window_seconds
    batches = files / min(settings.intake.batch_size, max(1.0, per_window))
    records_gb = settings.load.files_per_day * settings.intake.table_record_days * RECORD_BYTES / GB
    return {
        "ingestion-landing": {
            # An expired file is an old version first, and kept as long as one.
            "storageGb": gigabytes / DAYS * (settings.intake.landing_days + OLD_VERSION_DAYS),
            "puts": files,
            "gets": files,
        },
        "ingestion-intake": {"messages": files, "batches": batches},
        "ingestion-manifest-builder": of_function(
            batches, MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * files / batches
        ),
        "ingestion-files": {
            "writes": files * WRITES_PER_FILE,
            "indexWrites": files * INDEX_WRITES_PER_FILE,
            "reads": batches * OPEN_SHARDS,
            "storageGb": records_gb,
        },
    }


def _runs(settings: IngestionSettings, files: float, runs: float) -> Usage:
    sweeps = DAYS * 24 * 60 / settings.manifests.sweep_minutes
    steps = 2 * runs
    return {
        "ingestion-spark": {
            "runs": runs,
            "minutes": settings.load.run_minutes,
            "logGb": runs * LOG_BYTES_PER_RUN / GB,
        },
        "ingestion-workflow": {"transitions": runs * TRANSITIONS_PER_RUN, "logGb": 0},
        "ingestion-steps": of_function(steps, MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * files / max(1.0, steps)),
        "ingestion-sweeper": of_function(sweeps, MILLISECONDS_PER_BATCH),
        "ingestion-sweeper-failed": {"messages": 0},
    }


def _lake(gigabytes: float, runs: float) -> Usage:
    kept = gigabytes * PARQUET_SHARE * LAKE_MONTHS
    objects = runs * OBJECTS_PER_RUN
    return {
        "ingestion-lake": {
            "storageGb": kept,
            "puts": objects,
            "gets": objects,
            "tieredObjects": objects,
            "monitoredObjects": objects * LAKE_MONTHS,
        },
        "ingestion-store": {"scannedTb": kept * QUERIED_SHARE / 1024},
    }

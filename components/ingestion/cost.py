"""Monthly usage of ingestion's resources, computed from the load settings. The cost model multiplies it by prices.

`Usage` maps the Pulumi name of each component to its measures, which the price rules of the cost model read.
"""

from components.settings.ingestion import IngestionSettings
from components.usage_formulas import DAYS_PER_MONTH, GB, Usage, function_usage

OLD_VERSION_DAYS = 7  # for which the landing bucket keeps an overwritten or deleted version
WRITES_PER_FILE = 4
"""Writes for one file. The manifest builder records the file, and takes it for a manifest (the list of files for one
Spark run). The workflow takes it again, and then records its result. Each write needs a unit of 1 KB, even if it changes
nothing because the file is already taken."""
INDEX_WRITES_PER_FILE = 2  # add and remove the pending entry
TRANSITIONS_PER_RUN = 6  # start, confirm, choice, run, mark, done

# Assumed, without a source.
MILLISECONDS_PER_FILE = 10  # part of an invocation's duration that each of its files needs
MILLISECONDS_PER_BATCH = 60  # part that does not depend on the number of files
RECORD_BYTES = 700  # of a file's record with its index entry
LOG_BYTES_PER_RUN = 200_000  # that a Spark run writes to each of its two log groups
PARQUET_SHARE = 0.2  # size of zstd Parquet relative to its NDJSON
LAKE_MONTHS = 12  # months of data in the lake at the time of the estimate; the lake keeps growing
OBJECTS_PER_RUN = 8  # that a run writes: Parquet files, pointers, lists and results
QUERIED_SHARE = 0.5  # of the lake that the queries of a month scan in total


def files_per_run(settings: IngestionSettings) -> float:
    """Return the number of files of average size that fill a manifest, which has a maximum number of files and a maximum
    size.
    """
    by_size = settings.manifests.gigabytes * 1024 / settings.load.file_megabytes
    return min(settings.manifests.files, max(1.0, by_size))


def monthly_usage(settings: IngestionSettings) -> Usage:
    load, intake = settings.load, settings.intake
    files = load.files_per_day * DAYS_PER_MONTH
    gigabytes = files * load.file_megabytes / 1024
    # At a low load, the batching window ends before a batch is full, so the load determines the number of batches.
    files_per_window = files / (DAYS_PER_MONTH * 86_400) * intake.batch_window_seconds
    batches = files / min(intake.batch_size, max(1.0, files_per_window))
    runs = files / files_per_run(settings)
    step_calls = 2 * runs  # before and after each run
    sweeps = DAYS_PER_MONTH * 24 * 60 / settings.manifests.sweep_minutes
    lake_gb = gigabytes * PARQUET_SHARE * LAKE_MONTHS
    objects = runs * OBJECTS_PER_RUN
    return {
        "ingestion-landing": {
            # An expired file becomes an old version first, and is kept for another OLD_VERSION_DAYS.
            "storageGb": gigabytes / DAYS_PER_MONTH * (intake.landing_days + OLD_VERSION_DAYS),
            "puts": files,
            "gets": files,
        },
        "ingestion-intake": {"messages": files, "batches": batches},
        "ingestion-manifest-builder": function_usage(
            batches, MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * files / batches
        ),
        "ingestion-files": {
            "writes": files * WRITES_PER_FILE,
            "indexWrites": files * INDEX_WRITES_PER_FILE,
            "reads": batches,
            "storageGb": load.files_per_day * intake.table_record_days * RECORD_BYTES / GB,
        },
        "ingestion-spark": {"runs": runs, "minutes": load.run_minutes, "logGb": runs * LOG_BYTES_PER_RUN / GB},
        "ingestion-workflow": {"transitions": runs * TRANSITIONS_PER_RUN, "logGb": 0},
        "ingestion-steps": function_usage(
            step_calls, MILLISECONDS_PER_BATCH + MILLISECONDS_PER_FILE * files / max(1.0, step_calls)
        ),
        "ingestion-sweeper": function_usage(sweeps, MILLISECONDS_PER_BATCH),
        "ingestion-lake": {
            "storageGb": lake_gb,
            "puts": objects,
            "gets": objects,
            "tieredObjects": objects,
            "monitoredObjects": objects * LAKE_MONTHS,
        },
        # The workgroup of the queries is not in a block, but directly in the component `ingestion`.
        "ingestion": {"scannedTb": lake_gb * QUERIED_SHARE / 1024},
    }

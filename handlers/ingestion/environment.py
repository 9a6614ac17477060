"""Environment variables of ingestion's functions.

The file table is a DynamoDB table with one record for each file and for each manifest. A manifest is a list of files
that one Spark run processes. A pending file waits for a manifest.
"""

from handlers.common.environment import HandlerEnvironment

ALLOWED_SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz", ".json", ".json.gz")
"""Suffixes of the keys of files that are accepted, in upper or lower case."""


class WorkflowStepsEnvironment(HandlerEnvironment):
    """Environment of the function behind the steps of the manifest workflow. All other functions have it too."""

    manifest_table_name: str
    """Name of the file table, which also has the records of manifests."""
    record_days: int
    """Days for which a record is kept."""
    lake_bucket: str
    """Name of the bucket with the lists of manifests and the output of the Spark runs."""


class ManifestCreationEnvironment(WorkflowStepsEnvironment):
    """Environment of the functions that create manifests."""

    state_machine_arn: str
    files_per_manifest: int
    """Number of files of a full manifest."""
    manifest_bytes: int
    """Maximum total size of a manifest's files. A larger file gets a manifest for itself."""


class BuilderEnvironment(ManifestCreationEnvironment):
    """Environment of the manifest builder, which records arrived files and creates full manifests."""

    max_file_bytes: int
    """Maximum size of a file. A larger file is rejected."""
    flush_at_once: bool
    """Create manifests, full or not, of the pending files after each batch of notifications. Only the local platform
    uses this."""


class SweeperEnvironment(ManifestCreationEnvironment):
    """Environment of the sweeper, a scheduled function that also creates manifests that are not full."""

    check_seconds: int = 900
    """Age of a running manifest after which the sweeper checks whether its execution has ended. Step Functions may not
    find an execution directly after its start, and the sweeper would then conclude that it does not exist."""
    flush_seconds: int
    """Time that a pending file waits for enough other files to fill a manifest. After that, the sweeper creates a
    smaller manifest."""

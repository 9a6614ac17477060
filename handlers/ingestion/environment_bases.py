"""Environment variables that several functions of ingestion read, and the limits of their values.

The file table is a DynamoDB table with one record for each file and for each manifest. A manifest is a list of files
that one Spark run processes. A file is pending until it is claimed, that is reserved, for a manifest. The index `open`
of the table lists the pending files, the claimed files and the running manifests.
"""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

MAX_OPEN_SHARDS = 16
"""Maximum number of partitions (`open_shards`) over which the pending files are spread in the index `open`. The sweeper,
a scheduled function, always reads this many. So it also finds the files that were written before `open_shards` was
lowered."""
OPEN_SHARDS = 2
ALLOWED_SUFFIXES = ".ndjson,.ndjson.gz,.jsonl,.jsonl.gz,.json,.json.gz"


class FileTableEnvironment(HandlerEnvironment):
    """Environment of every function that uses the file table."""

    manifest_table_name: str
    """Name of the file table, which also has the records of manifests."""
    record_days: Annotated[int, Field(ge=1)]
    """Days for which a record is kept."""
    open_shards: Annotated[int, Field(ge=1, le=MAX_OPEN_SHARDS)] = OPEN_SHARDS
    """Number of partitions of the index `open` over which pending files are spread. Claimed files are spread over as
    many other partitions."""


class ManifestCreationEnvironment(FileTableEnvironment):
    """Environment of the functions that create manifests."""

    lake_bucket: str
    state_machine_arn: str
    files_per_manifest: Annotated[int, Field(ge=1)] = 200
    """Number of files of a full manifest."""
    manifest_bytes: Annotated[int, Field(ge=1)] = 10 * 1024**3
    """Maximum total size of a manifest's files. A larger file gets a manifest for itself."""

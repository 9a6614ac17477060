"""What ingestion's handlers read from their environment."""

from typing import Annotated

from pydantic import Field

from handlers.common.environment import HandlerEnvironment

MOST_SHARDS = 16
"""Shards of open files that can ever be in use: the sweeper looks into all, so that fewer shards lose nothing."""
OPEN_SHARDS = 2
CLAIM_SECONDS = 900
SUFFIXES = ".ndjson,.ndjson.gz,.jsonl,.jsonl.gz,.json,.json.gz"


class TableEnvironment(HandlerEnvironment):
    """What all of them need."""

    manifest_table_name: str
    record_days: Annotated[int, Field(ge=1)]
    """Days that a record is kept."""
    open_shards: Annotated[int, Field(ge=1, le=MOST_SHARDS)] = OPEN_SHARDS
    """Over how many partitions of the index `open` pending and claimed files are spread."""


class BuilderEnvironment(TableEnvironment):
    """The manifest builder's."""

    lake_bucket: str
    state_machine_arn: str
    files_per_manifest: Annotated[int, Field(ge=1)] = 200
    manifest_bytes: Annotated[int, Field(ge=1)] = 10 * 1024**3
    """Size of a manifest's files together; a larger file has a manifest of its own."""
    allowed_suffixes: str = SUFFIXES
    """Endings of keys that are taken in, separated by commas, in any case; empty allows all."""
    max_file_bytes: Annotated[int, Field(ge=1)] = 5 * 1024**3


class SweeperEnvironment(BuilderEnvironment):
    """The sweeper's: it builds what builders left, so it needs what they need."""

    landing_bucket: str
    landing_prefix: str = "incoming/"
    claim_seconds: Annotated[int, Field(ge=1)] = CLAIM_SECONDS
    """Age from which a claim is looked into: longer than any builder can live (Lambda's limit is 900 seconds)."""
    flush_seconds: Annotated[int, Field(ge=1)] = 3600
    """Age from which a pending file waits no longer for a manifest to be full."""
    reconcile_days: Annotated[int, Field(ge=1)] = 2
    """How far back the daily comparison of bucket and table looks."""
    reconcile_seconds: Annotated[int, Field(ge=1)] = 60
    """The time that one invocation spends on it; the next one goes on where it stopped."""


class StepsEnvironment(TableEnvironment):
    """The workflow's steps'."""

    lake_bucket: str

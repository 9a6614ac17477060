"""Environment of the sweeper.

The sweeper is a scheduled function. It checks old claims: reservations of files by functions that were creating a
manifest (a list of files for one Spark run). It also reconciles: it adds records to the file table for the files that
are in the landing bucket, but not in the table.
"""

from typing import Annotated

from pydantic import Field

from handlers.ingestion.environment_bases import ManifestCreationEnvironment

CLAIM_SECONDS = 900
"""Default of `claim_seconds`. Lambda stops a function after 900 seconds, so nothing still works on an older claim."""


class SweeperEnvironment(ManifestCreationEnvironment):
    """Environment variables of the sweeper. It also creates manifests, so it needs the variables for their creation."""

    landing_bucket: str
    landing_prefix: str = "incoming/"
    """Prefix below which producers upload files."""
    claim_seconds: Annotated[int, Field(ge=1)] = CLAIM_SECONDS
    """Age after which the sweeper checks a claim, or a manifest whose Spark run still counts as running."""
    flush_seconds: Annotated[int, Field(ge=0)] = 3600
    """Time that a pending file waits for enough other files to fill a manifest. After that, the sweeper creates a
    smaller manifest."""
    reconcile_days: Annotated[int, Field(ge=1)] = 2
    """Days by which a reconciliation reaches back before the start of the previous one. A multipart upload appears in the
    bucket only when it ends, but with the time when it began. Without this overlap, its file could be missed."""
    reconcile_seconds: Annotated[int, Field(ge=1)] = 60
    """Time that an invocation spends on reconciliation. The next invocation continues."""

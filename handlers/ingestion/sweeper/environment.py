"""Environment of the sweeper.

The sweeper is a scheduled function. It checks old claims: reservations of files by functions that were creating a
manifest (a list of files for one Spark run).
"""

from typing import Annotated

from pydantic import Field

from handlers.ingestion.environment_bases import ManifestCreationEnvironment

CLAIM_SECONDS = 900
"""Default of `claim_seconds`. Lambda stops a function after 900 seconds, so nothing still works on an older claim."""


class SweeperEnvironment(ManifestCreationEnvironment):
    """Environment variables of the sweeper. It also creates manifests, so it needs the variables for their creation."""

    claim_seconds: Annotated[int, Field(ge=1)] = CLAIM_SECONDS
    """Age after which the sweeper checks a claim, or a manifest whose Spark run still counts as running."""
    flush_seconds: Annotated[int, Field(ge=0)] = 3600
    """Time that a pending file waits for enough other files to fill a manifest. After that, the sweeper creates a
    smaller manifest."""

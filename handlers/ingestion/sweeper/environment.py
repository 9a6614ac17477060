"""Environment of the sweeper."""

from typing import Annotated

from pydantic import Field

from handlers.ingestion.environment_bases import ManifestCreationEnvironment

CLAIM_SECONDS = 900
"""Age after which the sweeper checks a claim. Lambda stops a function after 900 seconds, so no builder can still be
working on the claim."""


class SweeperEnvironment(ManifestCreationEnvironment):
    """Environment variables of the sweeper. It also creates manifests, so it reads what the builder reads."""

    landing_bucket: str
    landing_prefix: str = "incoming/"
    """Prefix below which producers upload files."""
    claim_seconds: Annotated[int, Field(ge=1)] = CLAIM_SECONDS
    """Age after which a claim or a running manifest is checked."""
    flush_seconds: Annotated[int, Field(ge=0)] = 3600
    """Age after which a pending file goes into a manifest that is not full."""
    reconcile_days: Annotated[int, Field(ge=1)] = 2
    """A reconciliation compares the versions that arrived at most this many days before the previous reconciliation
    started."""
    reconcile_seconds: Annotated[int, Field(ge=1)] = 60
    """Time that an invocation spends on reconciliation. The next invocation continues."""

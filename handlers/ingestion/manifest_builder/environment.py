"""Environment of the manifest builder, which puts uploaded files into manifests (lists of files for one Spark run)."""

from typing import Annotated

from pydantic import Field

from handlers.ingestion.environment_bases import ALLOWED_SUFFIXES, ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    allowed_suffixes: str = ALLOWED_SUFFIXES
    """Key suffixes that are accepted, separated by commas, in upper or lower case. An empty value accepts all keys."""
    max_file_bytes: Annotated[int, Field(ge=1)] = 5 * 1024**3
    """Maximum size of a file. A larger file is rejected."""
    flush_at_once: bool = False
    """Create manifests, full or not, of the pending files after each batch of notifications. Only the local platform
    uses this."""

"""Environment of the manifest builder."""

from handlers.ingestion.environment_bases import ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    """Environment variables of the manifest builder."""

    flush_at_once: bool = False
    """Create a manifest of the files that are pending after each batch, even if it is not full. For the local platform
    only."""

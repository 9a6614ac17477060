"""Environment of the manifest builder, which puts uploaded files into manifests (lists of files for one Spark run)."""

from handlers.ingestion.environment_bases import ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    flush_at_once: bool = False
    """Create manifests, full or not, of the pending files after each batch of notifications. Only the local platform
    uses this."""

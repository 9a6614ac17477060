"""Environment of the manifest builder."""

from handlers.ingestion.environment_bases import ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    """Environment variables of the manifest builder."""

    flush_at_once: bool = False
    """Create manifests of all pending files after each batch, even if the manifests are not full. Only the local
    platform uses this."""

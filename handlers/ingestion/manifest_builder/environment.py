"""Environment of the manifest builder."""

from handlers.ingestion.environment_bases import ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    """Environment variables of the manifest builder."""

    flush_at_once: bool = False
    """After each batch, create manifests of all pending files, even if they are not full. Only the local platform uses
    this."""

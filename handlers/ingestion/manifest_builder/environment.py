"""Environment of the manifest builder."""

from handlers.ingestion.environment_bases import ManifestCreationEnvironment


class BuilderEnvironment(ManifestCreationEnvironment):
    """Environment variables of the manifest builder."""

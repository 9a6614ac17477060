"""What ingestion's handlers read from their environment."""

from handlers.common.environment import HandlerEnvironment


class BuilderEnvironment(HandlerEnvironment):
    """The manifest builder's."""

    manifest_table_name: str
    record_days: int

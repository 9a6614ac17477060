"""Environment of the workflow steps function."""

from handlers.ingestion.environment_bases import FileTableEnvironment


class WorkflowStepsEnvironment(FileTableEnvironment):
    """Environment variables of the workflow steps function."""

    lake_bucket: str

"""Environment of the workflow steps function."""

from handlers.ingestion.environment_bases import FileTableEnvironment


class WorkflowStepsEnvironment(FileTableEnvironment):
    lake_bucket: str

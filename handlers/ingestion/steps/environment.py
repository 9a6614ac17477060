"""Environment of the Lambda function behind three steps of the manifest workflow."""

from handlers.ingestion.environment_bases import FileTableEnvironment


class WorkflowStepsEnvironment(FileTableEnvironment):
    lake_bucket: str

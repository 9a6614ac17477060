"""Gateways of ingestion's functions, created from their environment variables."""

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, MAX_WORKERS, ParallelCalls
from handlers.common.executions import WorkflowExecutions
from handlers.common.logging import EventLog
from handlers.ingestion.environment import ManifestCreationEnvironment, WorkflowStepsEnvironment
from handlers.ingestion.files import FileTable
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifests import ManifestDocuments, Manifests


def create_manifests(environment: WorkflowStepsEnvironment) -> Manifests:
    table = boto3.resource("dynamodb", config=CONFIG).Table(environment.manifest_table_name)
    return Manifests(
        FileTable(table, environment.record_days, ids.now),
        ManifestDocuments(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        ParallelCalls(MAX_WORKERS),
        EventLog(environment.log_level),
    )


def create_manifest_creator(environment: ManifestCreationEnvironment) -> ManifestCreator:
    executions = WorkflowExecutions(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    return ManifestCreator(
        create_manifests(environment),
        executions,
        new_id=ids.new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )

"""Manifest builder on moto's AWS, and the SQS messages that announce files to it."""

from typing import Any

from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.time_and_ids.ulid import ulid
from handlers.ingestion.arrived_files import AdmissionRules
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_builder.manifest_builder import ManifestBuilder
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestWorkflow
from handlers.ingestion.manifest_records import ManifestRecords
from tests.handlers.ingestion.conftest import NOW, MotoAws
from tests.handlers.ingestion.ingestion_harness import announce

arrivals = announce


def create_builder(aws: MotoAws) -> ManifestBuilder:
    """Return a builder that creates manifests of three files."""
    table_arguments = (aws.dynamodb, aws.table, 400, lambda: NOW)
    shared: dict[str, Any] = {"parallel": ParallelCalls(1), "log": EventLog("DEBUG"), "clock": lambda: NOW}
    table = FileTable(*table_arguments)
    creator = ManifestCreator(
        table,
        ManifestRecords(*table_arguments),
        ManifestDocuments(aws.s3, aws.lake),
        ManifestWorkflow(aws.stepfunctions, aws.state_machine_arn),
        new_id=lambda: ulid(NOW, 1),
        files_per_manifest=3,
        manifest_bytes=10**9,
        **shared,
    )
    return ManifestBuilder(table, AdmissionRules.from_setting("", 10**9), creator, **shared)

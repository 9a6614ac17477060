"""Manifest builder: the Lambda function that gets S3 notifications from SQS.

It records the announced files in the file table, and puts pending files into manifests (lists of files for one Spark
run).
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, MAX_WORKERS, ParallelCalls
from handlers.common.events import BatchFailures
from handlers.common.ids import new_id
from handlers.common.logging import EventLog
from handlers.ingestion.file_admission import AdmissionRules
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_builder.environment import BuilderEnvironment
from handlers.ingestion.manifest_builder.file_intake import FileIntake
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestWorkflow
from handlers.ingestion.manifest_records import ManifestRecords


@cache
def _intake() -> FileIntake:
    environment = BuilderEnvironment.read()
    log, parallel = EventLog(environment.log_level), ParallelCalls(MAX_WORKERS)
    table_arguments = (
        boto3.client("dynamodb", config=CONFIG),
        environment.manifest_table_name,
        environment.record_days,
        ids.now,
    )
    table = FileTable(*table_arguments, environment.open_shards)
    creator = ManifestCreator(
        table,
        ManifestRecords(*table_arguments),
        ManifestDocuments(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        ManifestWorkflow(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn),
        parallel=parallel,
        log=log,
        clock=ids.now,
        new_id=new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )
    admission = AdmissionRules.from_setting(environment.allowed_suffixes, environment.max_file_bytes)
    return FileIntake(
        table,
        admission,
        creator,
        parallel=parallel,
        log=log,
        clock=ids.now,
        flush_at_once=environment.flush_at_once,
    )


def handler(event: Mapping[str, Any], _context: object) -> BatchFailures:
    return _intake().handle(event["Records"])

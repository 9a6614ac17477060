"""Lambda function of the sweeper. A schedule invokes it every few minutes for a sweep.

A sweep cleans up after functions that died while they created a manifest (a list of files for one Spark run), and after
workflow executions that died. It also creates manifests from pending files.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common import ids
from handlers.common.aws import CONFIG, MAX_WORKERS, ParallelCalls
from handlers.common.ids import new_id
from handlers.common.logging import EventLog
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestWorkflow
from handlers.ingestion.manifest_lifecycle import ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.sweeper.environment import SweeperEnvironment
from handlers.ingestion.sweeper.ingestion_sweeper import IngestionSweeper


class SweepRequest(BaseModel):
    """Event that a schedule or an operator sends."""

    kind: Literal["sweep", "flush"]
    """Only operators send `flush`. It is a sweep that does not let pending files wait for full manifests."""


@cache
def _sweeper() -> IngestionSweeper:
    environment = SweeperEnvironment.read()
    log = EventLog(environment.log_level)
    parallel = ParallelCalls(MAX_WORKERS)
    table_arguments = (
        boto3.client("dynamodb", config=CONFIG),
        environment.manifest_table_name,
        environment.record_days,
        ids.now,
    )
    table = FileTable(*table_arguments, environment.open_shards, read_all_shards=True)
    records = ManifestRecords(*table_arguments)
    documents = ManifestDocuments(boto3.client("s3", config=CONFIG), environment.lake_bucket)
    workflow = ManifestWorkflow(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    creator = ManifestCreator(
        table,
        records,
        documents,
        workflow,
        parallel=parallel,
        log=log,
        clock=ids.now,
        new_id=new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )
    return IngestionSweeper(
        table,
        records,
        documents,
        workflow,
        creator=creator,
        lifecycle=ManifestLifecycle(table, records, documents, parallel=parallel, log=log, clock=ids.now),
        claim_age=timedelta(seconds=environment.claim_seconds),
        flush_age=timedelta(seconds=environment.flush_seconds),
        log=log,
        clock=ids.now,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    request = SweepRequest.model_validate(event)
    return asdict(_sweeper().sweep(flush_all=request.kind == "flush"))

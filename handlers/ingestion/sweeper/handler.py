"""Lambda function of the sweeper. One schedule invokes it every few minutes for a sweep, another one daily for a
reconciliation.

A sweep cleans up after functions that died while they created a manifest (a list of files for one Spark run), and after
workflow executions that died. It also creates manifests from pending files. A reconciliation finds files in the
landing bucket that have no record in the file table, and adds the records.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any, Literal

import boto3
from pydantic import BaseModel

from handlers.common.aws.client_config import CONFIG, MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.new_ids import new_id
from handlers.ingestion.file_admission import AdmissionRules
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_creation import ManifestCreator
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestWorkflow
from handlers.ingestion.manifest_lifecycle import ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.sweeper.environment import SweeperEnvironment
from handlers.ingestion.sweeper.ingestion_sweeper import IngestionSweeper
from handlers.ingestion.sweeper.reconciliation import LandingBucket, Reconciler, ReconciliationState


class SweepRequest(BaseModel):
    """Event that a schedule or an operator sends."""

    kind: Literal["sweep", "flush", "reconcile"]
    """Only operators send `flush`. It is a sweep that does not let pending files wait for full manifests."""


@cache
def _sweeper_and_reconciler() -> tuple[IngestionSweeper, Reconciler]:
    environment = SweeperEnvironment.read()
    log = EventLog(environment.log_level)
    dynamodb, s3 = boto3.client("dynamodb", config=CONFIG), boto3.client("s3", config=CONFIG)
    parallel = ParallelCalls(MAX_WORKERS)
    table_arguments = (dynamodb, environment.manifest_table_name, environment.record_days, clock.now)
    table = FileTable(*table_arguments, environment.open_shards, read_all_shards=True)
    records, documents = ManifestRecords(*table_arguments), ManifestDocuments(s3, environment.lake_bucket)
    workflow = ManifestWorkflow(boto3.client("stepfunctions", config=CONFIG), environment.state_machine_arn)
    creator = ManifestCreator(
        table,
        records,
        documents,
        workflow,
        parallel=parallel,
        log=log,
        clock=clock.now,
        new_id=new_id,
        files_per_manifest=environment.files_per_manifest,
        manifest_bytes=environment.manifest_bytes,
    )
    sweeper = IngestionSweeper(
        table,
        records,
        documents,
        workflow,
        creator=creator,
        lifecycle=ManifestLifecycle(table, records, documents, parallel=parallel, log=log, clock=clock.now),
        claim_age=timedelta(seconds=environment.claim_seconds),
        flush_age=timedelta(seconds=environment.flush_seconds),
        log=log,
        clock=clock.now,
    )
    reconciler = Reconciler(
        table,
        LandingBucket(s3, environment.landing_bucket, environment.landing_prefix),
        ReconciliationState(dynamodb, environment.manifest_table_name),
        AdmissionRules.from_setting(environment.allowed_suffixes, environment.max_file_bytes),
        parallel=parallel,
        log=log,
        clock=clock.now,
        look_back=timedelta(days=environment.reconcile_days),
        budget=timedelta(seconds=environment.reconcile_seconds),
    )
    return sweeper, reconciler


def handler(event: Mapping[str, Any], _context: object) -> dict[str, int]:
    sweeper, reconciler = _sweeper_and_reconciler()
    kind = SweepRequest.model_validate(event).kind
    if kind == "reconcile":
        return asdict(reconciler.start())
    numbers = asdict(sweeper.sweep(flush_all=kind == "flush"))
    # Each sweep continues a reconciliation that was too long for one invocation, until it is done.
    return numbers | asdict(reconciler.resume())

"""Command `redrive`: start a new execution of the workflow (a redrive) for a failed manifest of ingestion.

A manifest is a list of files for a single Spark run. The redrive of Step Functions, which continues an execution, is
not used.

The command only starts the execution. The first step of the workflow then marks the manifest's failed files for the new
run. The redrives of a manifest are numbered, and the number is a part of the execution's name. Step Functions accepts a
name only once, so running the command twice starts a single redrive.
"""

import argparse
import re
from enum import StrEnum

from components.blocks.naming.physical_names import Kind
from handlers.common.aws.client_config import MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.aws.workflow_executions import ExecutionStatus, StartOutcome
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.ulid import ULID_PATTERN
from handlers.ingestion.environment_bases import FileTableEnvironment
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestExecution, ManifestWorkflow
from handlers.ingestion.manifest_lifecycle import ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.status_transitions import ManifestStatus
from operations.aws_account import get_caller
from operations.aws_errors import translate_errors
from operations.command_context import CommandContext
from operations.command_errors import CommandFailed
from operations.function_target import build_name

SUMMARY = "start a new execution for a failed manifest of ingestion"
SUBSYSTEM = "ingestion"
MAX_REDRIVE_NUMBERS = 20
"""Maximum number of execution names to try. The manifest's record in the file table has the number of the last redrive,
unless that redrive ended before it updated the record. Its number is then used already: Step Functions refuses the name
of an ended execution, so the next number is tried."""


class RedriveOutcome(StrEnum):
    """Outcomes of a redrive, as texts for the operator."""

    STARTED = "started"
    RUNNING = "is running already"
    PROCESSED = "is processed, so there is nothing to redrive"
    UNKNOWN_MANIFEST = "is not in the stack's file table. Check the id, --stack and the account."
    LIST_GONE = "no longer has its list of files in the lake, so it cannot be processed again."
    REFUSED = "was refused by Step Functions"
    UNCLEAR = "may have been started: run the command again, which is safe"
    NO_FREE_NAME = "was not started, because its last redrives all ended before their first step. Find out why."


SUCCESSFUL_OUTCOMES = frozenset({RedriveOutcome.STARTED, RedriveOutcome.RUNNING, RedriveOutcome.PROCESSED})
"""Outcomes with exit status 0."""
OUTCOMES_BY_START = {
    StartOutcome.STARTED: RedriveOutcome.STARTED,
    StartOutcome.REFUSED: RedriveOutcome.REFUSED,
    StartOutcome.UNKNOWN: RedriveOutcome.UNCLEAR,
}
"""Outcome of a redrive by the outcome of its call of StartExecution."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", help="id of the manifest; the names of its executions begin with it")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Start the manifest's next execution and print the outcome."""
    stack, manifest_id, clients = options.stack, options.manifest, context.clients
    if not re.fullmatch(ULID_PATTERN, manifest_id):
        raise CommandFailed(f"{manifest_id!r} is not a manifest id: give 26 letters and digits.")
    account, states = get_caller(clients), clients("stepfunctions")
    table = build_name(Kind.TABLE, stack, SUBSYSTEM, "files")
    lake = build_name(Kind.BUCKET, stack, SUBSYSTEM, "lake", suffix=account.account)
    machine = build_name(Kind.STATE_MACHINE, stack, SUBSYSTEM, "workflow")
    # The Region is taken from the Step Functions client, because that of STS may be the global one.
    machine_arn = account.arn("states", states.meta.region_name, f"stateMachine:{machine}")
    # The third value is the retention of new records in days. Records are only updated here, so it has no effect.
    table_arguments = (clients("dynamodb"), table, 1, clock.now)
    records, documents = ManifestRecords(*table_arguments), ManifestDocuments(clients("s3"), lake)
    lifecycle = ManifestLifecycle(
        # The last value is the number of shards over which the file table's index spreads files that wait for a
        # manifest. The default is safe even if the stack uses another number, because the sweeper, a scheduled function
        # that also creates manifests, reads all shards.
        FileTable(*table_arguments, FileTableEnvironment.model_fields["open_shards"].default),
        records,
        documents,
        parallel=ParallelCalls(MAX_WORKERS),
        log=EventLog("ERROR"),
        clock=clock.now,
    )
    with translate_errors(None, f"{manifest_id} in {table}, {lake} and {machine_arn}"):
        outcome, execution = redrive(manifest_id, records, documents, ManifestWorkflow(states, machine_arn), lifecycle)
    message = f"{manifest_id} {outcome}{f': {execution.arn}' if execution else ''}"
    if outcome not in SUCCESSFUL_OUTCOMES:
        raise CommandFailed(message)
    context.print_line(message)
    return 0


def redrive(
    manifest_id: str,
    records: ManifestRecords,
    documents: ManifestDocuments,
    workflow: ManifestWorkflow,
    lifecycle: ManifestLifecycle,
) -> tuple[RedriveOutcome, ManifestExecution | None]:
    """Start the manifest's next execution, unless it is running or processed.

    Return the outcome and the execution that it concerns, if any.
    """
    manifest = documents.read(manifest_id)
    number = 0  # number of the last redrive that was tried or is in the record
    for _ in range(MAX_REDRIVE_NUMBERS):
        record = records.get(manifest_id)
        if record is None:
            return RedriveOutcome.UNKNOWN_MANIFEST, None
        last_execution = ManifestExecution.from_arn(record.execution_arn)
        if record.status is ManifestStatus.RUNNING:
            status = workflow.status(last_execution)
            if status is ExecutionStatus.RUNNING:
                return RedriveOutcome.RUNNING, last_execution
            # The execution has ended, but the scheduled sweep has not recorded that yet, so this command does.
            lifecycle.close_ended_execution(last_execution, status)
            continue
        if record.status is ManifestStatus.PROCESSED:
            return RedriveOutcome.PROCESSED, last_execution
        if manifest is None:
            return RedriveOutcome.LIST_GONE, None
        number = max(number, record.redrives) + 1
        execution = workflow.execution(f"{manifest.execution_name}-r{number}")
        started = workflow.start(execution)
        if started is not StartOutcome.ALREADY_EXISTS:
            return OUTCOMES_BY_START[started], execution
        if workflow.status(execution) is ExecutionStatus.RUNNING:
            return RedriveOutcome.RUNNING, execution  # its first step has not updated the manifest record yet
        # The name belongs to an ended execution, so the next number is tried.
    return RedriveOutcome.NO_FREE_NAME, None

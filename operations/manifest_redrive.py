"""Command `redrive`: start a new execution of the workflow (a redrive) for a failed manifest of ingestion.

A manifest is a list of files for a single Spark run. Step Functions' own redrive cannot process it again: the workflow
catches every error to mark the files as failed, so a failed execution ended in its Fail state, and Step Functions would
enter this state again. It would also keep the old definition, and is possible for 14 days only.
https://docs.aws.amazon.com/step-functions/latest/dg/redrive-executions.html

The redrives of a manifest are numbered, and the number is a part of the execution's name. Step Functions accepts a name
only once, so running the command twice starts a single redrive.
"""

import argparse
import re
from enum import StrEnum

from components.core import Kind
from handlers.common import ids
from handlers.common.aws import MAX_WORKERS, ParallelCalls
from handlers.common.executions import RUNNING, WorkflowExecutions
from handlers.common.ids import ULID_PATTERN
from handlers.common.logging import EventLog
from handlers.ingestion.files import FileTable
from handlers.ingestion.manifest_s3_keys import first_list_key
from handlers.ingestion.manifests import Manifest, ManifestDocuments, ManifestExecution, Manifests, ManifestStatus
from operations.command import CommandContext, CommandFailed, build_name, translate_errors

SUMMARY = "start a new execution for a failed manifest of ingestion"
MAX_REDRIVE_NUMBERS = 20
"""Maximum number of redrive numbers to try. A number is used up if its execution ended before its first step. Then no
record mentions it, so only Step Functions knows."""


class RedriveOutcome(StrEnum):
    """Outcomes of a redrive, as texts for the operator."""

    STARTED = "started"
    RUNNING = "is running already"
    PROCESSED = "is processed, so there is nothing to redrive"
    UNKNOWN_MANIFEST = "is not in the stack's file table. Check the id, --stack and the account."
    LIST_GONE = "no longer has its list of files in the lake, so it cannot be processed again."
    NO_FREE_NAME = "was not started, because its last redrives all ended before their first step. Find out why."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("manifest", help="id of the manifest; the names of its executions begin with it")


def run(context: CommandContext, options: argparse.Namespace) -> int:
    """Start the manifest's next execution and print the outcome. Raise CommandFailed if there is nothing to start."""
    stack, manifest_id, clients = options.stack, options.manifest, context.clients
    if not re.fullmatch(ULID_PATTERN, manifest_id):
        raise CommandFailed(f"{manifest_id!r} is not a manifest id: give 26 letters and digits.")
    (partition, account), states = context.get_caller(), clients("stepfunctions")
    table = build_name(Kind.TABLE, stack, "ingestion", "files")
    lake = build_name(Kind.BUCKET, stack, "ingestion", "lake", account)
    machine = build_name(Kind.STATE_MACHINE, stack, "ingestion", "workflow")
    machine_arn = f"arn:{partition}:states:{states.meta.region_name}:{account}:stateMachine:{machine}"
    # `record_days` is the retention of new records, and this command creates none.
    files = FileTable(context.resources("dynamodb").Table(table), record_days=1, clock=ids.now)
    documents, parallel = ManifestDocuments(clients("s3"), lake), ParallelCalls(MAX_WORKERS)
    manifests = Manifests(files, documents, parallel, EventLog(level="ERROR"))
    with translate_errors(f"{manifest_id} in {table}, {lake} and {machine_arn}"):
        outcome, execution = redrive(manifest_id, manifests, WorkflowExecutions(states, machine_arn))
    message = f"{manifest_id} {outcome}{f': {execution.arn}' if execution else ''}"
    if outcome not in {RedriveOutcome.STARTED, RedriveOutcome.RUNNING, RedriveOutcome.PROCESSED}:
        raise CommandFailed(message)
    context.print_line(message)
    return 0


def redrive(
    manifest_id: str, manifests: Manifests, executions: WorkflowExecutions
) -> tuple[RedriveOutcome, ManifestExecution | None]:
    """Start the manifest's next execution, unless it is running or processed. Return the outcome and any execution.

    Raise botocore's errors. The execution may have been started nevertheless, so the command can be repeated.
    """
    file_list = manifests.documents.read(first_list_key(manifest_id), Manifest)  # None if it was removed since
    number = 0  # of the last redrive that this loop tried or found in the record
    for _ in range(MAX_REDRIVE_NUMBERS):
        record = manifests.get(manifest_id)
        if record is None:
            return RedriveOutcome.UNKNOWN_MANIFEST, None
        last_execution = record.execution
        if record.status is ManifestStatus.RUNNING:
            status = executions.status(last_execution.arn)
            if status == RUNNING:
                return RedriveOutcome.RUNNING, last_execution
            # The execution has ended, but the function `sweeper`, which records such ends, has not run since. The next
            # round of the loop reads the record that is closed here.
            manifests.close_ended_execution(last_execution, status)
            continue
        if record.status is ManifestStatus.PROCESSED:
            return RedriveOutcome.PROCESSED, last_execution
        if file_list is None:
            return RedriveOutcome.LIST_GONE, None
        number = max(number, last_execution.redrive) + 1
        name = f"{manifest_id}-r{number}"
        execution = ManifestExecution.from_arn(executions.arn(name))
        if executions.start(name, {"schemaVersion": 1, "manifestId": manifest_id}):
            return RedriveOutcome.STARTED, execution
        # The name belongs to an ended execution, so the next number is tried.
    return RedriveOutcome.NO_FREE_NAME, None

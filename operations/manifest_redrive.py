"""Runs a failed manifest of ingestion once more.

Only starts an execution. Its number is the record's next one, so that running this twice is one redrive; the workflow's
own confirmation then takes the failed files back in.
"""

import argparse
import re
from enum import StrEnum

from components.blocks.naming.physical_names import Kind
from handlers.common.aws.clients import WORKERS
from handlers.common.aws.parallel_calls import Parallel
from handlers.common.aws.workflow_executions import ExecutionStatus, Started
from handlers.common.logging import EventLog
from handlers.common.time_and_ids import clock
from handlers.common.time_and_ids.ulid import PATTERN
from handlers.ingestion.environment_bases import FileTableEnvironment
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_executions import ManifestExecution, ManifestWorkflow
from handlers.ingestion.manifest_lifecycle import ManifestLifecycle
from handlers.ingestion.manifest_lists import ManifestLists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.status_transitions import ManifestStatus
from operations.aws_gateway import caller, told
from operations.command_context import Desk
from operations.command_errors import Refused
from operations.function_target import named

SUMMARY = "run a failed manifest of ingestion once more"
SUBSYSTEM = "ingestion"
ATTEMPTS = 20
"""Numbers that are tried, where executions of earlier redrives died before they took the manifest."""


class Redriven(StrEnum):
    """What became of it, in words for who asked."""

    STARTED = "started"
    RUNNING = "is running already"
    PROCESSED = "is processed, there is nothing to redrive"
    UNKNOWN_MANIFEST = "is not known"
    LIST_GONE = "has no list any more"
    REFUSED = "was refused by Step Functions"
    UNCLEAR = "may have been started: run this again, that is safe"


DONE = frozenset({Redriven.STARTED, Redriven.RUNNING, Redriven.PROCESSED})
ANSWERS = {Started.YES: Redriven.STARTED, Started.REFUSED: Redriven.REFUSED, Started.UNKNOWN: Redriven.UNCLEAR}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("manifest", help="its id, with which the names of its executions begin")


def run(desk: Desk, options: argparse.Namespace) -> int:
    """Starts the manifest's next execution, and says what became of that."""
    stack, manifest_id, clients = options.stack, options.manifest, desk.clients
    if not re.fullmatch(PATTERN, manifest_id):
        raise Refused(f"{manifest_id!r} is no manifest: give its id, 26 letters and digits")
    account, states = caller(clients), clients("stepfunctions")
    table = named(Kind.TABLE, stack, SUBSYSTEM, "files")
    lake = named(Kind.BUCKET, stack, SUBSYSTEM, "lake", suffix=account.account)
    machine = named(Kind.STATE_MACHINE, stack, SUBSYSTEM, "workflow")
    # Not the region of STS, which may be that of all.
    machine_arn = account.arn("states", states.meta.region_name, f"stateMachine:{machine}")
    # Records are only updated here, so the days a new one is kept do not matter.
    where = (clients("dynamodb"), table, 1, clock.now)
    records, lists = ManifestRecords(*where), ManifestLists(clients("s3"), lake)
    lifecycle = ManifestLifecycle(
        FileTable(*where, FileTableEnvironment.model_fields["open_shards"].default),
        records,
        lists,
        parallel=Parallel(WORKERS),
        log=EventLog("ERROR"),
        clock=clock.now,
    )
    with told(None, f"{manifest_id} in {table}, {lake} and {machine_arn}"):
        outcome, execution = redrive(manifest_id, records, lists, ManifestWorkflow(states, machine_arn), lifecycle)
    said = f"{manifest_id} {outcome}{f': {execution.arn}' if execution else ''}"
    if outcome not in DONE:
        raise Refused(said)
    desk.say(said)
    return 0


def redrive(
    manifest_id: str,
    records: ManifestRecords,
    lists: ManifestLists,
    workflow: ManifestWorkflow,
    lifecycle: ManifestLifecycle,
) -> tuple[Redriven, ManifestExecution | None]:
    """Starts the manifest's next execution, unless it is running or done."""
    manifest, number = lists.read(manifest_id), 0
    for _ in range(ATTEMPTS):
        record = records.get(manifest_id)
        if record is None:
            return Redriven.UNKNOWN_MANIFEST, None
        last = ManifestExecution.from_arn(record.execution_arn)
        if record.status is ManifestStatus.RUNNING:
            status = workflow.status(last)
            if status is ExecutionStatus.RUNNING:
                return Redriven.RUNNING, last
            lifecycle.close_ended_execution(last, status)  # it died, and the sweeper has not come yet
            continue
        if record.status is ManifestStatus.PROCESSED:
            return Redriven.PROCESSED, last
        if manifest is None:
            return Redriven.LIST_GONE, None
        number = max(number, record.redrives) + 1
        execution = workflow.execution(f"{manifest.execution_name}-r{number}")
        started = workflow.start(execution)
        if started is not Started.ALREADY:
            return ANSWERS[started], execution
        if workflow.status(execution) is ExecutionStatus.RUNNING:
            return Redriven.RUNNING, execution  # it has only not taken the manifest yet
    return Redriven.UNCLEAR, None

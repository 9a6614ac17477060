"""Runs a failed manifest of ingestion once more.

Only starts an execution. Its number is the record's next one, so that running this twice is one redrive; the workflow's
own confirmation then takes the failed files back in.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from components.blocks.names import Kind
from handlers.common import clock
from handlers.common.clients import WORKERS
from handlers.common.executions import ExecutionStatus, Started
from handlers.common.logging import EventLog
from handlers.common.parallel import Parallel
from handlers.common.ulid import PATTERN
from handlers.ingestion.environment import TableEnvironment
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.settling import Settler
from handlers.ingestion.states import ManifestStatus
from handlers.ingestion.workflow import Execution, Workflow
from operations.desk import Desk
from operations.gateway import Caller, Clients, caller, told
from operations.problems import Refused
from operations.target import named

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


@dataclass(frozen=True)
class Places:
    """Where a stack has its manifests."""

    table: str
    lake: str
    state_machine: str

    @staticmethod
    def of(stack: str, by: Caller, region: str) -> "Places":
        """By the names that the deployment gives."""
        machine = named(Kind.STATE_MACHINE, stack, SUBSYSTEM, "workflow")
        return Places(
            table=named(Kind.TABLE, stack, SUBSYSTEM, "files"),
            lake=named(Kind.BUCKET, stack, SUBSYSTEM, "lake", suffix=by.account),
            state_machine=by.arn("states", region, f"stateMachine:{machine}"),
        )


def command(desk: Desk, clients: Clients, stack: str, manifest_id: str) -> int:
    """Starts the manifest's next execution, and says what became of that."""
    if not re.fullmatch(PATTERN, manifest_id):
        raise Refused(f"{manifest_id!r} is no manifest: give its id, 26 letters and digits")
    # Not the region of STS, which may be that of all.
    places = Places.of(stack, caller(clients), clients("stepfunctions").meta.region_name)
    with told(None, f"{manifest_id} in {places.table}, {places.lake} and {places.state_machine}"):
        outcome, execution = _redriven(clients, places, manifest_id)
    said = f"{manifest_id} {outcome}{f': {execution.arn}' if execution else ''}"
    if outcome not in DONE:
        raise Refused(said)
    desk.say(said)
    return 0


def _redriven(clients: Clients, places: Places, manifest_id: str) -> tuple[Redriven, Execution | None]:
    # Records are only updated here, so the days a new one is kept do not matter.
    where = (clients("dynamodb"), places.table, 1, clock.now)
    records, lists = ManifestRecords(*where), Lists(clients("s3"), places.lake)
    settler = Settler(
        FileTable(*where, TableEnvironment.model_fields["open_shards"].default),
        records,
        lists,
        parallel=Parallel(WORKERS),
        log=EventLog("ERROR"),
        clock=clock.now,
    )
    return redrive(manifest_id, records, lists, Workflow(clients("stepfunctions"), places.state_machine), settler)


def redrive(
    manifest_id: str, records: ManifestRecords, lists: Lists, workflow: Workflow, settler: Settler
) -> tuple[Redriven, Execution | None]:
    """Starts the manifest's next execution, unless it is running or done."""
    manifest, number = lists.read(manifest_id), 0
    for _ in range(ATTEMPTS):
        record = records.get(manifest_id)
        if record is None:
            return Redriven.UNKNOWN_MANIFEST, None
        last = Execution.of(record.execution_arn)
        if record.status is ManifestStatus.RUNNING:
            status = workflow.status(last)
            if status is ExecutionStatus.RUNNING:
                return Redriven.RUNNING, last
            settler.settle_ended(last, status)  # it died, and the sweeper has not come yet
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

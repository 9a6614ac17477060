"""Runs a failed manifest once more: `python -m handlers.ingestion.redrive --manifest ID --stack STACK`.

Only starts an execution. Its number is the record's next one, so that running this twice is one redrive; the workflow's
own confirmation then takes the failed files back in. For a person with the rights to do so, not for a function.
"""

import argparse
import hashlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.clients import CONFIG, WORKERS
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


@dataclass(frozen=True)
class Names:
    """Where a stack has its things."""

    table: str
    lake: str
    state_machine: str


def names(stack: str, account: str, region: str, partition: str = "aws") -> Names:
    """The names that the deployment gives them (`components/blocks/names.py`), as long as none had to be cut."""
    cleaned = re.sub(r"[^a-z0-9]+", "-", stack.lower()).strip("-")
    part = cleaned if cleaned == stack else f"{cleaned}-{hashlib.sha256(stack.encode()).hexdigest()[:8]}"
    start = f"polyphony-{part}-ingestion"
    return Names(
        table=f"{start}-files",
        lake=f"{start}-lake-{account}",
        state_machine=f"arn:{partition}:states:{region}:{account}:stateMachine:{start}-workflow",
    )


def main(arguments: Sequence[str]) -> int:
    """The command. Exit status: 0 when it runs or is done, 1 when it does not, 2 when AWS could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m handlers.ingestion.redrive", description=__doc__)
    parser.add_argument("--manifest", required=True, help="the manifest's id")
    parser.add_argument("--stack", required=True)
    parser.add_argument("--table", help="instead of the stack's file table")
    parser.add_argument("--lake", help="instead of the stack's lake bucket")
    parser.add_argument("--state-machine", help="the ARN, instead of the stack's workflow")
    given = parser.parse_args(arguments)
    if not re.fullmatch(PATTERN, given.manifest):
        parser.error("--manifest takes a manifest's id, 26 letters and digits")
    try:
        return _run(given)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        why = f"{error.operation_name} was refused ({code}); use credentials of the stack's account that may"
    except BotoCoreError as error:
        why = f"no answer of AWS ({type(error).__name__}); check credentials, region and network"
    sys.stderr.write(f"{why}, then run this again, that is safe\n")
    return 2


def _run(given: argparse.Namespace) -> int:
    found = _found(given.stack)
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    # Records are only updated here, so the days a new one is kept do not matter.
    where = (dynamodb, given.table or found.table, 1, lambda: datetime.now(UTC))
    records, lists = ManifestRecords(*where), Lists(boto3.client("s3", config=CONFIG), given.lake or found.lake)
    workflow = Workflow(boto3.client("stepfunctions", config=CONFIG), given.state_machine or found.state_machine)
    settler = Settler(
        FileTable(*where, TableEnvironment.model_fields["open_shards"].default),
        records,
        lists,
        parallel=Parallel(WORKERS),
        log=EventLog("ERROR"),
        clock=where[-1],
    )
    outcome, execution = redrive(given.manifest, records, lists, workflow, settler)
    sys.stdout.write(f"{given.manifest} {outcome}{f': {execution.arn}' if execution else ''}\n")
    return 0 if outcome in DONE else 1


def _found(stack: str) -> Names:
    caller = boto3.client("sts", config=CONFIG).get_caller_identity()
    region = boto3.session.Session().region_name
    return names(stack, caller["Account"], region, caller["Arn"].split(":")[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

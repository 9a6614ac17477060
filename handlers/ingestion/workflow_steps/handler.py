"""The workflow's own steps: `confirm` before the run, `finish` or `fail` after it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import boto3

from handlers.common.aws.clients import CONFIG, MAX_WORKERS
from handlers.common.aws.parallel_calls import ParallelCalls
from handlers.common.logging import EventLog
from handlers.common.name_patterns import Ulid
from handlers.common.time_and_ids import clock
from handlers.common.websocket.messages import Message
from handlers.ingestion.environment import StepsEnvironment
from handlers.ingestion.execution_names import Execution
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_lifecycle import UNNAMED, Settler
from handlers.ingestion.manifest_lists import Lists
from handlers.ingestion.manifest_records import ManifestRecords


class Step(Message):
    """What the state machine sends."""

    step: Literal["confirm", "finish", "fail"]
    manifest_id: Ulid
    execution_arn: str
    run_id: str | None = None
    cause: str = UNNAMED


class ForeignExecution(ValueError):
    """A step for one manifest, sent by the execution of another."""


def done(settler: Settler, step: Step) -> dict[str, Any]:
    """Does one step; doing it again changes nothing."""
    execution = Execution.of(step.execution_arn)
    if execution.manifest_id != step.manifest_id:
        raise ForeignExecution(step.manifest_id)
    match step.step:
        case "confirm":
            confirmed = settler.confirm(execution)
            return {"files": confirmed.files, "manifestUri": confirmed.uri}
        case "finish":
            return settler.finish(execution, step.run_id)
        case "fail":
            return settler.fail(execution, step.cause)


@cache
def _settler() -> Settler:
    """Made once a container."""
    environment = StepsEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    where = (dynamodb, environment.manifest_table_name, environment.record_days, clock.now)
    return Settler(
        FileTable(*where, environment.open_shards),
        ManifestRecords(*where),
        Lists(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        parallel=ParallelCalls(MAX_WORKERS),
        log=EventLog(environment.log_level),
        clock=clock.now,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """The entry point of the function."""
    return done(_settler(), Step.model_validate(event))

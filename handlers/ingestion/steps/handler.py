"""Lambda function behind three steps of the manifest workflow.

A manifest is a list of files for one Spark run. The step `confirm` selects the files that the run will process. The
step `finish` stores the run's result for each file. The step `fail` marks the manifest and its files as failed.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

import boto3

from handlers.common import ids
from handlers.common.aws import CONFIG, MAX_WORKERS, ParallelCalls
from handlers.common.ids import Ulid
from handlers.common.json_models import Message
from handlers.common.logging import EventLog
from handlers.ingestion.file_table import FileTable
from handlers.ingestion.manifest_document_store import ManifestDocuments
from handlers.ingestion.manifest_executions import ManifestExecution
from handlers.ingestion.manifest_lifecycle import UNNAMED_CAUSE, ManifestLifecycle
from handlers.ingestion.manifest_records import ManifestRecords
from handlers.ingestion.steps.environment import WorkflowStepsEnvironment


class StepRequest(Message):
    step: Literal["confirm", "finish", "fail"]
    manifest_id: Ulid
    execution_arn: str
    run_id: str | None = None
    """Run whose result `finish` must find. With None, `finish` accepts the result of any run."""
    cause: str = UNNAMED_CAUSE
    """Error name that `fail` stores."""


class ForeignExecution(ValueError):
    """The execution that requests the step belongs to another manifest."""


def run_step(lifecycle: ManifestLifecycle, request: StepRequest) -> dict[str, Any]:
    """Run one step and return its output for the state machine. The step may be repeated."""
    execution = ManifestExecution.from_arn(request.execution_arn)
    if execution.manifest_id != request.manifest_id:
        raise ForeignExecution(request.manifest_id)
    match request.step:
        case "confirm":
            confirmed = lifecycle.confirm_files(execution)
            return {"files": confirmed.count, "manifestUri": confirmed.uri}
        case "finish":
            return lifecycle.finish(execution, request.run_id)
        case "fail":
            return lifecycle.fail(execution, request.cause)


@cache
def _lifecycle() -> ManifestLifecycle:
    environment = WorkflowStepsEnvironment.read()
    dynamodb = boto3.client("dynamodb", config=CONFIG)
    table_arguments = (dynamodb, environment.manifest_table_name, environment.record_days, ids.now)
    return ManifestLifecycle(
        FileTable(*table_arguments, environment.open_shards),
        ManifestRecords(*table_arguments),
        ManifestDocuments(boto3.client("s3", config=CONFIG), environment.lake_bucket),
        parallel=ParallelCalls(MAX_WORKERS),
        log=EventLog(environment.log_level),
        clock=ids.now,
    )


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    return run_step(_lifecycle(), StepRequest.model_validate(event))

"""Lambda function behind three steps of the manifest workflow.

A manifest is a list of files for one Spark run. The step `confirm` returns the files that the run processes, `finish`
stores the run's result for each file. The step `fail` marks the manifest and its files as failed.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any, Literal

from handlers.common.json_models import Message
from handlers.ingestion.environment import WorkflowStepsEnvironment
from handlers.ingestion.manifests import UNNAMED_CAUSE, ManifestExecution, Manifests, connect_manifests


class StepRequest(Message):
    """Event with which the workflow invokes the function."""

    step: Literal["confirm", "finish", "fail"]
    execution_arn: str
    """ARN of the execution that requests the step. Its name contains the id of the manifest."""
    cause: str = UNNAMED_CAUSE
    """Error name that `fail` stores."""


def run_step(manifests: Manifests, request: StepRequest) -> dict[str, Any]:
    """Run one step and return its output for the state machine. Only `confirm` has an output."""
    execution = ManifestExecution.from_arn(request.execution_arn)
    match request.step:
        case "confirm":
            return manifests.confirm_files(execution)
        case "finish":
            manifests.finish(execution)
        case "fail":
            manifests.fail(execution, request.cause)
    return {}


@cache
def _manifests() -> Manifests:
    return connect_manifests(WorkflowStepsEnvironment.read())


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    manifests = _manifests()
    try:
        return run_step(manifests, StepRequest.model_validate(event))
    except Exception as error:
        manifests.log.failure("step_failed", error)
        raise

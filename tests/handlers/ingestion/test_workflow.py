"""Executions: what a start's answer means, and what a name tells."""

from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError, ReadTimeoutError

from handlers.common.ulid import ulid
from handlers.ingestion.workflow import Execution, ExecutionStatus, Started, Workflow
from tests.handlers.ingestion.cloud import refusal
from tests.handlers.ingestion.conftest import NOW, Aws

NAME = f"{ulid(NOW, 1)}-0123456789abcdef"


def test_a_start_is_found_again_by_its_name(aws: Aws) -> None:
    workflow = Workflow(aws.stepfunctions, aws.state_machine_arn)
    execution = workflow.execution(NAME)
    assert workflow.status(execution) is None
    assert workflow.start(execution) is Started.YES
    assert workflow.status(execution) is ExecutionStatus.RUNNING
    assert aws.executions() == [NAME]


def test_starting_twice_is_one_execution(aws: Aws) -> None:
    workflow = Workflow(aws.stepfunctions, aws.state_machine_arn)
    execution = workflow.execution(NAME)
    assert [workflow.start(execution) for _ in range(2)] == [Started.YES, Started.YES]
    aws.stepfunctions.stop_execution(executionArn=execution.arn)
    assert workflow.start(execution) is Started.ALREADY
    assert workflow.status(execution) is ExecutionStatus.DEAD
    assert len(aws.executions()) == 1


class Answering:
    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def start_execution(self, **_: Any) -> Any:
        raise self.answer

    def describe_execution(self, **_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"status": self.answer}


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (refusal("StateMachineDoesNotExist", "x"), Started.REFUSED),
        (refusal("AccessDeniedException", "x"), Started.REFUSED),
        (refusal("ExecutionLimitExceeded", "x"), Started.REFUSED),
        (refusal("ExecutionAlreadyExists", "x"), Started.ALREADY),
        (refusal("ThrottlingException", "x"), Started.UNKNOWN),
        (refusal("TooManyRequestsException", "x", 429), Started.UNKNOWN),
        (refusal("ServiceUnavailable", "x", 503), Started.UNKNOWN),
        (ReadTimeoutError(endpoint_url="x"), Started.UNKNOWN),
        (ConnectTimeoutError(endpoint_url="x"), Started.UNKNOWN),
    ],
)
def test_only_a_definite_refusal_counts_as_not_started(error: Exception, meaning: Started) -> None:
    workflow = Workflow(Answering(error), "arn:aws:states:us-east-1:1:stateMachine:x")
    assert workflow.start(workflow.execution(NAME)) is meaning


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("RUNNING", ExecutionStatus.RUNNING),
        ("PENDING_REDRIVE", ExecutionStatus.RUNNING),
        ("SUCCEEDED", ExecutionStatus.SUCCEEDED),
        ("FAILED", ExecutionStatus.DEAD),
        ("TIMED_OUT", ExecutionStatus.DEAD),
        ("ABORTED", ExecutionStatus.DEAD),
    ],
)
def test_an_execution_runs_has_succeeded_or_is_dead(status: str, meaning: ExecutionStatus) -> None:
    workflow = Workflow(Answering(status), "arn:aws:states:us-east-1:1:stateMachine:x")
    assert workflow.status(workflow.execution(NAME)) is meaning


def test_an_answer_that_is_none_is_not_taken_for_no_execution() -> None:
    workflow = Workflow(Answering(refusal("ThrottlingException", "x")), "arn:aws:states:us-east-1:1:stateMachine:x")
    with pytest.raises(Exception, match="Throttling"):
        workflow.status(workflow.execution(NAME))


@pytest.mark.parametrize(("name", "redrive"), [(NAME, 0), (f"{NAME}-r1", 1), (f"{NAME}-r12", 12)])
def test_a_name_tells_manifest_and_redrive_and_is_short_enough(name: str, redrive: int) -> None:
    execution = Execution.of(f"arn:aws:states:us-east-1:1:execution:x:{name}")
    assert (execution.manifest_id, execution.redrive) == (NAME[:26], redrive)
    assert len(name) <= 80


@pytest.mark.parametrize("name", ["", "x", f"{NAME}-r0", f"{NAME}-r", f"{NAME}x", NAME[:26]])
def test_other_names_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not an execution of a manifest"):
        Execution.of(f"arn:aws:states:us-east-1:1:execution:x:{name}")

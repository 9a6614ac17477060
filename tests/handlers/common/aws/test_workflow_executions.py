"""Tests of starting executions and reading their status."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from handlers.common.aws.workflow_executions import ExecutionStatus, StartOutcome, WorkflowExecutions

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"


def refusal(code: str, status: int = 400, attempts: int = 0) -> ClientError:
    about: Any = {"HTTPStatusCode": status, "RetryAttempts": attempts}
    return ClientError({"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": about}, "StartExecution")


class FakeStepFunctions:
    """Step Functions client that gives the same answer to every call."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []

    def start_execution(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if self.answer is not None:
            raise self.answer
        return {}

    def describe_execution(self, **asked: Any) -> Any:
        self.asked.append(asked)
        if isinstance(self.answer, Exception):
            raise self.answer
        return {"status": self.answer}


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        (None, StartOutcome.STARTED),
        (refusal("StateMachineDoesNotExist"), StartOutcome.REFUSED),
        (refusal("AccessDeniedException"), StartOutcome.REFUSED),
        (refusal("ExecutionLimitExceeded"), StartOutcome.REFUSED),
        (refusal("ExecutionAlreadyExists"), StartOutcome.ALREADY_EXISTS),
        (refusal("ExecutionAlreadyExists", attempts=2), StartOutcome.ALREADY_EXISTS),
        (refusal("InvalidName", attempts=1), StartOutcome.UNKNOWN),
        (refusal("ThrottlingException"), StartOutcome.UNKNOWN),
        (refusal("TooManyRequestsException", 429), StartOutcome.UNKNOWN),
        (refusal("ServiceUnavailable", 503), StartOutcome.UNKNOWN),
        (ReadTimeoutError(endpoint_url="x"), StartOutcome.UNKNOWN),
        (ConnectTimeoutError(endpoint_url="x"), StartOutcome.UNKNOWN),
    ],
)
def test_only_a_definite_refusal_counts_as_not_started(error: Exception | None, meaning: StartOutcome) -> None:
    assert WorkflowExecutions(FakeStepFunctions(error), STATE_MACHINE).start("name", {}) is meaning


def test_a_repeated_start_has_the_same_name_and_input() -> None:
    client = FakeStepFunctions(None)
    for _ in range(2):
        WorkflowExecutions(client, STATE_MACHINE).start("name", {"b": 1, "a": "x"})
    assert client.asked[0] == client.asked[1]
    assert client.asked[0] == {"stateMachineArn": STATE_MACHINE, "name": "name", "input": '{"b": 1, "a": "x"}'}


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("RUNNING", ExecutionStatus.RUNNING),
        ("PENDING_REDRIVE", ExecutionStatus.RUNNING),
        ("SUCCEEDED", ExecutionStatus.SUCCEEDED),
        ("FAILED", ExecutionStatus.FAILED),
        ("TIMED_OUT", ExecutionStatus.TIMED_OUT),
        ("ABORTED", ExecutionStatus.ABORTED),
        ("SOMETHING_NEW", ExecutionStatus.FAILED),
        (refusal("ExecutionDoesNotExist"), None),
    ],
)
def test_each_status_of_aws_is_mapped_and_a_missing_execution_is_none(
    status: Any, meaning: ExecutionStatus | None
) -> None:
    client = FakeStepFunctions(status)
    executions = WorkflowExecutions(client, STATE_MACHINE)
    assert executions.status(executions.arn("name")) is meaning
    assert client.asked == [{"executionArn": "arn:aws:states:us-east-1:123456789012:execution:files:name"}]


def test_another_error_is_not_taken_for_a_missing_execution() -> None:
    executions = WorkflowExecutions(FakeStepFunctions(refusal("ThrottlingException")), STATE_MACHINE)
    with pytest.raises(ClientError, match="Throttling"):
        executions.status(executions.arn("name"))

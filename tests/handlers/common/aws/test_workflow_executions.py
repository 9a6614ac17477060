"""Tests of starting executions and reading their status."""

from typing import Any
from unittest.mock import Mock, call

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from handlers.common.aws.workflow_executions import ExecutionStatus, StartOutcome, WorkflowExecutions

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"


def refusal(code: str, status: int = 400, attempts: int = 0) -> ClientError:
    about: Any = {"HTTPStatusCode": status, "RetryAttempts": attempts}
    return ClientError({"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": about}, "StartExecution")


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
    client = Mock()
    client.start_execution.side_effect = error
    assert WorkflowExecutions(client, STATE_MACHINE).start("name", {}) is meaning


def test_a_repeated_start_has_the_same_name_and_input() -> None:
    client = Mock()
    for _ in range(2):
        WorkflowExecutions(client, STATE_MACHINE).start("name", {"b": 1, "a": "x"})
    request = {"stateMachineArn": STATE_MACHINE, "name": "name", "input": '{"b": 1, "a": "x"}'}
    assert client.start_execution.call_args_list == [call(**request), call(**request)]


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
    ],
)
def test_each_status_of_aws_is_mapped(status: str, meaning: ExecutionStatus) -> None:
    client = Mock()
    client.describe_execution.return_value = {"status": status}
    executions = WorkflowExecutions(client, STATE_MACHINE)
    assert executions.status(executions.arn("name")) is meaning
    client.describe_execution.assert_called_once_with(
        executionArn="arn:aws:states:us-east-1:123456789012:execution:files:name"
    )


def test_a_missing_execution_has_no_status_and_another_error_is_raised() -> None:
    client = Mock()
    client.describe_execution.side_effect = [refusal("ExecutionDoesNotExist"), refusal("ThrottlingException")]
    executions = WorkflowExecutions(client, STATE_MACHINE)
    assert executions.status("arn") is None
    with pytest.raises(ClientError, match="Throttling"):
        executions.status("arn")

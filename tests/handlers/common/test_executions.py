"""Tests of starting executions and reading their status."""

from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from handlers.common.executions import ExecutionStatus, StartOutcome, WorkflowExecutions

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"


def aws_error(code: str, status: int = 400, retries: int = 0) -> ClientError:
    metadata: Any = {"HTTPStatusCode": status, "RetryAttempts": retries}
    return ClientError({"Error": {"Code": code, "Message": "canary"}, "ResponseMetadata": metadata}, "StartExecution")


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, StartOutcome.STARTED),
        (aws_error("AccessDeniedException"), StartOutcome.REFUSED),
        (aws_error("ExecutionAlreadyExists", retries=2), StartOutcome.ALREADY_EXISTS),
        (aws_error("InvalidName", retries=1), StartOutcome.UNKNOWN),  # the first attempt may have succeeded
        (aws_error("AccessDeniedException", 500), StartOutcome.UNKNOWN),
        (ReadTimeoutError(endpoint_url="x"), StartOutcome.UNKNOWN),
    ],
)
def test_an_execution_counts_as_not_started_only_after_a_definite_refusal(
    error: Exception | None, expected: StartOutcome
) -> None:
    client = Mock()
    client.start_execution.side_effect = error
    assert WorkflowExecutions(client, STATE_MACHINE).start("name", {"b": 1, "a": "x"}) is expected
    client.start_execution.assert_called_once_with(
        stateMachineArn=STATE_MACHINE, name="name", input='{"b": 1, "a": "x"}'
    )


def test_the_status_of_an_execution_is_read() -> None:
    client = Mock()
    statuses = ["RUNNING", "PENDING_REDRIVE", "TIMED_OUT"]
    client.describe_execution.side_effect = [
        *({"status": status} for status in statuses),
        *(aws_error("ExecutionDoesNotExist"), aws_error("ThrottlingException")),
    ]
    executions = WorkflowExecutions(client, STATE_MACHINE)
    arn = executions.arn("name")
    assert arn == "arn:aws:states:us-east-1:123456789012:execution:files:name"
    running = ExecutionStatus.RUNNING
    assert [executions.status(arn) for _ in range(4)] == [running, running, ExecutionStatus.TIMED_OUT, None]
    with pytest.raises(ClientError, match="Throttling"):
        executions.status(arn)
    client.describe_execution.assert_called_with(executionArn=arn)

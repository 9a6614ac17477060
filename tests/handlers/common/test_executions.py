"""Tests of starting executions and reading their status."""

from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from handlers.common.executions import WorkflowExecutions
from tests.handlers.common.fakes import client_error

STATE_MACHINE = "arn:aws:states:us-east-1:123456789012:stateMachine:files"


def test_an_execution_is_started_once_and_other_errors_pass() -> None:
    client = Mock()
    executions = WorkflowExecutions(client, STATE_MACHINE)
    client.start_execution.side_effect = [None, client_error("ExecutionAlreadyExists"), client_error("InvalidName")]
    assert [executions.start("name", {"b": 1, "a": "x"}) for _ in range(2)] == [True, False]
    client.start_execution.assert_called_with(stateMachineArn=STATE_MACHINE, name="name", input='{"b": 1, "a": "x"}')
    with pytest.raises(ClientError, match="InvalidName"):
        executions.start("name", {})


def test_the_status_of_an_execution_is_read() -> None:
    client = Mock()
    executions = WorkflowExecutions(client, STATE_MACHINE)
    client.describe_execution.side_effect = [
        *({"status": "TIMED_OUT"}, client_error("ExecutionDoesNotExist"), client_error("AccessDeniedException"))
    ]
    arn = executions.arn("name")
    assert [executions.status(arn) for _ in range(2)] == ["TIMED_OUT", None]
    client.describe_execution.assert_called_with(
        executionArn="arn:aws:states:us-east-1:123456789012:execution:files:name"
    )
    with pytest.raises(ClientError, match="AccessDenied"):
        executions.status(arn)

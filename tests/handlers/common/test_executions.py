"""Test of the status of executions. The tests of the functions that start executions show the rest."""

from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from handlers.common.executions import WorkflowExecutions
from tests.handlers.common.fakes import client_error


def test_only_an_execution_that_does_not_exist_has_no_status() -> None:
    client = Mock()
    errors = (client_error("ExecutionDoesNotExist"), client_error("AccessDeniedException"))
    client.describe_execution.side_effect = [{"status": "TIMED_OUT"}, *errors]
    executions = WorkflowExecutions(client, "arn:aws:states:us-east-1:123456789012:stateMachine:files")
    assert [executions.status("arn") for _ in range(2)] == ["TIMED_OUT", None]
    with pytest.raises(ClientError, match="AccessDenied"):
        executions.status("arn")

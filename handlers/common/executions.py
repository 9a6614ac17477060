"""Starts and status of Step Functions executions, which are identified by names that the caller chooses.

The response to a start may be lost, and then the caller does not know whether the execution exists. The caller can
repeat the start, because Step Functions starts no second execution with the same name and input.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError


class StartOutcome(StrEnum):
    """Outcomes of a request to start an execution."""

    STARTED = "started"
    ALREADY_EXISTS = "already_exists"
    """An execution of this name exists, and has ended or has another input."""
    REFUSED = "refused"
    """Step Functions refused the request, so it did not start an execution."""
    UNKNOWN = "unknown"
    """The response was lost, the request was throttled, or Step Functions failed. An execution may have been started."""


class ExecutionStatus(StrEnum):
    """Status of an execution. Values are the names of Step Functions in lower case."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"


class WorkflowExecutions:
    """Executions of one state machine, by their names."""

    def __init__(self, client: Any, state_machine_arn: str) -> None:
        """`client` is the boto3 client, whose type stubs the project does not install."""
        self._client = client
        self._arn = state_machine_arn

    def arn(self, name: str) -> str:
        """Return the ARN that an execution of this name has or would have."""
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, name: str, execution_input: Mapping[str, object]) -> StartOutcome:
        """Start an execution. Repeating the call with the same name and input starts no second execution."""
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(execution_input))
        except ClientError as error:
            return _find_start_outcome(error)
        except BotoCoreError:
            return StartOutcome.UNKNOWN
        return StartOutcome.STARTED

    def status(self, arn: str) -> ExecutionStatus | None:
        """Return the status of an execution, or None if it does not exist."""
        try:
            answer = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        # An execution with the status PENDING_REDRIVE waits until Step Functions redrives it.
        return ExecutionStatus(answer["status"].lower().replace("pending_redrive", "running"))


def _find_start_outcome(error: ClientError) -> StartOutcome:
    if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
        return StartOutcome.ALREADY_EXISTS
    metadata = error.response["ResponseMetadata"]
    # If botocore retried, the refusal only concerns the last attempt. An earlier one may have started the execution
    # before its response was lost. Throttled requests are always retried.
    is_refused = metadata["HTTPStatusCode"] < 500 and not metadata["RetryAttempts"]
    return StartOutcome.REFUSED if is_refused else StartOutcome.UNKNOWN

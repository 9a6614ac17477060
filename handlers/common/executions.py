"""Starts and status of Step Functions executions, which are identified by names that the caller chooses.

The response to a start may be lost, and then the caller does not know whether the execution exists. The caller can
repeat the start, because Step Functions starts no second execution with the same name and input.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

RUNNING: Final = "RUNNING"
"""Step Functions' status of an execution that has not ended."""


class WorkflowExecutions:
    """Executions of one state machine, by their names."""

    def __init__(self, client: Any, state_machine_arn: str) -> None:
        """`client` is the boto3 client, whose type stubs the project does not install."""
        self._client = client
        self._arn = state_machine_arn

    def arn(self, name: str) -> str:
        """Return the ARN that an execution of this name has or would have."""
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, name: str, execution_input: Mapping[str, object]) -> bool:
        """Start an execution. Return False if an execution of this name has ended already, or has another input.

        Repeating the call with the same name and input starts no second execution. After an error of botocore, the
        execution may have been started nevertheless.
        """
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(execution_input))
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionAlreadyExists":
                return False
            raise
        return True

    def status(self, arn: str) -> str | None:
        """Return Step Functions' status of an execution, or None if it does not exist."""
        try:
            answer = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        return str(answer["status"])

"""Executions of a state machine: started under names of ours, and asked for where nobody remembers.

A start whose answer is lost may have happened, so that it is neither told as done nor as refused. One that is repeated
under its name, with the same input, is one execution.
"""

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

UNDECIDED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
"""Refusals that say nothing of the request: somebody may ask again."""


class Started(StrEnum):
    """How a start went."""

    YES = "yes"
    ALREADY = "already"
    """An execution of this name exists, and has ended or has another input."""
    REFUSED = "refused"
    """It was not started by this."""
    UNKNOWN = "unknown"
    """It may have been."""


class ExecutionStatus(StrEnum):
    """How far an execution has come."""

    RUNNING = "running"
    """Or about to run again, since somebody has redriven it."""
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    ABORTED = "aborted"


STATUSES = {
    "RUNNING": ExecutionStatus.RUNNING,
    "PENDING_REDRIVE": ExecutionStatus.RUNNING,
    "SUCCEEDED": ExecutionStatus.SUCCEEDED,
    "TIMED_OUT": ExecutionStatus.TIMED_OUT,
    "ABORTED": ExecutionStatus.ABORTED,
}
"""What AWS calls them; whatever else it may say is a failure."""


class ExecutionsClient(Protocol):
    """What is used of boto3's client, whose type stubs the project does without."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]: ...  # noqa: A002, N803
    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]: ...  # noqa: N803


class Executions:
    """Of one state machine, by their names."""

    def __init__(self, client: ExecutionsClient, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def arn(self, name: str) -> str:
        """The ARN of the execution of this name, whether it exists or not."""
        return f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}"

    def start(self, name: str, asked: Mapping[str, object]) -> Started:
        """Starts an execution, and says what is known of it then. Starting one twice is one execution."""
        try:
            self._client.start_execution(stateMachineArn=self._arn, name=name, input=json.dumps(asked))
        except ClientError as error:
            return _meaning(error)
        except BotoCoreError:
            return Started.UNKNOWN
        return Started.YES

    def status(self, arn: str) -> ExecutionStatus | None:
        """How far an execution is; none where there is none."""
        try:
            answer = self._client.describe_execution(executionArn=arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        return STATUSES.get(answer["status"], ExecutionStatus.FAILED)


def _meaning(error: ClientError) -> Started:
    code = error.response["Error"]["Code"]
    about = error.response.get("ResponseMetadata", {})
    if code == "ExecutionAlreadyExists":
        return Started.ALREADY
    # A refusal of a second attempt says nothing of the first, which may have started before its answer was lost.
    refused = 400 <= about.get("HTTPStatusCode", 500) < 500 and not about.get("RetryAttempts", 0)
    return Started.REFUSED if refused and code not in UNDECIDED else Started.UNKNOWN

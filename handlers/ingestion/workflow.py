"""Executions of the workflow: started under names that say what they are, and asked for where nobody remembers."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from handlers.common.ulid import PATTERN

NAME = re.compile(rf"(?P<manifest>{PATTERN})-[0-9a-f]{{16}}(-r(?P<redrive>[1-9][0-9]*))?")
UNDECIDED = frozenset({"ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded"})
"""Refusals that say nothing of the request: somebody may ask again."""


class Started(StrEnum):
    """How a start went."""

    YES = "yes"
    ALREADY = "already"
    """An execution of this name exists, and has ended."""
    REFUSED = "refused"
    """It was not started, and will not be."""
    UNKNOWN = "unknown"
    """It may have been."""


class ExecutionStatus(StrEnum):
    """What matters of an execution's state."""

    RUNNING = "running"
    SUCCEEDED = "succeeded"
    DEAD = "dead"
    """Failed, timed out or aborted."""


@dataclass(frozen=True)
class Execution:
    """An execution by its ARN, which tells the manifest and how often that was redriven."""

    arn: str
    manifest_id: str
    redrive: int

    @staticmethod
    def of(arn: str) -> "Execution":
        """What the ARN tells; names of other people's executions are refused."""
        found = NAME.fullmatch(arn.rpartition(":")[2])
        if found is None:
            raise ValueError("not an execution of a manifest")
        return Execution(arn, found["manifest"], int(found["redrive"] or 0))


class WorkflowClient(Protocol):
    """What is used of boto3's client, whose type stubs the project does without."""

    def start_execution(self, *, stateMachineArn: str, name: str, input: str) -> Mapping[str, Any]: ...  # noqa: A002, N803
    def describe_execution(self, *, executionArn: str) -> Mapping[str, Any]: ...  # noqa: N803


class Workflow:
    """The state machine that processes manifests."""

    def __init__(self, client: WorkflowClient, state_machine_arn: str) -> None:
        self._client = client
        self._arn = state_machine_arn

    def execution(self, name: str) -> Execution:
        """The execution of this name, whether it exists or not."""
        return Execution.of(f"{self._arn.replace(':stateMachine:', ':execution:')}:{name}")

    def start(self, execution: Execution) -> Started:
        """Starts an execution, and says what is known of it then. Starting one twice is one execution."""
        try:
            self._client.start_execution(
                stateMachineArn=self._arn,
                name=execution.arn.rpartition(":")[2],
                input=json.dumps({"schemaVersion": 1, "manifestId": execution.manifest_id}),
            )
        except ClientError as error:
            return _meaning(error)
        except BotoCoreError:
            return Started.UNKNOWN
        return Started.YES

    def status(self, execution: Execution) -> ExecutionStatus | None:
        """How far an execution is; none where there is none of this name."""
        try:
            answer = self._client.describe_execution(executionArn=execution.arn)
        except ClientError as error:
            if error.response["Error"]["Code"] == "ExecutionDoesNotExist":
                return None
            raise
        match answer["status"]:
            case "RUNNING" | "PENDING_REDRIVE":
                return ExecutionStatus.RUNNING
            case "SUCCEEDED":
                return ExecutionStatus.SUCCEEDED
            case _:
                return ExecutionStatus.DEAD


def _meaning(error: ClientError) -> Started:
    code = error.response["Error"]["Code"]
    about = error.response.get("ResponseMetadata", {})
    if code == "ExecutionAlreadyExists":
        return Started.ALREADY
    # A refusal of a second attempt says nothing of the first, which may have started before its answer was lost.
    refused = 400 <= about.get("HTTPStatusCode", 500) < 500 and not about.get("RetryAttempts", 0)
    return Started.REFUSED if refused and code not in UNDECIDED else Started.UNKNOWN

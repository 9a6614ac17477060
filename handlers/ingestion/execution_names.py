"""Executions of the workflow: their names say of which manifest they are, and how often that was redriven."""

import re
from dataclasses import dataclass

from handlers.common.aws.workflow_executions import ExecutionsClient, ExecutionStatus, StartOutcome, WorkflowExecutions
from handlers.common.time_and_ids.ulid import ULID_PATTERN

NAME = re.compile(rf"(?P<manifest>{ULID_PATTERN})-[0-9a-f]{{16}}(-r(?P<redrive>[1-9][0-9]*))?")


@dataclass(frozen=True)
class Execution:
    """An execution by its ARN, which tells the manifest and how often that was redriven."""

    arn: str
    manifest_id: str
    redrive: int

    @property
    def name(self) -> str:
        """What it was started as."""
        return self.arn.rpartition(":")[2]

    @staticmethod
    def of(arn: str) -> "Execution":
        """What the ARN tells; names of other people's executions are refused."""
        found = NAME.fullmatch(arn.rpartition(":")[2])
        if found is None:
            raise ValueError("not an execution of a manifest")
        return Execution(arn, found["manifest"], int(found["redrive"] or 0))


class Workflow:
    """The state machine that processes manifests."""

    def __init__(self, client: ExecutionsClient, state_machine_arn: str) -> None:
        self._executions = WorkflowExecutions(client, state_machine_arn)

    def execution(self, name: str) -> Execution:
        """The execution of this name, whether it exists or not."""
        return Execution.of(self._executions.arn(name))

    def start(self, execution: Execution) -> StartOutcome:
        """Starts an execution, and says what is known of it then. Starting one twice is one execution."""
        return self._executions.start(execution.name, {"schemaVersion": 1, "manifestId": execution.manifest_id})

    def status(self, execution: Execution) -> ExecutionStatus | None:
        """How far an execution is; none where there is none of this name."""
        return self._executions.status(execution.arn)

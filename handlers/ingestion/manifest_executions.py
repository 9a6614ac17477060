"""Workflow executions of manifests. An execution's name contains its manifest id and its redrive number.

A manifest is a list of files for one Spark run. A redrive is a new execution for a failed manifest. It is not the
redrive of Step Functions, which continues the same execution.
"""

import re
from dataclasses import dataclass
from typing import Any

from handlers.common.executions import ExecutionStatus, StartOutcome, WorkflowExecutions
from handlers.common.ids import ULID_PATTERN

EXECUTION_NAME = re.compile(rf"(?P<manifest>{ULID_PATTERN})-[0-9a-f]{{16}}(-r(?P<redrive>[1-9][0-9]*))?")
"""Name of an execution: manifest id and hash of the files. The name of the nth redrive also ends in `-r<n>`."""


@dataclass(frozen=True)
class ManifestExecution:
    arn: str
    manifest_id: str
    redrive: int
    """0 for the first execution, n for the nth redrive."""

    @property
    def name(self) -> str:
        return self.arn.rpartition(":")[2]

    @staticmethod
    def from_arn(arn: str) -> "ManifestExecution":
        """Return the execution of an ARN. Raise ValueError if its name is not that of a manifest's execution."""
        match = EXECUTION_NAME.fullmatch(arn.rpartition(":")[2])
        if match is None:
            raise ValueError("the ARN is not that of an execution for a manifest")
        return ManifestExecution(arn, match["manifest"], int(match["redrive"] or 0))


class ManifestWorkflow:
    def __init__(self, client: Any, state_machine_arn: str) -> None:
        self._executions = WorkflowExecutions(client, state_machine_arn)

    def execution(self, name: str) -> ManifestExecution:
        """Return the execution with this name. It need not exist yet."""
        return ManifestExecution.from_arn(self._executions.arn(name))

    def start(self, execution: ManifestExecution) -> StartOutcome:
        """Start an execution, or return why it has not started or may not have started.

        A repeated start does not create a second execution, because its name is already taken.
        """
        return self._executions.start(execution.name, {"schemaVersion": 1, "manifestId": execution.manifest_id})

    def status(self, execution: ManifestExecution) -> ExecutionStatus | None:
        return self._executions.status(execution.arn)

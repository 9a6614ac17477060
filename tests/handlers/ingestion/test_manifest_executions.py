"""Workflow executions for manifests (lists of files), which are found by their names.

The name contains the manifest's id. A redrive, a new execution for a failed manifest, has a name that ends in `-r<n>`.
"""

import pytest

from handlers.common.executions import ExecutionStatus, StartOutcome
from handlers.common.ids import ulid
from handlers.ingestion.manifest_executions import ManifestExecution, ManifestWorkflow
from tests.handlers.ingestion.conftest import NOW, MotoAws

NAME = f"{ulid(NOW, 1)}-0123456789abcdef"


def test_a_repeated_start_is_one_execution_which_is_found_by_its_name(aws: MotoAws) -> None:
    workflow = ManifestWorkflow(aws.stepfunctions, aws.state_machine_arn)
    execution = workflow.execution(NAME)
    assert workflow.status(execution) is None
    assert [workflow.start(execution) for _ in range(2)] == [StartOutcome.STARTED, StartOutcome.STARTED]
    assert workflow.status(execution) is ExecutionStatus.RUNNING
    assert aws.executions() == [NAME]
    aws.stepfunctions.stop_execution(executionArn=execution.arn)
    assert workflow.start(execution) is StartOutcome.ALREADY_EXISTS


@pytest.mark.parametrize(("name", "redrive"), [(NAME, 0), (f"{NAME}-r1", 1), (f"{NAME}-r12", 12)])
def test_a_name_contains_manifest_and_redrive_and_is_short_enough(name: str, redrive: int) -> None:
    execution = ManifestExecution.from_arn(f"arn:aws:states:us-east-1:1:execution:x:{name}")
    assert (execution.manifest_id, execution.redrive) == (NAME[:26], redrive)
    assert len(name) <= 80


@pytest.mark.parametrize("name", ["", "x", f"{NAME}-r0", f"{NAME}-r", f"{NAME}x", NAME[:26]])
def test_a_name_of_another_form_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not that of an execution for a manifest"):
        ManifestExecution.from_arn(f"arn:aws:states:us-east-1:1:execution:x:{name}")

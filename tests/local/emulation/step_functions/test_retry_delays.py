"""Tests of the pauses between the attempts of a failed state, with the AWS emulator's interpreter of state machines."""

from collections.abc import Sequence
from typing import Any

import pytest

from components.blocks.workflow.state_definitions import Retry, total_pause_seconds
from components.ingestion.manifest_workflow_states import CAPACITY_ERRORS, RUN_RETRIES, START_RETRIER
from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit
TASK = {"Type": "Task", "Resource": "arn:aws:states:::glue:startJobRun.sync", "End": True}
RUN_STATE = """
import json, random
from ministack.services import stepfunctions
from local.emulation.step_functions import retry_delays

scenario = json.load(sys.stdin)
errors, pauses = list(scenario["errors"]), []

def invoke(resource, arguments):
    if errors:
        raise stepfunctions._ExecutionError(errors.pop(0), "")
    return {}

stepfunctions._invoke_resource = invoke
stepfunctions._scaled_sleep = lambda seconds: pauses.append(seconds) if seconds else None
random.seed(1)
retry_delays.install()
try:
    stepfunctions._run_sub_machine({"Run": scenario["state"]}, "Run", {}, {"events": []}, {"State": {"Name": "Run"}})
    failed = False
except stepfunctions._ExecutionError:
    failed = True
print(json.dumps({"failed": failed, "pauses": pauses}))
"""


def run_state(state: dict[str, Any], errors: Sequence[str]) -> dict[str, Any]:
    """Run a state whose task first fails with these errors. Return its pauses, and whether it failed."""
    result: dict[str, Any] = run_in_emulator_python(RUN_STATE, {"state": state, "errors": errors})
    return result


def retrier(**fields: Any) -> Retry:
    return {"ErrorEquals": ["Busy"], "IntervalSeconds": 30, "MaxAttempts": 8, **fields}


@pytest.mark.parametrize(
    ("fields", "pauses"),
    [
        ({}, [30, 60, 120, 240, 480, 960]),
        ({"BackoffRate": 1}, [30] * 6),
        ({"MaxDelaySeconds": 200}, [30, 60, 120, 200, 200, 200]),
    ],
)
def test_the_pauses_follow_the_interval_backoff_rate_and_maximum_delay(
    fields: dict[str, Any], pauses: list[float]
) -> None:
    state = {**TASK, "Retry": [retrier(**fields)]}
    assert run_state(state, ["Busy"] * 6) == {"failed": False, "pauses": pauses}


def test_full_jitter_makes_each_pause_randomly_shorter() -> None:
    pauses = run_state({**TASK, "Retry": [retrier(JitterStrategy="FULL", BackoffRate=1.0)]}, ["Busy"] * 8)["pauses"]
    assert len(set(pauses)) == 8
    assert all(0 <= pause <= 30 for pause in pauses)


def test_each_retrier_counts_its_own_attempts_and_the_state_fails_after_the_last_one() -> None:
    state = {**TASK, "Retry": [retrier(MaxAttempts=1), {"ErrorEquals": ["Slow"], "IntervalSeconds": 7}]}
    assert run_state(state, ["Busy", "Slow", "Busy", "Busy"]) == {"failed": True, "pauses": [30, 7]}


def test_a_glue_run_waits_for_capacity_as_long_as_on_aws() -> None:
    """Without `retry_delays`, the emulator pauses for at most a minute. A manifest (the list of files for one Glue run)
    would then fail, although on AWS it would still wait.
    """
    attempts, no_capacity = START_RETRIER["MaxAttempts"], CAPACITY_ERRORS[0]
    result = run_state({**TASK, "Retry": RUN_RETRIES}, [no_capacity] * attempts)
    assert result["failed"] is False
    assert 0.4 < sum(result["pauses"]) / total_pause_seconds(START_RETRIER) < 0.6, "full jitter halves the pauses"
    assert run_state({**TASK, "Retry": RUN_RETRIES}, [no_capacity] * (attempts + 1))["failed"] is True

"""Tests of the workflow for one manifest: waiting for capacity, retries, and the limits of Step Functions."""

import json

from statelint.linter import Linter

from components.blocks.states import total_pause_seconds
from tests.components.deployments import INGESTION

deployed = INGESTION.deployed


def test_a_run_waits_for_capacity_and_is_retried_once() -> None:
    machine = deployed().one("sfn.StateMachine")
    definition = machine.inputs["definition"]
    earlier = {resource.name for resource in deployed().ancestors(machine)}
    assert {"ingestion-workflow-logs", "ingestion-workflow-grants"} <= earlier
    assert machine.inputs["loggingConfiguration"]["includeExecutionData"] is False, "it is customer data"
    [step_retrier] = json.loads(definition)["States"]["MarkFailed"]["Retry"]
    assert "Lambda.TooManyRequestsException" in step_retrier["ErrorEquals"], "Lambda's transient errors are retried"
    assert Linter.validate(json.loads(definition)) == []
    run = json.loads(definition)["States"]["Run"]
    capacity_retrier, failure_retrier = run["Retry"]
    assert set(capacity_retrier["ErrorEquals"]) > {
        *("Glue.ConcurrentRunsExceededException", "Glue.ResourceNumberLimitExceededException"),
        "Glue.AWSGlueException",  # the name that Step Functions gives to a throttled start
    }
    assert capacity_retrier["IntervalSeconds"] >= 30, "Glue allows few starts per second, and many runs start together"
    assert (failure_retrier["ErrorEquals"], failure_retrier["MaxAttempts"]) == (["States.TaskFailed"], 1)
    assert [catch["Next"] for catch in run["Catch"]] == ["MarkFailed"]
    assert "errorOutput.Error" in definition
    assert "errorOutput.Cause" not in definition, "the text of an error may quote a file"


def test_the_retries_stay_within_the_limits_of_step_functions() -> None:
    """The limits are those of https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html and
    .../service-quotas.html.
    """
    states = json.loads(deployed().one("sfn.StateMachine").inputs["definition"])["States"]
    retriers = [retrier for state in states.values() for retrier in state.get("Retry", [])]
    assert all(retrier["IntervalSeconds"] <= retrier["MaxDelaySeconds"] < 31_622_400 for retrier in retriers)
    # A failed attempt adds three events: scheduled, started, failed. A state adds two: entered, exited.
    attempts = sum(retrier["MaxAttempts"] + 1 for retrier in retriers)
    assert 3 * attempts + 2 * len(states) < 25_000 / 10, "an execution fails when its history has 25,000 events"


def test_a_run_waits_twenty_hours_for_capacity_and_the_workflow_times_out_after_all_retries() -> None:
    definition = json.loads(deployed(spark={"timeoutMinutes": 480}).one("sfn.StateMachine").inputs["definition"])
    run = definition["States"]["Run"]
    assert total_pause_seconds(run["Retry"][0]) / 2 > 20 * 3600, "full jitter halves the pauses on average"
    max_seconds = 2 * run["TimeoutSeconds"] + sum(total_pause_seconds(retry) for retry in run["Retry"])
    assert max_seconds + 3600 < definition["TimeoutSeconds"], "the last steps need time after the last run"


def test_the_workflow_waits_longer_for_a_step_than_the_function_may_take() -> None:
    for recorded, seconds in ((deployed(), 120), (deployed(steps={"timeoutSeconds": 300}), 300)):
        states = json.loads(recorded.one("sfn.StateMachine").inputs["definition"])["States"]
        timeouts = {states[name]["TimeoutSeconds"] for name in ("Confirm", "MarkProcessed", "MarkFailed")}
        assert timeouts == {seconds + 60}

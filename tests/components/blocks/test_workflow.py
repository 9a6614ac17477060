"""Workflows: definitions that lead somewhere, failures that land somewhere, a role for that alone."""

import json
from typing import Any

import pytest
from statelint.linter import Linter

from components.blocks.states import Catch, Choice, Fail, Retry, State, Succeed, Task, call, definition
from components.blocks.workflow import Workflow, WorkflowArgs
from tests.engine import Engine, Recorded, scope

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:steps:live"


def states() -> dict[str, State]:
    return {
        "First": call(
            FUNCTION, {"id": "{% $states.input.id %}"}, 60, to="Enough", assign={"n": "{% $states.result.Payload.n %}"}
        ),
        "Enough": Choice([("{% $n > 0 %}", "Run")], otherwise="Done"),
        "Run": Task(
            "arn:aws:states:::glue:startJobRun.sync", {"JobName": "j"}, 60, to="Done", catches=[Catch("Failed")]
        ),
        "Done": Succeed(),
        "Failed": Fail("Bad", "It failed."),
    }


def built(**changes: Any) -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(definition("test", "First", {**states(), **changes}, 600))
    return parsed


def test_a_definition_passes_the_linter() -> None:
    assert Linter.validate(built()) == []


def test_the_linter_would_find_a_mistake() -> None:
    broken = built()
    del broken["States"]["Enough"]["Choices"]
    assert Linter.validate(broken)


def test_everything_is_jsonata() -> None:
    assert built()["QueryLanguage"] == "JSONata"


def test_a_call_is_tried_again_where_lambda_itself_stumbles() -> None:
    (retry,) = built()["States"]["First"]["Retry"]
    assert "Lambda.TooManyRequestsException" in retry["ErrorEquals"]
    assert retry["JitterStrategy"] == "FULL"


def test_a_task_without_retry_or_catch_is_refused() -> None:
    with pytest.raises(ValueError, match="needs a Retry or a Catch"):
        built(Run=Task("arn:aws:states:::glue:startJobRun.sync", {}, 60))


def test_a_state_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(ValueError, match="no state Nowhere; there are First, Enough"):
        built(Enough=Choice([("{% true %}", "Nowhere")], otherwise="Run"))


def test_a_state_that_nothing_leads_to_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing leads to Lost"):
        built(Lost=Succeed())


def test_a_retry_grows_up_to_a_limit() -> None:
    assert Retry(["X"], attempts=3, first_seconds=1, longest_seconds=9).definition() == {
        "ErrorEquals": ["X"],
        "IntervalSeconds": 1,
        "MaxAttempts": 3,
        "BackoffRate": 2.0,
        "MaxDelaySeconds": 9,
        "JitterStrategy": "FULL",
    }


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0), (1, 1), (3, 7), (5, 24)])
def test_the_pauses_of_a_retry_add_up_to_a_limit(attempts: int, seconds: int) -> None:
    assert Retry(["X"], attempts=attempts, first_seconds=1, longest_seconds=9).pauses_seconds == seconds


def workflow(engine: Engine) -> Recorded:
    def program() -> None:
        made = Workflow(
            "manifest",
            WorkflowArgs(scope(), "Manifest", "test", "First", states(), grants=[], timeout_seconds=600),
        )
        assert made.grant_start().resources == (made.arn,)
        assert made.grant_describe().resources == (f"{made.arn.replace(':stateMachine:', ':execution:')}:*",)

    return engine.run(program)


def test_its_logs_are_its_own_expire_and_hold_no_data(engine: Engine) -> None:
    recorded = workflow(engine)
    group = recorded.one("cloudwatch.LogGroup").inputs
    logging = recorded.one("sfn.StateMachine").inputs["loggingConfiguration"]
    assert group["name"] == "/aws/vendedlogs/states/polyphony-test-ingestion-manifest"
    assert logging["logDestination"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{group['name']}:*"
    assert (logging["level"], logging["includeExecutionData"]) == ("ERROR", False)
    assert group["retentionInDays"] == 90


def test_its_role_is_trusted_for_this_machine_alone(engine: Engine) -> None:
    (statement,) = json.loads(workflow(engine).one("iam.Role").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:states:us-east-1:123456789012:stateMachine:polyphony-test-ingestion-manifest"
    }


def test_it_exists_only_after_its_logs_and_its_permissions(engine: Engine) -> None:
    recorded = workflow(engine)
    before = list(recorded.ancestors(recorded.one("sfn.StateMachine")))
    assert recorded.one("cloudwatch.LogGroup") in before
    assert recorded.one("iam.RolePolicy") in before


def test_failures_and_time_outs_ring(engine: Engine) -> None:
    alarms = {one.inputs["metricName"]: one.inputs for one in workflow(engine).all("cloudwatch.MetricAlarm")}
    assert set(alarms) == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"}
    assert all(
        one["dimensions"]["StateMachineArn"].endswith(":polyphony-test-ingestion-manifest") for one in alarms.values()
    )

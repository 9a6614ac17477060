"""Tests of the workflow block (a Step Functions state machine) and of the functions that define its states."""

import json

import pytest
from statelint.linter import Linter

from components.blocks.workflow.state_definitions import (
    SUCCEED,
    State,
    catch,
    choice_state,
    fail_state,
    lambda_state,
    least_pause_seconds,
    retry,
    task_state,
    total_pause_seconds,
)
from components.blocks.workflow.workflow import Workflow, WorkflowArgs
from tests.components.deployment_harness import trust_statement
from tests.fake_engine import Engine, Recorded, scope

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:steps:live"


def states() -> dict[str, State]:
    return {
        "First": lambda_state(
            FUNCTION, {"id": "{% $states.input.id %}"}, 60, to="Enough", assign={"n": "{% $states.result.Payload.n %}"}
        ),
        "Enough": choice_state([("{% $n > 0 %}", "Run")], otherwise="Done"),
        "Run": task_state(
            "arn:aws:states:::glue:startJobRun.sync", {"JobName": "j"}, 60, to="Done", catches=[catch("Failed")]
        ),
        "Done": SUCCEED,
        "Failed": fail_state("Bad", "It failed."),
    }


def test_a_definition_is_jsonata_and_passes_the_linter(engine: Engine) -> None:
    definition = json.loads(register_workflow(engine).one("sfn.StateMachine").inputs["definition"])
    assert Linter.validate(definition) == []
    assert (definition["QueryLanguage"], definition["StartAt"], definition["TimeoutSeconds"]) == (
        "JSONata",
        "First",
        600,
    )
    (retrier,) = definition["States"]["First"]["Retry"]
    assert "Lambda.TooManyRequestsException" in retrier["ErrorEquals"], "Lambda's transient errors are retried"


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 0), (1, 1), (3, 1 + 2 + 4), (5, 1 + 2 + 4 + 8 + 9)])
def test_the_pauses_of_a_retrier_double_up_to_the_maximum_delay(attempts: int, seconds: int) -> None:
    assert total_pause_seconds(retry(["X"], attempts=attempts, first_seconds=1, longest_seconds=9)) == seconds


def test_the_least_pause_is_five_standard_deviations_below_the_average() -> None:
    """With full jitter, a pause is uniformly distributed, so its average is half its maximum. Its standard deviation is
    the maximum divided by the square root of 12. For n pauses, the share of the deviation shrinks by the square root of n.
    """
    few, many = (retry(["X"], attempts=attempts, first_seconds=60, longest_seconds=60) for attempts in (100, 400))
    assert least_pause_seconds(few) / total_pause_seconds(few) == pytest.approx(0.5 - 5 / 12**0.5 / 10)
    assert least_pause_seconds(many) / total_pause_seconds(many) == pytest.approx(0.5 - 5 / 12**0.5 / 20)


def register_workflow(engine: Engine) -> Recorded:
    def program() -> None:
        workflow = Workflow(
            "manifest", WorkflowArgs(scope(), "Manifest", "test", "First", states(), grants=[], timeout_seconds=600)
        )
        assert workflow.grant_start().resources == (workflow.arn,)
        assert workflow.grant_describe().resources == (f"{workflow.arn.replace(':stateMachine:', ':execution:')}:*",)

    return engine.run(program)


def test_a_workflow_has_expiring_logs_without_data_and_a_role_for_itself_only(engine: Engine) -> None:
    recorded = register_workflow(engine)
    group = recorded.one("cloudwatch.LogGroup").inputs
    machine = recorded.one("sfn.StateMachine")
    logging = machine.inputs["loggingConfiguration"]
    assert group["name"] == "/aws/vendedlogs/states/polyphony-test-ingestion-manifest"
    assert logging["logDestination"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{group['name']}:*"
    assert (logging["level"], logging["includeExecutionData"]) == ("ERROR", False)
    assert group["retentionInDays"] == 90
    statement = trust_statement(recorded, "manifest")
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:states:us-east-1:123456789012:stateMachine:polyphony-test-ingestion-manifest"
    }
    earlier = list(recorded.ancestors(machine))
    assert recorded.one("cloudwatch.LogGroup") in earlier
    assert recorded.one("iam.RolePolicy") in earlier

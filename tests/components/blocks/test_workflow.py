"""Workflows: definitions that lead somewhere, failures that land somewhere, a role for that alone."""

import json
from typing import Any

import pytest
from statelint.linter import Linter

from components.blocks.states import (
    Catch,
    Choice,
    Fail,
    Map,
    Pass,
    Retry,
    State,
    Succeed,
    Task,
    Wait,
    call,
    definition,
)
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


def test_a_definition_is_jsonata_and_passes_the_linter() -> None:
    assert Linter.validate(built()) == []
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


def each(start: str = "Rest", **inside: State) -> Map:
    states: dict[str, State] = {"Rest": Wait(30, "Rested"), "Rested": Succeed(), **inside}
    return Map("{% $states.input.parts %}", start, states, 5, to="Done", catches=[Catch("Failed")])


def mapped(one: Map) -> dict[str, Any]:
    states: dict[str, State] = {"Each": one, "Done": Succeed(), "Failed": Fail("Bad", "It failed.")}
    found: dict[str, Any] = json.loads(definition("test", "Each", states, 600))
    return found


def test_a_wait_is_so_many_seconds_and_a_state_may_do_nothing_but_remember() -> None:
    assert Pass({"pause": 30}, "Next").definition() == {"Type": "Pass", "Assign": {"pause": 30}, "Next": "Next"}
    assert Wait(30, "Next").definition() == {"Type": "Wait", "Seconds": 30, "Next": "Next"}
    assert Wait("{% $pause %}", "Next").definition() == {"Type": "Wait", "Seconds": "{% $pause %}", "Next": "Next"}


def test_a_map_works_on_some_items_at_once_and_one_failure_is_all_of_its() -> None:
    assert Linter.validate(mapped(each())) == []
    found = mapped(each())["States"]["Each"]
    assert (found["Items"], found["MaxConcurrency"], found["Next"]) == ("{% $states.input.parts %}", 5, "Done")
    assert found["ItemProcessor"]["ProcessorConfig"] == {"Mode": "INLINE"}
    assert [one["Next"] for one in found["Catch"]] == ["Failed"]


def test_a_state_inside_leads_to_one_inside() -> None:
    for inside, says in (
        (each(Rest=Wait(30, "Done")), "no state Done; there are Rest, Rested"),
        (each(Lost=Succeed()), "nothing leads to Lost"),
        (each("Done"), "no state Done"),
    ):
        with pytest.raises(ValueError, match=says):
            mapped(inside)


def workflow(engine: Engine) -> Recorded:
    def program() -> None:
        made = Workflow(
            "manifest",
            WorkflowArgs(scope(), "Manifest", "test", "First", states(), grants=[], timeout_seconds=600),
        )
        assert made.grant_start().resources == (made.arn,)
        assert made.grant_describe().resources == (f"{made.arn.replace(':stateMachine:', ':execution:')}:*",)

    return engine.run(program)


def test_its_logs_expire_and_hold_no_data_and_its_role_is_trusted_for_it_alone(engine: Engine) -> None:
    recorded = workflow(engine)
    group = recorded.one("cloudwatch.LogGroup").inputs
    machine = recorded.one("sfn.StateMachine")
    logging = machine.inputs["loggingConfiguration"]
    assert group["name"] == "/aws/vendedlogs/states/polyphony-test-ingestion-manifest"
    assert logging["logDestination"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{group['name']}:*"
    assert (logging["level"], logging["includeExecutionData"]) == ("ERROR", False)
    assert group["retentionInDays"] == 90
    (statement,) = json.loads(recorded.one("iam.Role").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "states.amazonaws.com"}
    assert statement["Condition"]["ArnLike"] == {
        "aws:SourceArn": "arn:aws:states:us-east-1:123456789012:stateMachine:polyphony-test-ingestion-manifest"
    }
    before = list(recorded.ancestors(machine))
    assert recorded.one("cloudwatch.LogGroup") in before
    assert recorded.one("iam.RolePolicy") in before


def test_failures_and_time_outs_ring(engine: Engine) -> None:
    alarms = {one.inputs["metricName"]: one.inputs for one in workflow(engine).all("cloudwatch.MetricAlarm")}
    assert set(alarms) == {"ExecutionsFailed", "ExecutionsTimedOut", "ExecutionThrottled"}
    assert all(
        one["dimensions"]["StateMachineArn"].endswith(":polyphony-test-ingestion-manifest") for one in alarms.values()
    )

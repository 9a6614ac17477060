"""Test of the workflow block, a Step Functions state machine."""

import json

from statelint.linter import Linter

from components.blocks.states import SUCCEED, State, catch, choice_state, fail_state, lambda_state, task_state
from components.blocks.workflow import Workflow
from tests.fake_engine import Engine, scope

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:steps:live"
STATES: dict[str, State] = {
    "First": lambda_state(
        FUNCTION, {"id": "{% $states.input.id %}"}, 60, to="Enough", assign={"n": "{% $states.result.Payload.n %}"}
    ),
    "Enough": choice_state([("{% $n > 0 %}", "Run")], otherwise="Failed"),
    "Run": task_state(
        "arn:aws:states:::glue:startJobRun.sync", {"JobName": "j"}, 60, to="Done", catches=[catch("Failed")]
    ),
    "Done": SUCCEED,
    "Failed": fail_state("Bad", "It failed."),
}
"""A workflow with every kind of state."""


def test_a_workflow_is_created_after_its_logs_and_permissions_and_its_definition_is_valid(engine: Engine) -> None:
    recorded = engine.run(
        lambda: Workflow(
            scope(),
            "manifest",
            display_name="Manifest",
            comment="test",
            start="First",
            states=STATES,
            grants=[],
            timeout_seconds=600,
        )
    )
    machine, group = recorded.one("sfn.StateMachine"), recorded.one("cloudwatch.LogGroup")
    earlier_names = {resource.name for resource in recorded.ancestors(machine)}
    assert {"ingestion-manifest-logs", "ingestion-manifest-grants"} <= earlier_names
    logging = machine.inputs["loggingConfiguration"]
    assert logging["logDestination"] == f"arn:aws:logs:us-east-1:123456789012:log-group:{group.inputs['name']}:*"
    assert logging["includeExecutionData"] is False, "inputs and outputs are customer data"
    definition = json.loads(machine.inputs["definition"])
    assert Linter.validate(definition) == []
    [retrier] = definition["States"]["First"]["Retry"]
    assert "Lambda.TooManyRequestsException" in retrier["ErrorEquals"], "Lambda's transient errors are retried"

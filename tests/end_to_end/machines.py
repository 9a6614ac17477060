"""Roles and state machines of a test's own: made, started, and what became of them."""

import json
import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from local.aws import EmulatorClients
from local.flows import eventually
from local.preview_provider import ACCOUNT


def statement(actions: str | Sequence[str], resource: str | Sequence[str]) -> dict[str, Any]:
    """A grant."""
    return {"Effect": "Allow", "Action": listed(actions), "Resource": listed(resource)}


def listed(value: str | Sequence[str]) -> list[str]:
    """IAM writes a list of one without its brackets."""
    return [value] if isinstance(value, str) else list(value)


def make_role(clients: EmulatorClients, name: str, service: str, condition: Mapping[str, Any] | None = None) -> str:
    """A role that a service may take on; its ARN."""
    trust: dict[str, Any] = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
    if condition:
        trust["Condition"] = condition
    document = json.dumps({"Statement": [trust]})
    return str(clients("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"])


def grant(clients: EmulatorClients, name: str, statements: Sequence[Mapping[str, Any]], without: str = "") -> None:
    """Gives a role these grants and no others, perhaps with an action less."""
    kept = [
        {**one, "Action": actions}
        for one in statements
        if (actions := [action for action in one["Action"] if action != without])
    ]
    document = json.dumps({"Statement": kept})
    clients("iam").put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=document)


def start(clients: EmulatorClients, start_at: str, states: Mapping[str, Any], given: object = None) -> str:
    """Makes a machine of the role `machine`, and starts it; the execution."""
    name = str(uuid.uuid4())
    definition = {"QueryLanguage": "JSONata", "StartAt": start_at, "States": states}
    machine = clients("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=f"arn:aws:iam::{ACCOUNT}:role/machine"
    )["stateMachineArn"]
    text = json.dumps(given or {})
    return str(clients("stepfunctions").start_execution(stateMachineArn=machine, name=name, input=text)["executionArn"])


def ended(clients: EmulatorClients, execution: str) -> dict[str, Any]:
    """What an execution came to: its output, or its error."""
    states = clients("stepfunctions")
    found = eventually(
        lambda: one if (one := states.describe_execution(executionArn=execution))["status"] != "RUNNING" else None,
        "the execution's end",
    )
    output: dict[str, Any] = json.loads(found["output"])
    return output

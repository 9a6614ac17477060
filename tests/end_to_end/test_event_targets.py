"""Tests of targets of EventBridge and EventBridge Scheduler, and of asynchronous invocations, on an emulator.

A target gets an event only if its resource policy or role permits it. An asynchronous invocation that fails is retried
and reported as its function's settings say.
"""

import contextlib
import json
from dataclasses import dataclass
from typing import Any

import pytest

from local import ACCOUNT, REGION
from local.flows import eventually
from local.platform.emulator_clients import EmulatorClients
from tests.end_to_end.conftest import DeployBlocks
from tests.end_to_end.small_stack import create_function

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("blocks")]

CODE = """
def handler(event, context):
    raise ValueError("every invocation fails")
"""
RULE_ARN = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/rule"
SQS_ARN_PREFIX = f"arn:aws:sqs:{REGION}:{ACCOUNT}"
FUNCTION_ARN = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:failing"
LOG_GROUP = "/aws/lambda/failing"
SCHEDULE_GROUP_ARN = f"arn:aws:scheduler:{REGION}:{ACCOUNT}:schedule-group/default"
ALLOWED_EVENT, REFUSED_EVENT = {"n": "allowed"}, {"n": "refused"}


@dataclass
class EventTargetHarness:
    """Harness with queues and with an alias of a function that always fails. A failed call is reported to a queue."""

    clients: EmulatorClients

    def create_role(self, name: str, service: str, source: str = "*", **grants: str) -> str:
        """Create a role that a service may assume for a source, and return its ARN.

        Grants are resources by action, for example `sqs_SendMessage="*"` for `sqs:SendMessage`.
        """
        iam = self.clients("iam")
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": service},
            "Action": "sts:AssumeRole",
            "Condition": {"ArnLike": {"aws:SourceArn": source}} if source != "*" else {},
        }
        document = json.dumps({"Statement": [trust]})
        arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        statements = [
            {"Effect": "Allow", "Action": action.replace("_", ":"), "Resource": resource}
            for action, resource in grants.items()
        ]
        if statements:
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps({"Statement": statements}))
        return str(arn)

    def queue_url(self, queue: str) -> str:
        return str(self.clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"])

    def allow_sending(self, queue: str, source: str) -> None:
        """Let the queue policy allow EventBridge to send messages for one rule."""
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": f"{SQS_ARN_PREFIX}:{queue}",
            "Condition": {"ArnEquals": {"aws:SourceArn": source}},
        }
        policy = json.dumps({"Statement": [statement]})
        self.clients("sqs").set_queue_attributes(QueueUrl=self.queue_url(queue), Attributes={"Policy": policy})

    def allow_invocation(self, source: str) -> None:
        """Let the function policy allow EventBridge to invoke the alias for one rule."""
        functions = self.clients("lambda")
        alias = {"FunctionName": "failing", "Qualifier": "live", "StatementId": "one"}
        with contextlib.suppress(functions.exceptions.ResourceNotFoundException):
            functions.remove_permission(**alias)
        functions.add_permission(
            **alias, Action="lambda:InvokeFunction", Principal="events.amazonaws.com", SourceArn=source
        )

    def send_event(self, target: str, detail: dict[str, str], **parameters: Any) -> None:
        """Make the target the only target of the rule, and send an event that matches the rule."""
        events = self.clients("events")
        events.put_rule(Name="rule", EventPattern=json.dumps({"source": ["test"]}))
        events.put_targets(Rule="rule", Targets=[{"Id": "one", "Arn": target, **parameters}])
        events.put_events(Entries=[{"Source": "test", "DetailType": "test", "Detail": json.dumps(detail)}])

    def schedule(self, name: str, role: str, event: dict[str, str]) -> None:
        """Create a schedule that invokes the function. Its time has passed, so it is due at once."""
        self.clients("scheduler").create_schedule(
            Name=name,
            ScheduleExpression="at(2020-01-01T00:00:00)",
            FlexibleTimeWindow={"Mode": "OFF"},
            Target={"Arn": f"{FUNCTION_ARN}:live", "RoleArn": role, "Input": json.dumps(event)},
        )

    def receive_message(self, queue: str) -> dict[str, Any]:
        sqs, url = self.clients("sqs"), self.queue_url(queue)
        [message] = eventually(lambda: sqs.receive_message(QueueUrl=url).get("Messages"), f"a message in {queue}")
        sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        body: dict[str, Any] = json.loads(message["Body"])
        return body


@pytest.fixture(scope="module")
def harness(deploy_blocks: DeployBlocks) -> EventTargetHarness:
    harness = EventTargetHarness(deploy_blocks(lambda: None, "").clients)
    for name in ("rule-target", "alias-failures", "function-failures"):
        harness.clients("sqs").create_queue(QueueName=name)
    logs = {"logs_CreateLogStream": "*", "logs_PutLogEvents": "*"}
    role = harness.create_role("function", "lambda.amazonaws.com", sqs_SendMessage=f"{SQS_ARN_PREFIX}:*", **logs)
    harness.clients("logs").create_log_group(logGroupName=LOG_GROUP)
    create_function(harness.clients, "failing", CODE, role, Publish=True)
    lambda_ = harness.clients("lambda")
    lambda_.create_alias(FunctionName="failing", Name="live", FunctionVersion="1")
    for name, qualifier in (("alias-failures", "live"), ("function-failures", "$LATEST")):
        lambda_.put_function_event_invoke_config(
            FunctionName="failing",
            Qualifier=qualifier,
            MaximumRetryAttempts=0,
            DestinationConfig={"OnFailure": {"Destination": f"{SQS_ARN_PREFIX}:{name}"}},
        )
    return harness


def test_an_event_reaches_a_queue_only_if_its_policy_allows_the_rule(harness: EventTargetHarness) -> None:
    harness.allow_sending("rule-target", f"{RULE_ARN}-other")
    harness.send_event(f"{SQS_ARN_PREFIX}:rule-target", REFUSED_EVENT)
    harness.allow_sending("rule-target", RULE_ARN)
    harness.send_event(f"{SQS_ARN_PREFIX}:rule-target", ALLOWED_EVENT)
    assert harness.receive_message("rule-target")["detail"] == ALLOWED_EVENT


def test_an_event_invokes_a_function_only_if_its_policy_allows_the_rule(harness: EventTargetHarness) -> None:
    harness.allow_invocation(f"{RULE_ARN}-other")
    harness.send_event(f"{FUNCTION_ARN}:live", REFUSED_EVENT)
    harness.allow_invocation(RULE_ARN)
    harness.send_event(f"{FUNCTION_ARN}:live", ALLOWED_EVENT)
    failure = harness.receive_message("alias-failures")
    assert failure["requestPayload"]["detail"] == ALLOWED_EVENT
    assert failure["responsePayload"]["errorType"] == "ValueError"


def test_an_event_starts_a_workflow_only_with_a_role_that_trusts_the_rule_and_has_the_grant(
    harness: EventTargetHarness,
) -> None:
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:workflow"
    grants = {"states_StartExecution": machine}
    states = harness.clients("stepfunctions")
    definition = json.dumps({"StartAt": "End", "States": {"End": {"Type": "Succeed"}}})
    states.create_state_machine(
        name="workflow", definition=definition, roleArn=harness.create_role("machine", "states.amazonaws.com")
    )
    events = "events.amazonaws.com"
    for role_parameter in (
        {},
        {"RoleArn": harness.create_role("other", events, f"{RULE_ARN}-other", **grants)},
        {"RoleArn": harness.create_role("without-grant", events, RULE_ARN)},
    ):
        harness.send_event(machine, REFUSED_EVENT, **role_parameter)
    assert states.list_executions(stateMachineArn=machine)["executions"] == []
    harness.send_event(machine, ALLOWED_EVENT, RoleArn=harness.create_role("granted", events, RULE_ARN, **grants))
    assert len(states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_a_schedule_invokes_a_function_only_with_a_role_that_trusts_its_group(harness: EventTargetHarness) -> None:
    grants = {"lambda_InvokeFunction": f"{FUNCTION_ARN}:live"}
    scheduler = "scheduler.amazonaws.com"
    harness.schedule(
        "refused",
        harness.create_role("of-another-group", scheduler, f"{SCHEDULE_GROUP_ARN}-other", **grants),
        REFUSED_EVENT,
    )
    harness.schedule(
        "allowed", harness.create_role("default-group", scheduler, SCHEDULE_GROUP_ARN, **grants), ALLOWED_EVENT
    )
    assert harness.receive_message("alias-failures")["requestPayload"] == ALLOWED_EVENT


@pytest.mark.parametrize(("qualifier", "queue"), [("live", "alias-failures"), (None, "function-failures")])
def test_an_asynchronous_invocation_uses_the_settings_of_its_qualifier(
    harness: EventTargetHarness, qualifier: str | None, queue: str
) -> None:
    qualifier_argument = {"Qualifier": qualifier} if qualifier else {}
    harness.clients("lambda").invoke(
        FunctionName="failing", InvocationType="Event", Payload=b'{"n": 2}', **qualifier_argument
    )
    assert harness.receive_message(queue)["requestPayload"] == {"n": 2}
    other_queue = ({"alias-failures", "function-failures"} - {queue}).pop()
    assert "Messages" not in harness.clients("sqs").receive_message(QueueUrl=harness.queue_url(other_queue))

"""Tests that alarms react to events in the emulator, and that their topic's subscriber gets the message."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from local.flows import eventually
from local.platform import emulator
from local.platform.emulator_clients import EmulatorClients
from local.preview.preview_provider import ACCOUNT, REGION
from tests.end_to_end.small_stack import create_function

pytestmark = [pytest.mark.e2e, pytest.mark.xdist_group("alarms")]

CODE = """
import json, sys
def handler(event, context):
    print(json.dumps({"message": "work_failed", "items": 3}), file=sys.stderr)
    raise ValueError("every invocation fails")
"""
TOPIC = f"arn:aws:sns:{REGION}:{ACCOUNT}:alerts"
TOPIC_WITHOUT_POLICY = f"arn:aws:sns:{REGION}:{ACCOUNT}:closed"
INBOX = f"arn:aws:sqs:{REGION}:{ACCOUNT}:inbox"
LOG_GROUP = "/aws/lambda/failing"
ALARM_SETTINGS: dict[str, Any] = {
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": [TOPIC, TOPIC_WITHOUT_POLICY],
}


class AlarmHarness:
    """Harness with a topic and its subscriber, a failing function, a failing workflow and a queue."""

    def __init__(self, clients: EmulatorClients) -> None:
        self.clients = clients
        self.inbox = self._create_inbox()
        role = self._create_role()
        self.machine = clients("stepfunctions").create_state_machine(
            name="failing",
            roleArn=role,
            definition=json.dumps({"StartAt": "Stop", "States": {"Stop": {"Type": "Fail", "Error": "AlwaysFails"}}}),
        )["stateMachineArn"]
        self._create_function(role)
        clients("sqs").create_queue(QueueName="dead-letters")

    def put_alarm(self, name: str, namespace: str, metric: str, **dimensions: str) -> None:
        dimension_list = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        self.clients("cloudwatch").put_metric_alarm(
            AlarmName=name, Namespace=namespace, MetricName=metric, Dimensions=dimension_list, **ALARM_SETTINGS
        )

    def read_alarm_states(self) -> dict[str, str]:
        alarms = self.clients("cloudwatch").describe_alarms()["MetricAlarms"]
        return {alarm["AlarmName"]: alarm["StateValue"] for alarm in alarms}

    def read_messages(self, count: int) -> list[dict[str, Any]]:
        """Return the first messages that the topic's subscriber gets."""
        sqs, messages = self.clients("sqs"), []

        def receive() -> bool | None:
            for message in sqs.receive_message(QueueUrl=self.inbox, MaxNumberOfMessages=10).get("Messages", []):
                messages.append(json.loads(json.loads(message["Body"])["Message"]))
                sqs.delete_message(QueueUrl=self.inbox, ReceiptHandle=message["ReceiptHandle"])
            return len(messages) >= count or None

        eventually(receive, f"{count} messages about alarms")
        return messages

    def _create_inbox(self) -> str:
        sqs, sns = self.clients("sqs"), self.clients("sns")
        url: str = sqs.create_queue(QueueName="inbox")["QueueUrl"]
        for topic in (TOPIC, TOPIC_WITHOUT_POLICY):
            sns.create_topic(Name=topic.rpartition(":")[2])
            sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=INBOX)
        topics_policy = _policy("sns.amazonaws.com", "sqs:SendMessage", INBOX)
        sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": topics_policy})
        alarms_policy = _policy("cloudwatch.amazonaws.com", "sns:Publish", TOPIC)
        sns.set_topic_attributes(TopicArn=TOPIC, AttributeName="Policy", AttributeValue=alarms_policy)
        return url

    def _create_role(self) -> str:
        iam = self.clients("iam")
        logs = {"Effect": "Allow", "Action": ["logs:CreateLogStream", "logs:PutLogEvents"], "Resource": "*"}
        role: str = iam.create_role(RoleName="any", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        iam.put_role_policy(RoleName="any", PolicyName="own", PolicyDocument=json.dumps({"Statement": [logs]}))
        return role

    def _create_function(self, role: str) -> None:
        create_function(self.clients, "failing", CODE, role, Publish=True)
        logs = self.clients("logs")
        self.clients("lambda").create_alias(FunctionName="failing", Name="live", FunctionVersion="1")
        logs.create_log_group(logGroupName=LOG_GROUP)
        logs.put_metric_filter(
            logGroupName=LOG_GROUP,
            filterName="failed",
            filterPattern='{ $.message = "work_failed" }',
            metricTransformations=[
                {"metricNamespace": "FromLogs", "metricName": "FailedItems", "metricValue": "$.items"}
            ],
        )


def _policy(service: str, action: str, resource: str) -> str:
    """Return a resource policy that allows an action of a service."""
    allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": action, "Resource": resource}
    return json.dumps({"Statement": [allow]})


@pytest.fixture(scope="module")
def harness(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlarmHarness]:
    with emulator.start(tmp_path_factory.mktemp("alarms")) as started:
        yield AlarmHarness(EmulatorClients(started.emulator.endpoint))


def test_each_failure_raises_its_alarm_and_the_subscriber_gets_the_message(harness: AlarmHarness) -> None:
    harness.put_alarm("workflow", "AWS/States", "ExecutionsFailed", StateMachineArn=harness.machine)
    harness.put_alarm("other-workflow", "AWS/States", "ExecutionsFailed", StateMachineArn=f"{harness.machine}-other")
    harness.put_alarm("errors", "AWS/Lambda", "Errors", FunctionName="failing", Resource="failing:live")
    harness.put_alarm("throttles", "AWS/Lambda", "Throttles", FunctionName="failing", Resource="failing:live")
    harness.put_alarm("dead-letters", "AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName="dead-letters")
    harness.put_alarm("log", "FromLogs", "FailedItems")
    harness.put_alarm("published", "Published", "Failed", Stack="local")
    # The emulator throttles no table, so the next alarm has no data.
    harness.put_alarm("table", "AWS/DynamoDB", "WriteThrottleEvents", TableName="any")
    harness.clients("sqs").send_message(
        QueueUrl=harness.clients("sqs").get_queue_url(QueueName="dead-letters")["QueueUrl"], MessageBody="failed"
    )
    harness.clients("lambda").invoke(FunctionName="failing", Qualifier="live", Payload=b"{}")
    harness.clients("cloudwatch").put_metric_data(
        Namespace="Published",
        MetricData=[{"MetricName": "Failed", "Value": 1, "Dimensions": [{"Name": "Stack", "Value": "local"}]}],
    )
    harness.clients("stepfunctions").start_execution(stateMachineArn=harness.machine)

    expected_alarms = {"workflow", "errors", "dead-letters", "log", "published"}
    messages = harness.read_messages(len(expected_alarms))
    assert {(message["AlarmName"], message["NewStateValue"]) for message in messages} == {
        (name, "ALARM") for name in expected_alarms
    }
    assert len(messages) == len(expected_alarms), "a topic without a policy for CloudWatch must not be notified"
    other_alarms = {"other-workflow": "OK", "throttles": "OK", "table": "INSUFFICIENT_DATA"}
    assert harness.read_alarm_states() == dict.fromkeys(expected_alarms, "ALARM") | other_alarms

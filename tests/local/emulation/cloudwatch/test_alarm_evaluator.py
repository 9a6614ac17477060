"""Tests of the local alarms and metrics of queues, with the CloudWatch of the AWS emulator and a fake clock."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit
SCRIPT = """
import json, time
from ministack.core.responses import set_request_account_id
from ministack.services import cloudwatch, sns, sqs
from local.emulation.cloudwatch.alarm_evaluator import AlarmEvaluator
from local.emulation.cloudwatch.service_metrics import ServiceMetrics

scenario = json.load(sys.stdin)
set_request_account_id("123456789012")
now = [0.0]
cloudwatch.time.time = lambda: now[0]
metrics = ServiceMetrics(lambda: None, lambda: now[0])
evaluator = AlarmEvaluator(lambda: now[0])
evaluator.install()
notified_states = []
sns._fanout = lambda topic, identity, message, subject: notified_states.append(json.loads(message)["NewStateValue"])
allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
policy = {"Statement": [{**allow, "Principal": {"Service": "cloudwatch.amazonaws.com"}}]}
topic = {"attributes": {"Policy": json.dumps(policy)}}
sns._topic_by_arn_any_scope = lambda arn: topic if arn.endswith("open") else None
alarm = scenario["alarm"]
cloudwatch._put_metric_alarm({}, alarm, False, True)
if scenario["messages"]:
    sqs._queues["work"] = {"attributes": {"QueueArn": "arn:aws:sqs:r:a:work"}, "messages": scenario["messages"]}
states = []
for step in scenario["steps"]:
    now[0] = step["at"]
    for value in step.get("values", []):
        cloudwatch.record_metric(
            alarm["Namespace"], alarm["MetricName"], value, dimensions=step.get("dimensions", {})
        )
    metrics.sample_queues()
    evaluator.evaluate_all()
    states.append(cloudwatch._alarms["alarm"]["StateValue"])
samples = sum(len(points) for key, points in cloudwatch._metrics.items() if key[0] == "AWS/SQS")
print(json.dumps({"states": states, "notified_states": notified_states, "samples": samples}))
"""
"""Script that publishes values at each step, evaluates the alarm, and prints its states and notifications.

CloudWatch may publish to a topic whose ARN ends with `open`.
"""
ALARM = {
    "AlarmName": "alarm",
    "Namespace": "Own",
    "MetricName": "failed",
    "Statistic": "Sum",
    "Period": 300,
    "EvaluationPeriods": 1,
    "Threshold": 0,
    "ComparisonOperator": "GreaterThanThreshold",
    "TreatMissingData": "notBreaching",
    "AlarmActions": ["arn:aws:sns:us-east-1:123456789012:open"],
    "OKActions": ["arn:aws:sns:us-east-1:123456789012:open"],
}


def evaluate(
    changes: dict[str, Any], *steps: dict[str, Any], messages: Sequence[Mapping[str, float]] = ()
) -> dict[str, Any]:
    """Evaluate `ALARM` with these changes at the time of each step, after the step's values were published.

    The result has the state after each step, the states of which the topic was notified, and the number of samples of
    the queue with these messages.
    """
    scenario = {"alarm": {**ALARM, **changes}, "steps": steps, "messages": messages}
    result: dict[str, Any] = run_in_emulator_python(SCRIPT, scenario)
    return result


def test_an_alarm_ends_when_the_breach_is_older_than_the_periods_that_it_reads() -> None:
    result = evaluate({}, {"at": 1000}, {"at": 1010, "values": [1]}, {"at": 1500}, {"at": 1905}, {"at": 1911})
    assert result["states"] == ["OK", "ALARM", "ALARM", "ALARM", "OK"], (
        "the alarm also reads the two periods before its only evaluation period, so a value counts for 900 seconds"
    )
    assert result["notified_states"] == ["OK", "ALARM", "OK"]


def test_a_value_in_the_newest_period_that_does_not_breach_ends_an_alarm() -> None:
    result = evaluate({}, {"at": 1000, "values": [1]}, {"at": 1290, "values": [0]}, {"at": 1301})
    assert result["states"] == ["ALARM", "ALARM", "OK"]


@pytest.mark.parametrize(
    ("changes", "values", "state"),
    [
        ({"Statistic": "Minimum"}, [0, 5], "OK"),
        ({"Statistic": "Maximum"}, [0, 5], "ALARM"),
        ({"Statistic": "Average", "Threshold": 2}, [0, 5], "ALARM"),
        ({"Statistic": None, "ExtendedStatistic": "p95", "Threshold": 90}, list(range(90)), "OK"),
        ({"Statistic": None, "ExtendedStatistic": "p95", "Threshold": 90}, list(range(110)), "ALARM"),
    ],
)
def test_the_statistic_is_calculated_over_the_period(changes: dict[str, Any], values: list[float], state: str) -> None:
    assert evaluate(changes, {"at": 1000, "values": values})["states"] == [state]


def test_values_of_other_dimensions_do_not_count() -> None:
    changes = {"Dimensions": [{"Name": "Stack", "Value": "local"}]}
    steps = [{"at": 1000, "values": [1], "dimensions": dimensions} for dimensions in ({}, {"Stack": "dev"})]
    assert evaluate(changes, *steps)["states"] == ["OK", "OK"]
    assert evaluate(changes, {**steps[0], "dimensions": {"Stack": "local"}})["states"] == ["ALARM"]


def test_an_alarm_on_a_metric_that_the_local_platform_lacks_is_not_evaluated() -> None:
    changes = {"Namespace": "AWS/DynamoDB", "MetricName": "ReadThrottleEvents"}
    assert evaluate(changes, {"at": 1000, "values": [1]})["states"] == ["INSUFFICIENT_DATA"]


def test_a_topic_whose_policy_does_not_allow_cloudwatch_is_not_notified() -> None:
    changes = {"AlarmActions": ["arn:aws:sns:us-east-1:123456789012:closed"], "OKActions": []}
    result = evaluate(changes, {"at": 1000, "values": [1]})
    assert (result["states"], result["notified_states"]) == (["ALARM"], [])


@pytest.mark.parametrize(
    ("metric", "threshold", "state"),
    [
        ("ApproximateNumberOfMessagesVisible", 0, "ALARM"),
        ("ApproximateNumberOfMessagesVisible", 1, "OK"),
        ("ApproximateAgeOfOldestMessage", 899, "ALARM"),
        ("ApproximateAgeOfOldestMessage", 901, "OK"),
    ],
)
def test_an_alarm_reads_the_number_of_visible_messages_and_the_age_of_the_oldest(
    metric: str, threshold: float, state: str
) -> None:
    changes = {
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Statistic": "Maximum",
        "Threshold": threshold,
        "Dimensions": [{"Name": "QueueName", "Value": "work"}],
    }
    hidden = {"sent_at": 100, "visible_at": 2000}
    visible = {"sent_at": 400, "visible_at": 400}
    assert evaluate(changes, {"at": 1000}, messages=(hidden, visible))["states"] == [state]


def test_a_queue_is_sampled_every_minute_and_when_it_changes() -> None:
    steps = [{"at": time} for time in (1000, 1001, 1030, 1031, 1032, 1090, 1091)]
    becomes_visible = {"sent_at": 400, "visible_at": 1031}
    metrics_of_a_queue, sampled_times = 2, (1000, 1031, 1091)
    samples = evaluate({}, *steps, messages=[becomes_visible])["samples"]
    assert samples == metrics_of_a_queue * len(sampled_times)

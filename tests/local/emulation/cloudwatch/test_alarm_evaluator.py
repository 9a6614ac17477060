"""Tests of alarms and service metrics over time, in the emulator's own CloudWatch with a clock of the test."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.local.emulation.emulator_python import run_in_emulator_python

pytestmark = pytest.mark.unit
RUN = """
import json, time
from ministack.core.responses import set_request_account_id
from ministack.services import cloudwatch, sns, sqs
from local.emulation.cloudwatch.alarm_evaluator import AlarmEvaluator
from local.emulation.cloudwatch.service_metrics import ServiceMetrics

wanted = json.load(sys.stdin)
set_request_account_id("123456789012")
now = [0.0]
cloudwatch.time.time = lambda: now[0]
metrics = ServiceMetrics(lambda: None, lambda: now[0])
evaluator = AlarmEvaluator(lambda: now[0])
evaluator.install()
notified = []
sns._fanout = lambda topic, identity, message, subject: notified.append(json.loads(message)["NewStateValue"])
allow = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
policy = {"Statement": [{**allow, "Principal": {"Service": "cloudwatch.amazonaws.com"}}]}
topic = {"attributes": {"Policy": json.dumps(policy)}}
sns._topic_by_arn_any_scope = lambda arn: topic if arn.endswith("open") else None
cloudwatch._put_metric_alarm({}, wanted["alarm"], False, True)
if wanted["messages"]:
    sqs._queues["work"] = {"attributes": {"QueueArn": "arn:aws:sqs:r:a:work"}, "messages": wanted["messages"]}
states = []
for step in wanted["steps"]:
    now[0] = step["at"]
    for value in step.get("values", []):
        cloudwatch.record_metric(
            wanted["alarm"]["Namespace"], wanted["alarm"]["MetricName"], value, dimensions=step.get("dimensions", {})
        )
    metrics.sample_queues()
    evaluator.evaluate_all()
    states.append(cloudwatch._alarms["alarm"]["StateValue"])
samples = sum(len(points) for key, points in cloudwatch._metrics.items() if key[0] == "AWS/SQS")
print(json.dumps({"states": states, "notified": notified, "samples": samples}))
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


def play(alarm: dict[str, Any], *steps: dict[str, Any], messages: Sequence[Mapping[str, float]] = ()) -> dict[str, Any]:
    """Publish values at times and evaluate the alarm at each. Return its states and notifications."""
    result: dict[str, Any] = run_in_emulator_python(
        RUN, {"alarm": {**ALARM, **alarm}, "steps": steps, "messages": messages}
    )
    return result


def test_an_alarm_is_raised_and_ends_when_its_periods_have_no_breach() -> None:
    played = play({}, {"at": 1000}, {"at": 1010, "values": [1]}, {"at": 1500}, {"at": 1905}, {"at": 1911})
    assert played["states"] == ["OK", "ALARM", "ALARM", "ALARM", "OK"], (
        "the alarm reads one period and EXTRA_PERIODS, so a value counts for three"
    )
    assert played["notified"] == ["OK", "ALARM", "OK"]


def test_a_good_value_ends_an_alarm_before_its_breach_is_old() -> None:
    played = play({}, {"at": 1000, "values": [1]}, {"at": 1290, "values": [0]}, {"at": 1301})
    assert played["states"] == ["ALARM", "ALARM", "OK"]


def test_an_alarm_of_two_periods_needs_a_breach_in_each() -> None:
    alarm = {"EvaluationPeriods": 2, "Period": 60, "Threshold": 10}
    played = play(alarm, {"at": 1000, "values": [6, 6]}, {"at": 1059, "values": [20]}, {"at": 1061, "values": [20]})
    assert played["states"] == ["OK", "OK", "ALARM"]


@pytest.mark.parametrize(
    ("alarm", "values", "state"),
    [
        ({"Statistic": "Minimum"}, [0, 5], "OK"),
        ({"Statistic": "Maximum"}, [0, 5], "ALARM"),
        ({"Statistic": "Average", "Threshold": 2}, [0, 5], "ALARM"),
        ({"Statistic": None, "ExtendedStatistic": "p95", "Threshold": 90}, list(range(90)), "OK"),
        ({"Statistic": None, "ExtendedStatistic": "p95", "Threshold": 90}, list(range(110)), "ALARM"),
    ],
)
def test_the_statistic_is_calculated_over_the_period(alarm: dict[str, Any], values: list[float], state: str) -> None:
    assert play(alarm, {"at": 1000, "values": values})["states"] == [state]


def test_values_of_other_dimensions_do_not_count() -> None:
    alarm = {"Dimensions": [{"Name": "Stack", "Value": "local"}]}
    steps = [{"at": 1000, "values": [1], "dimensions": dimensions} for dimensions in ({}, {"Stack": "dev"})]
    assert play(alarm, *steps)["states"] == ["OK", "OK"]
    assert play(alarm, {**steps[0], "dimensions": {"Stack": "local"}})["states"] == ["ALARM"]


def test_an_alarm_on_a_metric_that_does_not_exist_here_is_not_evaluated() -> None:
    alarm = {"Namespace": "AWS/DynamoDB", "MetricName": "ReadThrottleEvents"}
    assert play(alarm, {"at": 1000, "values": [1]})["states"] == ["INSUFFICIENT_DATA"]


def test_a_topic_whose_policy_does_not_admit_cloudwatch_is_not_notified() -> None:
    closed = {"AlarmActions": ["arn:aws:sns:us-east-1:123456789012:closed"], "OKActions": []}
    played = play(closed, {"at": 1000, "values": [1]})
    assert (played["states"], played["notified"]) == (["ALARM"], [])


@pytest.mark.parametrize(
    ("metric", "threshold", "state"),
    [
        ("ApproximateNumberOfMessagesVisible", 0, "ALARM"),
        ("ApproximateNumberOfMessagesVisible", 1, "OK"),
        ("ApproximateAgeOfOldestMessage", 899, "ALARM"),
        ("ApproximateAgeOfOldestMessage", 901, "OK"),
    ],
)
def test_a_queues_visible_messages_and_oldest_age_are_sampled(metric: str, threshold: float, state: str) -> None:
    alarm = {
        "Namespace": "AWS/SQS",
        "MetricName": metric,
        "Statistic": "Maximum",
        "Threshold": threshold,
        "Dimensions": [{"Name": "QueueName", "Value": "work"}],
    }
    hidden, visible = {"sent_at": 100, "visible_at": 2000}, {"sent_at": 400, "visible_at": 400}
    assert play(alarm, {"at": 1000}, messages=(hidden, visible))["states"] == [state]


def test_a_queue_is_sampled_every_minute_and_when_it_changes() -> None:
    appears_later = {"sent_at": 400, "visible_at": 1031}
    times = [1000, 1001, 1030, 1031, 1032, 1090, 1091]
    played = play({}, *({"at": at} for at in times), messages=[appears_later])
    assert played["samples"] == 2 * len({1000, 1031, 1091})

"""Test that the local platform evaluates no alarm."""

from tests.local.emulation.emulator_python import run_in_emulator_python

SCRIPT = """
import json
from ministack.services import cloudwatch
from local.emulation import disabled_alarm_evaluation

disabled_alarm_evaluation.install()
metric = {"Namespace": "Own", "MetricName": "failed"}
alarm = {"AlarmName": "alarm", "Threshold": 0, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"}
cloudwatch._put_metric_alarm({}, {**metric, **alarm, "Period": 60, "EvaluationPeriods": 1}, False, True)
cloudwatch._put_metric_data({}, {"Namespace": "Own", "MetricData": [{"MetricName": "failed", "Value": 1}]}, False, True)
points = sum(len(values) for values in cloudwatch._metrics.values())
print(json.dumps([cloudwatch._alarms["alarm"]["StateValue"], points]))
"""


def test_a_metric_beyond_the_threshold_leaves_the_alarm_in_its_state() -> None:
    assert run_in_emulator_python(SCRIPT, None) == ["INSUFFICIENT_DATA", 1]

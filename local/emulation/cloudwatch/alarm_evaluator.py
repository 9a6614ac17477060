"""Evaluates the emulator's alarms every minute as CloudWatch does, and notifies their topics.

The emulator itself evaluates an alarm only when a metric is put or the alarm is created. It ignores dimensions,
periods, datapoints to alarm and the treatment of missing data. It also notifies topics whose policies do not allow
CloudWatch to publish.
"""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import get_account_id, get_region, set_request_account_id, set_request_region
from ministack.services import cloudwatch

from local.emulation import get_private, wrap_function
from local.emulation.cloudwatch.alarm_state_calculation import count_read_periods, next_state, split_into_periods
from local.emulation.cloudwatch.available_metrics import why_not_evaluated
from local.emulation.event_bridge.target_permissions import read_resource_policy
from local.emulation.iam.policy_evaluator import AccessRequest, policy_admits

CLOUDWATCH = "cloudwatch.amazonaws.com"
EVALUATION_SECONDS = 60
"""Time between two evaluations if no metric is published. CloudWatch evaluates each alarm every minute."""
COLLECTION_SECONDS = 0.2
"""Minimum time between a published metric and the evaluation, so that a burst of metrics causes few evaluations."""
MAX_EVALUATION_SHARE = 0.05
"""Evaluations take at most this share of the time, because they delay the emulator's requests. For example, after an
evaluation of 0.1 s, the next one starts 2 s after the next metric."""


class AlarmEvaluator:
    """Evaluates all alarms every minute, and soon after a metric was published."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._published = threading.Event()

    def install(self) -> None:
        """Replace three functions of `cloudwatch`."""
        wrap_function(cloudwatch, "_evaluate_alarm", lambda _original, alarm: self.evaluate(alarm))
        wrap_function(cloudwatch, "_evaluate_all_alarms", lambda _original: self.wake())
        wrap_function(cloudwatch, "_dispatch_alarm_actions", _notify_admitting_topics)

    def start(self, sample: Callable[[], None]) -> None:
        """Start the thread that evaluates the alarms until the process ends.

        Before each evaluation, `sample` publishes the metrics that AWS publishes every minute.
        """
        threading.Thread(target=self._run, args=(sample,), name="alarms", daemon=True).start()

    def wake(self) -> None:
        """Let the thread evaluate all alarms soon, because a metric was published."""
        self._published.set()

    def evaluate_all(self) -> None:
        for alarm in list(get_private(cloudwatch, "_alarms").values()):
            self.evaluate(alarm)

    def evaluate(self, alarm: dict[str, Any]) -> None:
        """Compute an alarm's state. If it has changed, store it and perform the alarm's actions.

        Do nothing for a metric that the local platform does not publish.
        """
        if why_not_evaluated(alarm["Namespace"], alarm["MetricName"]):
            return
        values = self._read_values(alarm)
        old, new = alarm["StateValue"], next_state(alarm, values)
        if new is None or new == old:
            return
        latest = next((value for value in reversed(values) if value is not None), "none")
        reason = f"Latest value: {latest}. Condition: {alarm['ComparisonOperator']} {alarm['Threshold']}."
        alarm |= {"StateValue": str(new), "StateReason": reason, "StateUpdatedTimestamp": int(self._clock())}
        get_private(cloudwatch, "_record_history")(alarm["AlarmName"], old, str(new), reason)
        get_private(cloudwatch, "_dispatch_alarm_actions")(alarm, old, str(new), reason)
        get_private(cloudwatch, "_evaluate_parent_alarms")(alarm)

    def _read_values(self, alarm: Mapping[str, Any]) -> list[float | None]:
        """Return the value of the alarm's statistic in each period that the alarm reads."""
        dimensions = get_private(cloudwatch, "_dims_key")(
            get_private(cloudwatch, "_dims_from_list")(alarm["Dimensions"])
        )
        metric = (alarm["Namespace"], alarm["MetricName"], dimensions)
        points = list(get_private(cloudwatch, "_metrics").get(metric) or ())
        statistic = alarm.get("ExtendedStatistic") or alarm["Statistic"]
        periods = split_into_periods(
            ((point["Timestamp"], point) for point in points), self._clock(), alarm["Period"], count_read_periods(alarm)
        )
        calculate, select = (get_private(cloudwatch, name) for name in ("_calc_stats", "_stat_value"))
        return [select(calculate(period), statistic, period) if period else None for period in periods]

    def _run(self, sample: Callable[[], None]) -> None:
        set_request_account_id("")  # the default account applies, because no request is being served
        set_request_region(get_region())
        seconds = 0.0
        while True:
            if self._published.wait(EVALUATION_SECONDS):
                time.sleep(max(COLLECTION_SECONDS, seconds / MAX_EVALUATION_SHARE))
            self._published.clear()
            started = time.monotonic()
            sample()
            self.evaluate_all()
            seconds = time.monotonic() - started


def _notify_admitting_topics(original: Any, alarm: Mapping[str, Any], *arguments: Any) -> None:
    """Perform the actions of an alarm, but skip topics whose policy does not allow CloudWatch to publish."""
    keys = {
        "aws:SourceArn": alarm["AlarmArn"],
        "aws:SourceAccount": get_account_id(),
        "aws:SecureTransport": "true",
    }

    def admits(topic: str) -> bool:
        return policy_admits(read_resource_policy("sns", topic), CLOUDWATCH, AccessRequest("sns:Publish", topic, keys))

    actions = ("AlarmActions", "OKActions")
    original({**alarm, **{name: list(filter(admits, alarm[name])) for name in actions}}, *arguments)

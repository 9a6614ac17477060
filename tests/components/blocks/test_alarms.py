"""Tests of the alarms whose numbers the requirements give, and of the log messages that alarms count.

docs/reference/alarms.md lists all alarms with their numbers (test_reference_pages.py).
"""

import re
from typing import Any

import pytest

from components.core import Subsystem
from local import ROOT
from tests.components.deployments import DEPLOYMENTS, ENDPOINT
from tests.fake_engine import Recorded

COMPARISONS = {"GreaterThanThreshold": ">", "GreaterThanOrEqualToThreshold": ">="}
CAPTIONS = "AudioTranscription/PartialResults"
WAITING = "ApproximateNumberOfMessagesVisible"
Rule = tuple[str, str, str, str, float, int, int]
"""Namespace, metric, statistic, comparison, threshold, seconds of a period, and number of periods."""
ALARMS: dict[Subsystem, dict[str, Rule]] = {
    Subsystem.INGESTION: {
        "intake-dlq-critical": ("AWS/SQS", WAITING, "Average", ">", 0, 300, 1),
        # An event about each Spark run that failed goes to this queue. The alarm ends although the event stays there, so
        # another failed run raises it again.
        "failed-events-critical": ("AWS/SQS", "NumberOfMessagesSent", "Sum", ">", 0, 3600, 1),
        # SQS repeats failed calls, so the alarm is raised if the share of failed calls is above 5 %.
        "manifest-builder-errors-warning": ("AWS/Lambda", "Errors", "Average", ">", 0.05, 900, 1),
        "builder-duration-warning": ("AWS/Lambda", "Duration", "p95", ">", 0.8 * 60_000, 300, 1),
    },
    Subsystem.TRANSCRIPTION: {
        "latency-critical": (CAPTIONS, "PartialResultProcessingLatency", "p95", ">", 5_000, 300, 2),
        "rate-limit-warning": (CAPTIONS, "PartialResultsDropped", "Sum", ">", 100, 60, 2),
        "orphans-warning": (CAPTIONS, "OrphanedResultsFlushed", "Sum", ">", 10, 300, 2),
        "fallback-critical": (CAPTIONS, "TranscribeFallbackTriggered", "Sum", ">=", 1, 300, 1),
        "audio-processor-errors-critical": ("AWS/Lambda", "Errors", "Sum", ">", 5, 300, 1),
        "audio-processor-throttles-warning": ("AWS/Lambda", "Throttles", "Sum", ">", 10, 300, 1),
        "audio-processor-memory-warning": (
            *("polyphony-test/transcription", "audio-processor-memory", "Maximum", ">", 0.9 * 512, 300, 1),
        ),
    },
    Subsystem.VOICE_QA: {
        "answer-latency-warning": ("polyphony-test/voice-qa", "answer-milliseconds", "p95", ">", 10_000, 300, 1),
        "worker-duration-warning": ("AWS/Lambda", "Duration", "p95", ">", 0.8 * 600_000, 300, 1),
        "concurrency-warning": ("AWS/Lambda", "ConcurrentExecutions", "Maximum", ">", 0.8 * 1_000, 60, 1),
        "table-write-throttles-warning": ("AWS/DynamoDB", "WriteThrottleEvents", "Sum", ">", 0, 300, 1),
        "connections-warning": ("AWS/ApiGateway", "ConnectCount", "Sum", ">", 500, 60, 1),
        "websocket-handler-errors-critical": ("AWS/Lambda", "Errors", "Sum", ">", 0, 300, 1),
        "websocket-handler-throttles-warning": ("AWS/Lambda", "Throttles", "Sum", ">", 0, 300, 1),
    },
}
TRANSCRIPTION_LIMITS = {
    name: 701 + index
    for index, name in enumerate(("latencyMs", "droppedPerMinute", "orphans", "fallbacks", "errors", "throttles"))
}
"""Settings of the thresholds, in the order of the alarms."""


def alarms(recorded: Recorded, subsystem: Subsystem) -> dict[str, dict[str, Any]]:
    """Return the alarms by name without the prefix."""
    inputs = (alarm.inputs for alarm in recorded.all("cloudwatch.MetricAlarm"))
    return {alarm["name"].removeprefix(f"polyphony-test-{subsystem}-"): alarm for alarm in inputs}


@pytest.mark.parametrize("subsystem", ALARMS)
def test_each_alarm_of_the_requirements_has_its_numbers(subsystem: Subsystem) -> None:
    registered = alarms(DEPLOYMENTS[subsystem].deployed(), subsystem)
    for name, rule in ALARMS[subsystem].items():
        alarm = registered[name]
        statistic = alarm.get("statistic") or alarm["extendedStatistic"]
        comparison, threshold = COMPARISONS[alarm["comparisonOperator"]], round(alarm["threshold"], 6)
        numbers = (statistic, comparison, threshold, alarm["period"], alarm["evaluationPeriods"])
        assert (alarm["namespace"], alarm["metricName"], *numbers) == rule, name
        assert [topic.rpartition("-")[2] for topic in alarm["alarmActions"]] == [name.rpartition("-")[2]], name


@pytest.mark.parametrize(
    ("subsystem", "settings", "thresholds"),
    [
        (
            Subsystem.TRANSCRIPTION,
            {"alarms": TRANSCRIPTION_LIMITS, "audioProcessor": {"memoryMb": 1_000}},
            [*TRANSCRIPTION_LIMITS.values(), 900],
        ),
        (Subsystem.INGESTION, {"manifestBuilder": {"timeoutSeconds": 100}}, [0, 0, 0.05, 80_000]),
        (
            Subsystem.VOICE_QA,
            {
                "alarms": {"answerSeconds": 7, "accountConcurrency": 100},
                "agentcore": {"endpoint": ENDPOINT, "answerSeconds": 500},
            },
            [7_000, 400_000, 80, 0, 500, 0, 0],
        ),
    ],
)
def test_the_settings_change_the_thresholds(
    subsystem: Subsystem, settings: dict[str, Any], thresholds: list[float]
) -> None:
    changed = alarms(DEPLOYMENTS[subsystem].deployed(**settings), subsystem)
    assert [changed[name]["threshold"] for name in ALARMS[subsystem]] == thresholds


@pytest.mark.parametrize("subsystem", DEPLOYMENTS)
def test_alarms_count_only_messages_that_the_handlers_log(subsystem: Subsystem) -> None:
    """CloudWatch accepts a filter for a message that no function logs. Its alarm would never be raised."""
    folders = (ROOT / "handlers" / subsystem.package, ROOT / "handlers" / "common")
    source = "".join(path.read_text(encoding="utf-8") for folder in folders for path in folder.rglob("*.py"))
    filters = DEPLOYMENTS[subsystem].deployed().all("cloudwatch.LogMetricFilter")
    messages = {message for item in filters for message in re.findall(r'\$\.message = "(\w+)"', item.inputs["pattern"])}
    assert messages
    assert {message for message in messages if f'"{message}"' not in source} == set()

"""Tests of all alarms of the five subsystems: metric, threshold, severity, runbook, and counted log lines."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from handlers.meetings import metrics
from local import ROOT
from tests.components.deployment_harness import Deployment, arn
from tests.components.ingestion.recorded_deployment import INGESTION as INGESTION_DEPLOYMENT
from tests.components.livestream.recorded_deployment import LIVESTREAM as LIVESTREAM_DEPLOYMENT
from tests.components.meetings.recorded_deployment import MEETINGS as MEETINGS_DEPLOYMENT
from tests.components.transcription.recorded_deployment import TRANSCRIPTION as TRANSCRIPTION_DEPLOYMENT
from tests.components.voice_qa.recorded_deployment import ENDPOINT
from tests.components.voice_qa.recorded_deployment import VOICE_QA as VOICE_QA_DEPLOYMENT
from tests.fake_engine import Recorded, scope

DEPLOYMENTS: dict[str, Deployment] = {
    "ingestion": INGESTION_DEPLOYMENT,
    "transcription": TRANSCRIPTION_DEPLOYMENT,
    "voice-qa": VOICE_QA_DEPLOYMENT,
    "livestream": LIVESTREAM_DEPLOYMENT,
    "meetings": MEETINGS_DEPLOYMENT,
}
GREATER_THAN, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"


class AlarmRule(NamedTuple):
    """Expected configuration of an alarm."""

    namespace: str
    metric: str
    threshold: float
    runbook: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    seconds: int = 300
    comparison: str = GREATER_THAN
    periods: int = 1


def log_alarm(subsystem: str, name: str, runbook: str, threshold: float = 0, **fields: Any) -> AlarmRule:
    """Return the rule of an alarm on log lines. Its metric has the name of the metric filter."""
    return AlarmRule(f"polyphony-test/{subsystem}", name, threshold, runbook, {}, **fields)


def function_alarms(subsystem: str, *names: str, errors: int = 0, throttles: int = 0) -> dict[str, AlarmRule]:
    """Return the alarms that every function has. Both count only calls of the live version."""
    alarms: dict[str, AlarmRule] = {}
    for name in names:
        alarms[f"{name}-errors-critical"] = live_version_alarm(subsystem, name, "Errors", errors, "functions")
        alarms[f"{name}-throttles-warning"] = live_version_alarm(subsystem, name, "Throttles", throttles, "functions")
    return alarms


def live_version_alarm(
    subsystem: str, function: str, metric: str, threshold: float, runbook: str, **fields: Any
) -> AlarmRule:
    name = f"polyphony-test-{subsystem}-{function}"
    return AlarmRule(
        "AWS/Lambda", metric, threshold, runbook, {"FunctionName": name, "Resource": f"{name}:live"}, **fields
    )


def duration_alarm(subsystem: str, function: str, milliseconds: float, runbook: str) -> AlarmRule:
    """Return the rule of an alarm on long calls. The threshold is 80 % of the time that a call may take."""
    return live_version_alarm(subsystem, function, "Duration", milliseconds, runbook, statistic="p95")


def dead_letter_alarms(subsystem: str, *names: str) -> dict[str, AlarmRule]:
    """Return the alarms of dead-letter queues."""
    return {
        f"{name}-critical": AlarmRule(
            *("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, "queues"),
            {"QueueName": f"polyphony-test-{subsystem}-{name}"},
            "Average",
        )
        for name in names
    }


def message_age_alarm(queue: str, runbook: str) -> AlarmRule:
    dimensions = {"QueueName": f"polyphony-test-{queue}"}
    return AlarmRule("AWS/SQS", "ApproximateAgeOfOldestMessage", 1_800, runbook, dimensions, "Maximum")


def workflow_alarm(subsystem: str, metric: str, runbook: str) -> AlarmRule:
    machine = {"StateMachineArn": arn("states", f"stateMachine:polyphony-test-{subsystem}-workflow")}
    return AlarmRule("AWS/States", metric, 0, runbook, machine)


def workflow_alarms(subsystem: str) -> dict[str, AlarmRule]:
    return {
        f"workflow-{metric.lower()}-{severity}": workflow_alarm(subsystem, metric, "workflows")
        for metric, severity in (
            ("ExecutionsFailed", "critical"),
            ("ExecutionsTimedOut", "critical"),
            ("ExecutionThrottled", "warning"),
        )
    }


def websocket_alarms(stage: str) -> dict[str, AlarmRule]:
    dimensions = {"ApiId": "a1b2c3", "Stage": stage}
    return {
        f"socket-{name}": AlarmRule("AWS/ApiGateway", metric, threshold, "apis", dimensions)
        for name, metric, threshold in (
            ("client-errors-warning", "ClientError", 50),
            ("integration-errors-critical", "IntegrationError", 50),
            ("execution-errors-critical", "ExecutionError", 0),
        )
    }


def rest_api_alarms(subsystem: str, client_errors: int, milliseconds: int) -> dict[str, AlarmRule]:
    namespace, runbook = "AWS/ApiGateway", "apis"
    dimensions = {"ApiName": f"polyphony-test-{subsystem}-api", "Stage": "api"}
    return {
        "api-client-errors-warning": AlarmRule(namespace, "4XXError", client_errors, runbook, dimensions),
        "api-server-errors-critical": AlarmRule(namespace, "5XXError", 0, runbook, dimensions),
        "api-slow-warning": AlarmRule(namespace, "Latency", milliseconds, runbook, dimensions, "p95", periods=3),
    }


def caption_alarm(metric: str, threshold: float, **fields: Any) -> AlarmRule:
    """Return the rule of an alarm on a metric that the audio processor publishes."""
    dimensions = {"FunctionName": "polyphony-test-transcription-audio-processor"}
    return AlarmRule("AudioTranscription/PartialResults", metric, threshold, "captions", dimensions, **fields)


def table_alarm(metric: str) -> AlarmRule:
    return AlarmRule("AWS/DynamoDB", metric, 0, "voice-qa", {"TableName": "polyphony-test-voice-qa-sessions"})


INGESTION, TRANSCRIPTION, VOICE_QA, LIVESTREAM, MEETINGS = DEPLOYMENTS
ALARMS: dict[str, dict[str, AlarmRule]] = {
    INGESTION: {
        **function_alarms(INGESTION, "manifest-builder", "steps", "sweeper"),
        **dead_letter_alarms(INGESTION, "intake-dlq", "spark-failed-dlq", "sweep-dlq", "sweeper-failed"),
        **workflow_alarms(INGESTION),
        "builder-duration-warning": duration_alarm(INGESTION, "manifest-builder", 48_000, "ingestion"),
        "oldest-message-warning": message_age_alarm("ingestion-intake", "ingestion"),
        "oldest-pending-warning": log_alarm(
            INGESTION, "oldest-pending", "ingestion", 7_200, statistic="Maximum", seconds=900
        ),
        "unsettled-warning": log_alarm(INGESTION, "unsettled", "ingestion", statistic="Minimum", seconds=900),
        "manifest-record-warning": log_alarm(INGESTION, "manifest-record", "ingestion", 1, comparison=AT_LEAST),
    },
    TRANSCRIPTION: {
        # The six alarms that the customer's requirement of this subsystem lists.
        **function_alarms(TRANSCRIPTION, "audio-processor", errors=5, throttles=10),
        "latency-critical": caption_alarm("PartialResultProcessingLatency", 5_000, statistic="p95", periods=2),
        "rate-limit-warning": caption_alarm("PartialResultsDropped", 100, seconds=60, periods=2),
        "orphans-warning": caption_alarm("OrphanedResultsFlushed", 10, periods=2),
        "fallback-critical": caption_alarm("TranscribeFallbackTriggered", 1, comparison=AT_LEAST),
        # Additional alarms.
        **function_alarms(TRANSCRIPTION, "router"),
        **websocket_alarms("live"),
        "audio-processor-memory-warning": log_alarm(
            TRANSCRIPTION, "audio-processor-memory", "functions", 0.9 * 512, statistic="Maximum"
        ),
        "given-up-critical": log_alarm(TRANSCRIPTION, "given-up", "captions", 10, comparison=AT_LEAST),
        "messages-failed-critical": log_alarm(TRANSCRIPTION, "messages-failed", "apis", 1, comparison=AT_LEAST),
    },
    VOICE_QA: {
        **function_alarms(VOICE_QA, "websocket-handler", "query-worker", "validate-lecture"),
        **dead_letter_alarms(VOICE_QA, "queries-failed", "uploads-dlq", "time-limits-dlq"),
        **websocket_alarms("Prod"),
        "handler-duration-warning": duration_alarm(VOICE_QA, "websocket-handler", 23_200, "voice-qa"),
        "worker-duration-warning": duration_alarm(VOICE_QA, "query-worker", 480_000, "voice-qa"),
        "validator-duration-warning": duration_alarm(VOICE_QA, "validate-lecture", 240_000, "voice-qa"),
        "answer-latency-warning": log_alarm(VOICE_QA, "answer-milliseconds", "voice-qa", 10_000, statistic="p95"),
        "answers-failed-warning": log_alarm(VOICE_QA, "answers-failed", "voice-qa"),
        "answers-overdue-warning": log_alarm(VOICE_QA, "answers-overdue", "voice-qa"),
        "answers-unheard-critical": log_alarm(VOICE_QA, "answers-unheard", "voice-qa", 2),
        "messages-failed-critical": log_alarm(VOICE_QA, "messages-failed", "apis"),
        "lectures-missed-warning": log_alarm(VOICE_QA, "lectures-missed", "voice-qa"),
        "concurrency-warning": AlarmRule(
            "AWS/Lambda", "ConcurrentExecutions", 800, "voice-qa", {}, "Maximum", seconds=60
        ),
        "connections-warning": AlarmRule(
            "AWS/ApiGateway", "ConnectCount", 500, "voice-qa", {"ApiId": "a1b2c3", "Stage": "Prod"}, seconds=60
        ),
        "table-read-throttles-warning": table_alarm("ReadThrottleEvents"),
        "table-write-throttles-warning": table_alarm("WriteThrottleEvents"),
    },
    LIVESTREAM: {
        **function_alarms(LIVESTREAM, "agent", "authorizer", "care", "episodes", "transcript-windows", "video-chunks"),
        **dead_letter_alarms(LIVESTREAM, "agent-windows-dlq", "transcript-created-dlq", "transcript-events-dlq"),
        **dead_letter_alarms(LIVESTREAM, "video-completed-dlq", "video-created-dlq", "video-jobs-dlq", "videos-dlq"),
        **dead_letter_alarms(LIVESTREAM, "care-failures", "care-sweep-dlq", "deletions-dlq", "episode-deleted-dlq"),
        **rest_api_alarms(LIVESTREAM, client_errors=100, milliseconds=2_000),
        "answers-broken-critical": log_alarm(LIVESTREAM, "answers-broken", "apis"),
        **{
            f"{name}-warning": log_alarm(LIVESTREAM, name, "episodes")
            for name in (
                *("deletions-untold", "videos-failed", "windows-failed"),
                *("tracks-timed-out", "episodes-unattended", "sweep-unfinished"),
            )
        },
    },
    MEETINGS: {
        **function_alarms(MEETINGS, "auth-exchange", "start", "steps", "storage"),
        **function_alarms(MEETINGS, "bedrock-summarize", errors=20),
        **dead_letter_alarms(MEETINGS, "care-failures", "uploads-dlq", "recording-uploaded-dlq"),
        **dead_letter_alarms(MEETINGS, "storage-schedule-dlq"),
        **workflow_alarms(MEETINGS),
        **rest_api_alarms(MEETINGS, client_errors=50, milliseconds=3_000),
        **{f"{name}-critical": log_alarm(MEETINGS, name, "meetings") for name in ("meetings-failed", "media-failed")},
        "executions-aborted-critical": workflow_alarm(MEETINGS, "ExecutionsAborted", "meetings"),
        "processing-late-warning": AlarmRule(
            *(metrics.NAMESPACE, metrics.PROCESSING_DURATION, 3 * 3_600, "meetings"),
            {metrics.STACK: "polyphony-test"},
            "p95",
        ),
        "uploads-waiting-warning": message_age_alarm("meetings-uploads", "meetings"),
        "spot-interruptions-warning": log_alarm(MEETINGS, "spot-interruptions", "meetings", 5, seconds=3_600),
        "model-throttles-warning": log_alarm(MEETINGS, "model-throttles", "meetings", 20),
        "model-errors-warning": log_alarm(MEETINGS, "model-errors", "meetings"),
    },
}
"""Rule of each alarm by subsystem and by the alarm's name without prefix."""
MODEL_REFUSED = '($.error_type = "ModelRefused" || $.error_type = "SummaryUnusable")'
METRIC_FILTERS: dict[str, dict[str, tuple[str, str, str]]] = {
    INGESTION: {
        "manifest-record": ("manifest-builder", '$.message = "manifest_record_failed"', "1"),
        "oldest-pending": ("sweeper", '$.message = "sweep"', "$.oldest_pending_seconds"),
        "unsettled": ("sweeper", '$.message = "sweep"', "$.failed"),
    },
    TRANSCRIPTION: {
        "audio-processor-memory": (
            "audio-processor", '$.type = "platform.report"', "$.record.metrics.maxMemoryUsedMB",
        ),
        "given-up": ("audio-processor", '$.message = "utterance_given_up"', "1"),
        "messages-failed": ("router", '$.message = "message_failed" || $.message = "processor_not_called"', "1"),
    },
    LIVESTREAM: {
        "answers-broken": ("episodes", '$.message = "answer_broken"', "1"),
        "deletions-untold": ("episodes", '$.message = "deletion_not_published"', "1"),
        "videos-failed": ("video-chunks", '$.message = "video_failed"', "1"),
        "windows-failed": ("agent", '$.message = "window_failed"', "1"),
        "tracks-timed-out": ("care", '$.message = "care_sweep"', "$.timed_out"),
        "episodes-unattended": ("care", '$.message = "care_sweep"', "$.failed"),
        "sweep-unfinished": ("care", '$.message = "care_sweep"', "$.unfinished"),
    },
    MEETINGS: {
        "meetings-failed": ("steps", '$.message = "meeting_failed"', "1"),
        "media-failed": ("steps", '$.message = "meeting_failed" && $.code = "MEDIA_FAILED"', "1"),
        "spot-interruptions": ("steps", '$.message = "media_read"', "$.interruptions"),
        "model-throttles": (
            "bedrock-summarize", '$.message = "summary_failed" && $.error_type = "ModelBusy"', "1",
        ),
        "model-errors": ("bedrock-summarize", f'$.message = "summary_failed" && {MODEL_REFUSED}', "1"),
    },
}  # fmt: skip
"""Function whose log lines a metric filter reads, its pattern and its value, by subsystem and filter. Voice Q&A's filters
are tested with lines that its handlers write (tests/components/voice_qa/test_alarms.py).
"""

every_subsystem = pytest.mark.parametrize("subsystem", DEPLOYMENTS)


def alarms(recorded: Recorded, subsystem: str) -> dict[str, dict[str, Any]]:
    """Return the alarms by name without the subsystem's prefix."""
    all_inputs = [resource.inputs for resource in recorded.all("cloudwatch.MetricAlarm")]
    return {inputs["name"].removeprefix(f"polyphony-test-{subsystem}-"): inputs for inputs in all_inputs}


def default_alarms(subsystem: str) -> dict[str, dict[str, Any]]:
    return alarms(DEPLOYMENTS[subsystem].deployed(), subsystem)


@every_subsystem
def test_each_alarm_has_its_metric_threshold_and_runbook(subsystem: str) -> None:
    def rule(alarm: dict[str, Any]) -> AlarmRule:
        assert ("extendedStatistic" in alarm) != ("statistic" in alarm), "CloudWatch accepts only one of them"
        return AlarmRule(
            namespace=alarm["namespace"],
            metric=alarm["metricName"],
            threshold=round(alarm["threshold"], 6),
            runbook=alarm["alarmDescription"].rpartition("Runbook: docs/runbooks/")[2].removesuffix(".md"),
            dimensions=alarm["dimensions"],
            statistic=alarm.get("extendedStatistic") or alarm["statistic"],
            seconds=alarm["period"],
            comparison=alarm["comparisonOperator"],
            periods=alarm["evaluationPeriods"],
        )

    assert {name: rule(alarm) for name, alarm in default_alarms(subsystem).items()} == ALARMS[subsystem]


@every_subsystem
def test_each_alarm_states_its_severity_and_an_existing_runbook(subsystem: str) -> None:
    for name, alarm in default_alarms(subsystem).items():
        assert alarm["alarmActions"] == alarm["okActions"] == [scope().alerts_topic], name
        assert alarm["alarmDescription"].startswith(f"{name.rpartition('-')[2].upper()}: ")
        assert alarm["treatMissingData"] == "notBreaching", f"{name}: missing data must not raise the alarm"
        assert (ROOT / f"docs/runbooks/{ALARMS[subsystem][name].runbook}.md").is_file(), name


@every_subsystem
def test_a_filter_has_the_name_of_its_metric_and_depends_on_its_log_group(subsystem: str) -> None:
    recorded = DEPLOYMENTS[subsystem].deployed()
    for resource in recorded.all("cloudwatch.LogMetricFilter"):
        metric = resource.inputs["metricTransformation"]
        assert metric["namespace"] == f"polyphony-test/{subsystem}"
        filter_name = resource.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-")
        # A filter on the sweeper's log has the metric of the filter on the builder's log, because both create manifests.
        assert metric["name"] == filter_name.removesuffix("-swept")
        log_groups = [group.inputs["name"] for group in recorded.ancestors(resource) if group.kind == "LogGroup"]
        assert resource.inputs["logGroupName"] in log_groups, "the filter needs its log group"


@pytest.mark.parametrize("subsystem", METRIC_FILTERS)
def test_log_lines_that_report_problems_are_counted(subsystem: str) -> None:
    filters = {
        resource.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-"): (
            resource.inputs["logGroupName"].removeprefix(f"/aws/lambda/polyphony-test-{subsystem}-"),
            resource.inputs["pattern"].removeprefix("{ ").removesuffix(" }"),
            resource.inputs["metricTransformation"]["value"],
        )
        for resource in DEPLOYMENTS[subsystem].deployed().all("cloudwatch.LogMetricFilter")
    }
    assert {name: filters[name] for name in METRIC_FILTERS[subsystem]} == METRIC_FILTERS[subsystem]


@pytest.mark.parametrize(
    ("subsystem", "settings", "changed_thresholds"),
    [
        (
            TRANSCRIPTION,
            {
                "alarms": {
                    "latencyMs": 701,
                    "droppedPerMinute": 702,
                    "orphans": 703,
                    "fallbacks": 704,
                    "errors": 705,
                    "throttles": 706,
                },
                "audioProcessor": {"memoryMb": 1_000},
            },
            {
                "latency-critical": 701,
                "rate-limit-warning": 702,
                "orphans-warning": 703,
                "fallback-critical": 704,
                "audio-processor-errors-critical": 705,
                "audio-processor-throttles-warning": 706,
                "audio-processor-memory-warning": 900,
            },
        ),
        (
            VOICE_QA,
            {
                "alarms": {"answerSeconds": 7, "accountConcurrency": 100},
                "socketHandler": {"timeoutSeconds": 10},
                "agentcore": {"endpoint": ENDPOINT, "answerSeconds": 500},
                "validator": {"timeoutSeconds": 100},
            },
            {
                "answer-latency-warning": 7_000,
                "concurrency-warning": 80,
                "handler-duration-warning": 8_000,
                "worker-duration-warning": 400_000,
                "validator-duration-warning": 80_000,
            },
        ),
        (INGESTION, {"builder": {"timeoutSeconds": 100}}, {"builder-duration-warning": 80_000}),
        (MEETINGS, {"processing": {"alarmMinutes": 2}}, {"processing-late-warning": 120}),
    ],
)
def test_each_setting_changes_only_its_threshold(
    subsystem: str, settings: dict[str, Any], changed_thresholds: dict[str, float]
) -> None:
    changed_alarms = alarms(DEPLOYMENTS[subsystem].previewed(**settings), subsystem)
    thresholds = {name: alarm["threshold"] for name, alarm in default_alarms(subsystem).items()}
    assert {name: alarm["threshold"] for name, alarm in changed_alarms.items()} == {**thresholds, **changed_thresholds}


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_only_work_that_several_sweeps_fail_to_do_raises_an_alarm(minutes: int) -> None:
    alarm = alarms(DEPLOYMENTS[INGESTION].previewed(manifests={"sweepMinutes": minutes}), INGESTION)[
        "unsettled-warning"
    ]
    assert alarm["period"] >= 2 * minutes * 60, "the minimum must cover several sweeps"
    assert alarm["period"] % 60 == 0

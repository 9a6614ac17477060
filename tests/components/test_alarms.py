"""Tests of all alarms of the five subsystems: metric, threshold, severity, runbook, and counted log lines."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from handlers.meetings import metrics
from local import ROOT
from tests.components.deployment_harness import ACCOUNT, Deployment
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.transcription.recorded_deployment import TRANSCRIPTION
from tests.components.voice_qa.recorded_deployment import ENDPOINT, VOICE_QA
from tests.fake_engine import Recorded, scope

DEPLOYMENTS: dict[str, Deployment] = {
    "ingestion": INGESTION,
    "transcription": TRANSCRIPTION,
    "voice-qa": VOICE_QA,
    "livestream": LIVESTREAM,
    "meetings": MEETINGS,
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


def log_alarm(subsystem: str, name: str, runbook: str, threshold: float = 0, **more: Any) -> AlarmRule:
    """Return the rule of an alarm on log lines. Its metric has the name of the metric filter."""
    return AlarmRule(f"polyphony-test/{subsystem}", name, threshold, runbook, {}, **more)


def function_alarms(subsystem: str, name: str, errors: int = 0, throttles: int = 0) -> dict[str, AlarmRule]:
    """Return the alarms that every function has. Both count only calls of the live version."""
    return {
        f"{name}-errors-critical": live_version_alarm(subsystem, name, "Errors", errors, "function-errors"),
        f"{name}-throttles-warning": live_version_alarm(subsystem, name, "Throttles", throttles, "function-throttles"),
    }


def live_version_alarm(
    subsystem: str, function: str, metric: str, threshold: float, runbook: str, **more: Any
) -> AlarmRule:
    name = f"polyphony-test-{subsystem}-{function}"
    return AlarmRule(
        "AWS/Lambda", metric, threshold, runbook, {"FunctionName": name, "Resource": f"{name}:live"}, **more
    )


def dead_letter_alarms(subsystem: str, *names: str) -> dict[str, AlarmRule]:
    """Return the alarms of dead-letter queues."""
    return {
        f"{name}-critical": AlarmRule(
            *("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, "dead-letters"),
            {"QueueName": f"polyphony-test-{subsystem}-{name}"},
            "Average",
        )
        for name in names
    }


def message_age_alarm(queue: str, seconds: int, runbook: str) -> AlarmRule:
    dimensions = {"QueueName": f"polyphony-test-{queue}"}
    return AlarmRule("AWS/SQS", "ApproximateAgeOfOldestMessage", seconds, runbook, dimensions, "Maximum")


def workflow_alarms(subsystem: str) -> dict[str, AlarmRule]:
    machine = {"StateMachineArn": f"arn:aws:states:{ACCOUNT}:stateMachine:polyphony-test-{subsystem}-workflow"}
    return {
        f"workflow-{metric.lower()}-{severity}": AlarmRule("AWS/States", metric, 0, "workflow-failures", machine)
        for metric, severity in (
            ("ExecutionsFailed", "critical"),
            ("ExecutionsTimedOut", "critical"),
            ("ExecutionThrottled", "warning"),
        )
    }


def websocket_alarms(stage: str) -> dict[str, AlarmRule]:
    dimensions = {"ApiId": "a1b2c3", "Stage": stage}
    return {
        f"socket-{name}": AlarmRule("AWS/ApiGateway", metric, threshold, "websocket-errors", dimensions)
        for name, metric, threshold in (
            ("client-errors-warning", "ClientError", 50),
            ("integration-errors-critical", "IntegrationError", 50),
            ("execution-errors-critical", "ExecutionError", 0),
        )
    }


def rest_api_alarms(subsystem: str, client_errors: int, milliseconds: int) -> dict[str, AlarmRule]:
    namespace, runbook = "AWS/ApiGateway", "rest-api-errors"
    dimensions = {"ApiName": f"polyphony-test-{subsystem}-api", "Stage": "api"}
    return {
        "api-client-errors-warning": AlarmRule(namespace, "4XXError", client_errors, runbook, dimensions),
        "api-server-errors-critical": AlarmRule(namespace, "5XXError", 0, runbook, dimensions),
        "api-slow-warning": AlarmRule(namespace, "Latency", milliseconds, runbook, dimensions, "p95", periods=3),
    }


def caption_alarm(metric: str, threshold: float, **more: Any) -> AlarmRule:
    """Return the rule of an alarm on a metric that the audio processor publishes."""
    dimensions = {"FunctionName": "polyphony-test-transcription-audio-processor"}
    return AlarmRule("AudioTranscription/PartialResults", metric, threshold, "captions-degraded", dimensions, **more)


def table_alarm(metric: str) -> AlarmRule:
    return AlarmRule("AWS/DynamoDB", metric, 0, "limits-near", {"TableName": "polyphony-test-voice-qa-sessions"})


INGEST, CAPTIONS, VOICE, LIVE, MEET = DEPLOYMENTS
ALARMS: dict[str, dict[str, AlarmRule]] = {
    INGEST: {
        **function_alarms(INGEST, "manifest-builder"),
        **function_alarms(INGEST, "steps"),
        **function_alarms(INGEST, "sweeper"),
        **dead_letter_alarms(INGEST, "intake-dlq", "reconcile-dlq", "spark-failed-dlq", "sweep-dlq", "sweeper-failed"),
        **workflow_alarms(INGEST),
        "builder-duration-warning": live_version_alarm(
            INGEST, "manifest-builder", "Duration", 48_000, "ingestion-late", statistic="p95"
        ),
        "oldest-message-warning": message_age_alarm("ingestion-intake", 1_800, "ingestion-late"),
        "oldest-pending-warning": log_alarm(
            INGEST, "oldest-pending", "ingestion-late", 7_200, statistic="Maximum", seconds=900
        ),
        "unsettled-warning": log_alarm(INGEST, "unsettled", "ingestion-late", statistic="Minimum", seconds=900),
        "manifest-record-warning": log_alarm(INGEST, "manifest-record", "ingestion-late", 1, comparison=AT_LEAST),
    },
    CAPTIONS: {
        # The requirement lists these six.
        **function_alarms(CAPTIONS, "audio-processor", errors=5, throttles=10),
        "latency-critical": caption_alarm("PartialResultProcessingLatency", 5_000, statistic="p95", periods=2),
        "rate-limit-warning": caption_alarm("PartialResultsDropped", 100, seconds=60, periods=2),
        "orphans-warning": caption_alarm("OrphanedResultsFlushed", 10, periods=2),
        "fallback-critical": caption_alarm("TranscribeFallbackTriggered", 1, comparison=AT_LEAST),
        # The requirement does not list these.
        **function_alarms(CAPTIONS, "router"),
        **dead_letter_alarms(CAPTIONS, "router-failed", "sweep-dlq"),
        **websocket_alarms("live"),
        "audio-processor-memory-warning": log_alarm(
            CAPTIONS, "audio-processor-memory", "function-memory", 0.9 * 512, statistic="Maximum"
        ),
        "given-up-critical": log_alarm(CAPTIONS, "given-up", "captions-degraded", 10, comparison=AT_LEAST),
        "lost-utterances-warning": log_alarm(CAPTIONS, "lost-utterances", "utterances-lost", 1, comparison=AT_LEAST),
        "messages-failed-critical": log_alarm(CAPTIONS, "messages-failed", "websocket-errors", 1, comparison=AT_LEAST),
    },
    VOICE: {
        **function_alarms(VOICE, "websocket-handler"),
        **function_alarms(VOICE, "query-worker"),
        **function_alarms(VOICE, "validate-lecture"),
        **dead_letter_alarms(
            VOICE, "queries-failed", "validator-failed", "uploads-dlq", "sweep-dlq", "time-limits-dlq"
        ),
        **websocket_alarms("Prod"),
        "handler-duration-warning": live_version_alarm(
            VOICE, "websocket-handler", "Duration", 23_200, "answers-late", statistic="p95"
        ),
        "worker-duration-warning": live_version_alarm(
            VOICE, "query-worker", "Duration", 480_000, "answers-late", statistic="p95"
        ),
        "validator-duration-warning": live_version_alarm(
            VOICE, "validate-lecture", "Duration", 240_000, "answers-late", statistic="p95"
        ),
        "answer-latency-warning": log_alarm(VOICE, "answer-milliseconds", "answers-late", 10_000, statistic="p95"),
        "answers-failed-warning": log_alarm(VOICE, "answers-failed", "answers-late"),
        "answers-overdue-warning": log_alarm(VOICE, "answers-overdue", "answers-late"),
        "answers-unheard-critical": log_alarm(VOICE, "answers-unheard", "answers-late", 2),
        "messages-failed-critical": log_alarm(VOICE, "messages-failed", "websocket-errors"),
        "lectures-missed-warning": log_alarm(VOICE, "lectures-missed", "lectures-missed"),
        "concurrency-warning": AlarmRule(
            "AWS/Lambda", "ConcurrentExecutions", 800, "limits-near", {}, "Maximum", seconds=60
        ),
        "connections-warning": AlarmRule(
            "AWS/ApiGateway", "ConnectCount", 500, "limits-near", {"ApiId": "a1b2c3", "Stage": "Prod"}, seconds=60
        ),
        "table-read-throttles-warning": table_alarm("ReadThrottleEvents"),
        "table-write-throttles-warning": table_alarm("WriteThrottleEvents"),
    },
    LIVE: {
        **function_alarms(LIVE, "agent"),
        **function_alarms(LIVE, "authorizer"),
        **function_alarms(LIVE, "care"),
        **function_alarms(LIVE, "episodes"),
        **function_alarms(LIVE, "transcript-windows"),
        **function_alarms(LIVE, "video-chunks"),
        **dead_letter_alarms(LIVE, "agent-windows-dlq", "transcript-created-dlq", "transcript-events-dlq"),
        **dead_letter_alarms(LIVE, "video-completed-dlq", "video-created-dlq", "video-jobs-dlq", "videos-dlq"),
        **dead_letter_alarms(LIVE, "care-failures", "care-sweep-dlq", "deletions-dlq", "episode-deleted-dlq"),
        **rest_api_alarms(LIVE, client_errors=100, milliseconds=2_000),
        "answers-broken-critical": log_alarm(LIVE, "answers-broken", "rest-api-errors"),
        **{
            f"{name}-warning": log_alarm(LIVE, name, "episodes-stuck")
            for name in (
                *("deletions-untold", "videos-failed", "windows-failed"),
                *("tracks-timed-out", "episodes-unattended", "sweep-unfinished"),
            )
        },
    },
    MEET: {
        **function_alarms(MEET, "auth-exchange"),
        **function_alarms(MEET, "start"),
        **function_alarms(MEET, "steps"),
        **function_alarms(MEET, "bedrock-summarize", errors=20),
        **function_alarms(MEET, "sweep"),
        **function_alarms(MEET, "storage"),
        **dead_letter_alarms(MEET, "care-failures", "uploads-dlq", "recording-uploaded-dlq"),
        **dead_letter_alarms(MEET, "sweep-schedule-dlq", "storage-schedule-dlq"),
        **workflow_alarms(MEET),
        **rest_api_alarms(MEET, client_errors=50, milliseconds=3_000),
        **{
            f"{name}-critical": log_alarm(MEET, name, "meetings-late")
            for name in ("meetings-failed", "media-failed", "meetings-given-up")
        },
        **{
            f"{name}-warning": log_alarm(MEET, name, "meetings-late", statistic="Minimum", seconds=2_700)
            for name in ("meetings-unattended", "sweep-unfinished")
        },
        "processing-late-warning": AlarmRule(
            *(metrics.NAMESPACE, metrics.PROCESSING_DURATION, 3 * 3_600, "meetings-late"),
            {metrics.STACK: "polyphony-test"},
            "p95",
        ),
        "uploads-waiting-warning": message_age_alarm("meetings-uploads", 1_800, "meetings-late"),
        "recordings-unheard-warning": log_alarm(MEET, "recordings-unheard", "meetings-late"),
        "spot-interruptions-warning": log_alarm(MEET, "spot-interruptions", "spot-interruptions", 5, seconds=3_600),
        "model-throttles-warning": log_alarm(MEET, "model-throttles", "models-refuse", 20),
        "model-errors-warning": log_alarm(MEET, "model-errors", "models-refuse"),
    },
}
"""Subsystem → alarm name without prefix → its rule."""
MODEL_REFUSED = '($.error_type = "ModelRefused" || $.error_type = "SummaryUnusable")'
UNHEARD = ("recording_unheard", "recording_unattended", "recordings_unchecked")
FILTERS: dict[str, dict[str, tuple[str, str, str]]] = {
    INGEST: {
        "manifest-record": ("manifest-builder", '$.message = "manifest_record_failed"', "1"),
        "oldest-pending": ("sweeper", '$.message = "sweep"', "$.oldest_pending_seconds"),
        "unsettled": ("sweeper", '$.message = "sweep"', "$.failed"),
    },
    CAPTIONS: {
        "audio-processor-memory": (
            "audio-processor", '$.type = "platform.report"', "$.record.metrics.maxMemoryUsedMB",
        ),
        "given-up": ("audio-processor", '$.message = "utterance_given_up"', "1"),
        "lost-utterances": ("router", '$.message = "utterances_lost"', "$.lost"),
        "messages-failed": ("router", '$.message = "message_failed" || $.message = "processor_not_called"', "1"),
    },
    LIVE: {
        "answers-broken": ("episodes", '$.message = "answer_broken"', "1"),
        "deletions-untold": ("episodes", '$.message = "deletion_not_published"', "1"),
        "videos-failed": ("video-chunks", '$.message = "video_failed"', "1"),
        "windows-failed": ("agent", '$.message = "window_failed"', "1"),
        "tracks-timed-out": ("care", '$.message = "care_sweep"', "$.timed_out"),
        "episodes-unattended": ("care", '$.message = "care_sweep"', "$.failed"),
        "sweep-unfinished": ("care", '$.message = "care_sweep"', "$.unfinished"),
    },
    MEET: {
        "meetings-failed": ("steps", '$.message = "meeting_failed"', "1"),
        "media-failed": ("steps", '$.message = "meeting_failed" && $.code = "MEDIA_FAILED"', "1"),
        "meetings-given-up": ("sweep", '$.message = "meeting_given_up" && $.code != "NEVER_COMPLETE"', "1"),
        "meetings-unattended": ("sweep", '$.message = "meeting_sweep"', "$.failed"),
        "sweep-unfinished": ("sweep", '$.message = "meeting_sweep"', "$.unfinished"),
        "spot-interruptions": ("steps", '$.message = "media_read"', "$.interruptions"),
        "model-throttles": (
            "bedrock-summarize", '$.message = "summary_failed" && $.error_type = "ModelBusy"', "1",
        ),
        "model-errors": ("bedrock-summarize", f'$.message = "summary_failed" && {MODEL_REFUSED}', "1"),
        "recordings-unheard": ("storage", " || ".join(f'$.message = "{event}"' for event in UNHEARD), "1"),
    },
}  # fmt: skip
"""Subsystem → filter → function whose lines it reads, pattern, value. A test of voice Q&A checks its filters against
lines that its handlers write (tests/components/voice_qa/test_alarms.py)."""

every_subsystem = pytest.mark.parametrize("subsystem", DEPLOYMENTS)


def alarms(recorded: Recorded, subsystem: str) -> dict[str, dict[str, Any]]:
    """Return the alarms by name without the subsystem's prefix."""
    all_inputs = [resource.inputs for resource in recorded.all("cloudwatch.MetricAlarm")]
    return {inputs["name"].removeprefix(f"polyphony-test-{subsystem}-"): inputs for inputs in all_inputs}


def registered(subsystem: str) -> dict[str, dict[str, Any]]:
    return alarms(DEPLOYMENTS[subsystem].complete(), subsystem)


@every_subsystem
def test_exactly_the_listed_alarms_are_registered(subsystem: str) -> None:
    assert set(registered(subsystem)) == set(ALARMS[subsystem])


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

    assert {name: rule(alarm) for name, alarm in registered(subsystem).items()} == ALARMS[subsystem]


@every_subsystem
def test_each_alarm_states_its_severity_and_an_existing_runbook(subsystem: str) -> None:
    for name, alarm in registered(subsystem).items():
        assert alarm["alarmActions"] == alarm["okActions"] == [scope().alerts_topic], name
        assert alarm["alarmDescription"].startswith(f"{name.rpartition('-')[2].upper()}: ")
        assert alarm["treatMissingData"] == "notBreaching", f"{name}: missing data is not a problem"
        assert (ROOT / f"docs/runbooks/{ALARMS[subsystem][name].runbook}.md").is_file(), name


@every_subsystem
def test_a_filter_and_its_metric_have_the_same_name_and_need_the_log_group(subsystem: str) -> None:
    recorded = DEPLOYMENTS[subsystem].complete()
    for resource in recorded.all("cloudwatch.LogMetricFilter"):
        metric = resource.inputs["metricTransformation"]
        assert metric["namespace"] == f"polyphony-test/{subsystem}"
        filter_name = resource.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-")
        assert metric["name"] == filter_name.removesuffix("-swept"), "the sweeper also creates manifests"
        before = [group.inputs["name"] for group in recorded.ancestors(resource) if group.kind == "LogGroup"]
        assert resource.inputs["logGroupName"] in before


@pytest.mark.parametrize("subsystem", FILTERS)
def test_log_lines_that_report_problems_are_counted(subsystem: str) -> None:
    filters = {
        resource.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-"): (
            resource.inputs["logGroupName"].removeprefix(f"/aws/lambda/polyphony-test-{subsystem}-"),
            resource.inputs["pattern"].removeprefix("{ ").removesuffix(" }"),
            resource.inputs["metricTransformation"]["value"],
        )
        for resource in DEPLOYMENTS[subsystem].complete().all("cloudwatch.LogMetricFilter")
    }
    assert {name: filters[name] for name in FILTERS[subsystem]} == FILTERS[subsystem]


@pytest.mark.parametrize(
    ("subsystem", "settings", "changed_thresholds"),
    [
        (
            CAPTIONS,
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
            VOICE,
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
        (INGEST, {"builder": {"timeoutSeconds": 100}}, {"builder-duration-warning": 80_000}),
        (MEET, {"processing": {"alarmMinutes": 2}}, {"processing-late-warning": 120}),
    ],
)
def test_each_threshold_follows_its_setting_and_no_other(
    subsystem: str, settings: dict[str, Any], changed_thresholds: dict[str, float]
) -> None:
    changed = alarms(DEPLOYMENTS[subsystem].preview(**settings), subsystem)
    default_thresholds = {name: alarm["threshold"] for name, alarm in registered(subsystem).items()}
    assert {name: alarm["threshold"] for name, alarm in changed.items()} == {**default_thresholds, **changed_thresholds}


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_only_work_that_several_sweeps_leave_undone_raises_an_alarm(minutes: int) -> None:
    alarm = alarms(INGESTION.preview(manifests={"sweepMinutes": minutes}), INGEST)["unsettled-warning"]
    assert alarm["period"] >= 2 * minutes * 60, "the minimum must cover several sweeps"
    assert alarm["period"] % 60 == 0


NOT_SHOWN = {"polyphony-test-livestream-authorizer", "polyphony-test-livestream-transcript-windows"}


@every_subsystem
def test_the_dashboard_shows_every_table_and_all_functions_but_two(subsystem: str) -> None:
    recorded = DEPLOYMENTS[subsystem].complete()
    widgets = json.loads(recorded.one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = {value for widget in widgets for metric in widget["properties"]["metrics"] for value in metric[:-1]}
    names = {
        resource.inputs["name"] for kind in ("lambda.Function", "dynamodb.Table") for resource in recorded.all(kind)
    }
    assert names - shown == names & NOT_SHOWN

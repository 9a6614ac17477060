"""Every alarm of the five subsystems: when it rings, whom it tells and which runbook it names; and the log lines it counts."""

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import pytest

from handlers.meetings import metrics
from local import ROOT
from tests.components.ingestion.recorded_deployment import INGESTION
from tests.components.livestream.recorded_deployment import LIVESTREAM
from tests.components.meetings.recorded_deployment import MEETINGS
from tests.components.subsystem_tests import ACCOUNT, Deployment
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
ABOVE, AT_LEAST = "GreaterThanThreshold", "GreaterThanOrEqualToThreshold"


class Rule(NamedTuple):
    """What an alarm is registered with."""

    namespace: str
    metric: str
    threshold: float
    runbook: str
    dimensions: Mapping[str, str]
    statistic: str = "Sum"
    seconds: int = 300
    comparison: str = ABOVE
    periods: int = 1


def of_logs(subsystem: str, name: str, runbook: str, threshold: float = 0, **more: Any) -> Rule:
    """Return the rule of an alarm on log lines: its metric has the name of the filter that makes it."""
    return Rule(f"polyphony-test/{subsystem}", name, threshold, runbook, {}, **more)


def function_usage(subsystem: str, name: str, errors: int = 0, throttles: int = 0) -> dict[str, Rule]:
    """Return what every function has: both count only calls of the live version."""
    return {
        f"{name}-errors-critical": of_live(subsystem, name, "Errors", errors, "function-errors"),
        f"{name}-throttles-warning": of_live(subsystem, name, "Throttles", throttles, "function-throttles"),
    }


def of_live(subsystem: str, function: str, metric: str, threshold: float, runbook: str, **more: Any) -> Rule:
    name = f"polyphony-test-{subsystem}-{function}"
    return Rule("AWS/Lambda", metric, threshold, runbook, {"FunctionName": name, "Resource": f"{name}:live"}, **more)


def of_queues(subsystem: str, *names: str) -> dict[str, Rule]:
    """Return what every dead-letter queue has."""
    return {
        f"{name}-critical": Rule(
            *("AWS/SQS", "ApproximateNumberOfMessagesVisible", 0, "dead-letters"),
            {"QueueName": f"polyphony-test-{subsystem}-{name}"},
            "Average",
        )
        for name in names
    }


def of_age(queue: str, seconds: int, runbook: str) -> Rule:
    dimensions = {"QueueName": f"polyphony-test-{queue}"}
    return Rule("AWS/SQS", "ApproximateAgeOfOldestMessage", seconds, runbook, dimensions, "Maximum")


def of_workflow(subsystem: str) -> dict[str, Rule]:
    machine = {"StateMachineArn": f"arn:aws:states:{ACCOUNT}:stateMachine:polyphony-test-{subsystem}-workflow"}
    return {
        f"workflow-{metric.lower()}-{severity}": Rule("AWS/States", metric, 0, "workflow-failures", machine)
        for metric, severity in (
            ("ExecutionsFailed", "critical"),
            ("ExecutionsTimedOut", "critical"),
            ("ExecutionThrottled", "warning"),
        )
    }


def of_socket(stage: str) -> dict[str, Rule]:
    dimensions = {"ApiId": "a1b2c3", "Stage": stage}
    return {
        f"socket-{name}": Rule("AWS/ApiGateway", metric, threshold, "websocket-errors", dimensions)
        for name, metric, threshold in (
            ("client-errors-warning", "ClientError", 50),
            ("integration-errors-critical", "IntegrationError", 50),
            ("execution-errors-critical", "ExecutionError", 0),
        )
    }


def of_rest_api(subsystem: str, client_errors: int, milliseconds: int) -> dict[str, Rule]:
    namespace, runbook = "AWS/ApiGateway", "rest-api-errors"
    dimensions = {"ApiName": f"polyphony-test-{subsystem}-api", "Stage": "api"}
    return {
        "api-client-errors-warning": Rule(namespace, "4XXError", client_errors, runbook, dimensions),
        "api-server-errors-critical": Rule(namespace, "5XXError", 0, runbook, dimensions),
        "api-slow-warning": Rule(namespace, "Latency", milliseconds, runbook, dimensions, "p95", periods=3),
    }


def of_captions(metric: str, threshold: float, **more: Any) -> Rule:
    """Return the rule of an alarm on one of the metrics that the audio processor puts itself."""
    dimensions = {"FunctionName": "polyphony-test-transcription-audio-processor"}
    return Rule("AudioTranscription/PartialResults", metric, threshold, "captions-degraded", dimensions, **more)


def of_table(metric: str) -> Rule:
    return Rule("AWS/DynamoDB", metric, 0, "limits-near", {"TableName": "polyphony-test-voice-qa-sessions"})


INGEST, CAPTIONS, VOICE, LIVE, MEET = DEPLOYMENTS
ALARMS: dict[str, dict[str, Rule]] = {
    INGEST: {
        **function_usage(INGEST, "manifest-builder"),
        **function_usage(INGEST, "steps"),
        **function_usage(INGEST, "sweeper"),
        **of_queues(INGEST, "intake-dlq", "reconcile-dlq", "spark-failed-dlq", "sweep-dlq", "sweeper-failed"),
        **of_workflow(INGEST),
        "builder-duration-warning": of_live(
            INGEST, "manifest-builder", "Duration", 48_000, "ingestion-late", statistic="p95"
        ),
        "oldest-message-warning": of_age("ingestion-intake", 1_800, "ingestion-late"),
        "oldest-pending-warning": of_logs(
            INGEST, "oldest-pending", "ingestion-late", 7_200, statistic="Maximum", seconds=900
        ),
        "unsettled-warning": of_logs(INGEST, "unsettled", "ingestion-late", statistic="Minimum", seconds=900),
        "manifest-record-warning": of_logs(INGEST, "manifest-record", "ingestion-late", 1, comparison=AT_LEAST),
    },
    CAPTIONS: {
        # The six that the requirement lists.
        **function_usage(CAPTIONS, "audio-processor", errors=5, throttles=10),
        "latency-critical": of_captions("PartialResultProcessingLatency", 5_000, statistic="p95", periods=2),
        "rate-limit-warning": of_captions("PartialResultsDropped", 100, seconds=60, periods=2),
        "orphans-warning": of_captions("OrphanedResultsFlushed", 10, periods=2),
        "fallback-critical": of_captions("TranscribeFallbackTriggered", 1, comparison=AT_LEAST),
        # Beyond them.
        **function_usage(CAPTIONS, "router"),
        **of_queues(CAPTIONS, "router-failed", "sweep-dlq"),
        **of_socket("live"),
        "audio-processor-memory-warning": of_logs(
            CAPTIONS, "audio-processor-memory", "function-memory", 0.9 * 512, statistic="Maximum"
        ),
        "given-up-critical": of_logs(CAPTIONS, "given-up", "captions-degraded", 10, comparison=AT_LEAST),
        "lost-utterances-warning": of_logs(CAPTIONS, "lost-utterances", "utterances-lost", 1, comparison=AT_LEAST),
        "messages-failed-critical": of_logs(CAPTIONS, "messages-failed", "websocket-errors", 1, comparison=AT_LEAST),
    },
    VOICE: {
        **function_usage(VOICE, "websocket-handler"),
        **function_usage(VOICE, "query-worker"),
        **function_usage(VOICE, "validate-lecture"),
        **of_queues(VOICE, "queries-failed", "validator-failed", "uploads-dlq", "sweep-dlq"),
        **of_socket("Prod"),
        "handler-duration-warning": of_live(
            VOICE, "websocket-handler", "Duration", 23_200, "answers-late", statistic="p95"
        ),
        "worker-duration-warning": of_live(VOICE, "query-worker", "Duration", 480_000, "answers-late", statistic="p95"),
        "validator-duration-warning": of_live(
            VOICE, "validate-lecture", "Duration", 240_000, "answers-late", statistic="p95"
        ),
        "answer-latency-warning": of_logs(VOICE, "answer-milliseconds", "answers-late", 10_000, statistic="p95"),
        "answers-failed-warning": of_logs(VOICE, "answers-failed", "answers-late"),
        "answers-unheard-critical": of_logs(VOICE, "answers-unheard", "answers-late", 2),
        "messages-failed-critical": of_logs(VOICE, "messages-failed", "websocket-errors"),
        "lectures-missed-warning": of_logs(VOICE, "lectures-missed", "lectures-missed"),
        "concurrency-warning": Rule(
            "AWS/Lambda", "ConcurrentExecutions", 800, "limits-near", {}, "Maximum", seconds=60
        ),
        "connections-warning": Rule(
            "AWS/ApiGateway", "ConnectCount", 500, "limits-near", {"ApiId": "a1b2c3", "Stage": "Prod"}, seconds=60
        ),
        "table-read-throttles-warning": of_table("ReadThrottleEvents"),
        "table-write-throttles-warning": of_table("WriteThrottleEvents"),
    },
    LIVE: {
        **function_usage(LIVE, "agent"),
        **function_usage(LIVE, "authorizer"),
        **function_usage(LIVE, "care"),
        **function_usage(LIVE, "episodes"),
        **function_usage(LIVE, "transcript-windows"),
        **function_usage(LIVE, "video-chunks"),
        **of_queues(LIVE, "agent-windows-dlq", "transcript-created-dlq", "transcript-events-dlq"),
        **of_queues(LIVE, "video-completed-dlq", "video-created-dlq", "video-jobs-dlq", "videos-dlq"),
        **of_queues(LIVE, "care-failures", "care-sweep-dlq", "deletions-dlq", "episode-deleted-dlq"),
        **of_rest_api(LIVE, client_errors=100, milliseconds=2_000),
        "answers-broken-critical": of_logs(LIVE, "answers-broken", "rest-api-errors"),
        **{
            f"{name}-warning": of_logs(LIVE, name, "episodes-stuck")
            for name in (
                *("deletions-untold", "videos-failed", "windows-failed"),
                *("tracks-timed-out", "episodes-unattended", "sweep-unfinished"),
            )
        },
    },
    MEET: {
        **function_usage(MEET, "auth-exchange"),
        **function_usage(MEET, "start"),
        **function_usage(MEET, "steps"),
        **function_usage(MEET, "bedrock-summarize", errors=20),
        **function_usage(MEET, "sweep"),
        **function_usage(MEET, "storage"),
        **of_queues(MEET, "care-failures", "uploads-dlq", "recording-uploaded-dlq"),
        **of_queues(MEET, "sweep-schedule-dlq", "storage-schedule-dlq"),
        **of_workflow(MEET),
        **of_rest_api(MEET, client_errors=50, milliseconds=3_000),
        **{
            f"{name}-critical": of_logs(MEET, name, "meetings-late")
            for name in ("meetings-failed", "media-failed", "meetings-given-up")
        },
        **{
            f"{name}-warning": of_logs(MEET, name, "meetings-late", statistic="Minimum", seconds=2_700)
            for name in ("meetings-unattended", "sweep-unfinished")
        },
        "processing-late-warning": Rule(
            *(metrics.NAMESPACE, metrics.PROCESSING_DURATION, 3 * 3_600, "meetings-late"),
            {metrics.STACK: "polyphony-test"},
            "p95",
        ),
        "uploads-waiting-warning": of_age("meetings-uploads", 1_800, "meetings-late"),
        "recordings-unheard-warning": of_logs(MEET, "recordings-unheard", "meetings-late"),
        "spot-interruptions-warning": of_logs(MEET, "spot-interruptions", "spot-interruptions", 5, seconds=3_600),
        "model-throttles-warning": of_logs(MEET, "model-throttles", "models-refuse", 20),
        "model-errors-warning": of_logs(MEET, "model-errors", "models-refuse"),
    },
}
"""Subsystem → end of an alarm's name → its rule."""
REFUSALS = '($.error_type = "ModelRefused" || $.error_type = "SummaryUnusable")'
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
        "model-errors": ("bedrock-summarize", f'$.message = "summary_failed" && {REFUSALS}', "1"),
        "recordings-unheard": ("storage", " || ".join(f'$.message = "{one}"' for one in UNHEARD), "1"),
    },
}  # fmt: skip
"""Subsystem → filter → function whose lines it takes, pattern, value. Voice Q&A's are held against lines that its handlers
write (tests/components/voice_qa/test_alarms_and_charts.py)."""

every_subsystem = pytest.mark.parametrize("subsystem", DEPLOYMENTS)


def alarms(recorded: Recorded, subsystem: str) -> dict[str, dict[str, Any]]:
    """Return the alarms by the end of their names."""
    found = [one.inputs for one in recorded.all("cloudwatch.MetricAlarm")]
    return {one["name"].removeprefix(f"polyphony-test-{subsystem}-"): one for one in found}


def registered(subsystem: str) -> dict[str, dict[str, Any]]:
    return alarms(DEPLOYMENTS[subsystem].complete(), subsystem)


@every_subsystem
def test_the_listed_alarms_ring_and_no_more(subsystem: str) -> None:
    assert set(registered(subsystem)) == set(ALARMS[subsystem])


@every_subsystem
def test_each_alarm_has_its_numbers(subsystem: str) -> None:
    def rule(one: dict[str, Any]) -> Rule:
        assert ("extendedStatistic" in one) != ("statistic" in one), "CloudWatch takes one of them"
        return Rule(
            namespace=one["namespace"],
            metric=one["metricName"],
            threshold=round(one["threshold"], 6),
            runbook=one["alarmDescription"].rpartition("Runbook: docs/runbooks/")[2].removesuffix(".md"),
            dimensions=one["dimensions"],
            statistic=one.get("extendedStatistic") or one["statistic"],
            seconds=one["period"],
            comparison=one["comparisonOperator"],
            periods=one["evaluationPeriods"],
        )

    assert {name: rule(one) for name, one in registered(subsystem).items()} == ALARMS[subsystem]


@every_subsystem
def test_each_alarm_tells_people_how_bad_it_is_and_names_a_page_that_is_there(subsystem: str) -> None:
    for name, one in registered(subsystem).items():
        assert one["alarmActions"] == one["okActions"] == [scope().alerts_topic], name
        assert one["alarmDescription"].startswith(f"{name.rpartition('-')[2].upper()}: ")
        assert one["treatMissingData"] == "notBreaching", f"{name}: where nothing happens, nothing is wrong"
        assert (ROOT / f"docs/runbooks/{ALARMS[subsystem][name].runbook}.md").is_file(), name


@every_subsystem
def test_a_filter_makes_a_metric_of_its_own_name_after_the_log_group_that_it_reads(subsystem: str) -> None:
    recorded = DEPLOYMENTS[subsystem].complete()
    for one in recorded.all("cloudwatch.LogMetricFilter"):
        metric = one.inputs["metricTransformation"]
        assert metric["namespace"] == f"polyphony-test/{subsystem}"
        own = one.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-")
        assert metric["name"] == own.removesuffix("-swept"), "the sweeper makes manifests too"
        before = [group.inputs["name"] for group in recorded.ancestors(one) if group.kind == "LogGroup"]
        assert one.inputs["logGroupName"] in before


@pytest.mark.parametrize("subsystem", FILTERS)
def test_lines_that_mean_trouble_are_counted(subsystem: str) -> None:
    found = {
        one.inputs["name"].removeprefix(f"polyphony-test-{subsystem}-"): (
            one.inputs["logGroupName"].removeprefix(f"/aws/lambda/polyphony-test-{subsystem}-"),
            one.inputs["pattern"].removeprefix("{ ").removesuffix(" }"),
            one.inputs["metricTransformation"]["value"],
        )
        for one in DEPLOYMENTS[subsystem].complete().all("cloudwatch.LogMetricFilter")
    }
    assert {name: found[name] for name in FILTERS[subsystem]} == FILTERS[subsystem]


@pytest.mark.parametrize(
    ("subsystem", "settings", "moved"),
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
    subsystem: str, settings: dict[str, Any], moved: dict[str, float]
) -> None:
    found = alarms(DEPLOYMENTS[subsystem].preview(**settings), subsystem)
    before = {name: one["threshold"] for name, one in registered(subsystem).items()}
    assert {name: one["threshold"] for name, one in found.items()} == {**before, **moved}


@pytest.mark.parametrize("minutes", [1, 5, 60])
def test_what_no_sweep_can_end_rings_and_what_only_one_could_not_does_not(minutes: int) -> None:
    one = alarms(INGESTION.preview(manifests={"sweepMinutes": minutes}), INGEST)["unsettled-warning"]
    assert one["period"] >= 2 * minutes * 60, "the least of several sweeps"
    assert one["period"] % 60 == 0


NOT_SHOWN = {"polyphony-test-livestream-authorizer", "polyphony-test-livestream-transcript-windows"}


@every_subsystem
def test_the_dashboard_shows_every_table_and_function_but_two(subsystem: str) -> None:
    recorded = DEPLOYMENTS[subsystem].complete()
    widgets = json.loads(recorded.one("cloudwatch.Dashboard").inputs["dashboardBody"])["widgets"]
    shown = {value for widget in widgets for metric in widget["properties"]["metrics"] for value in metric[:-1]}
    names = {one.inputs["name"] for kind in ("lambda.Function", "dynamodb.Table") for one in recorded.all(kind)}
    assert names - shown == names & NOT_SHOWN

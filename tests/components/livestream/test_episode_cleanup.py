"""Tests of the cleanup function `care`: its queue of deletion events and its scheduled sweep.

The cleanup removes everything that belongs to a deleted episode. The sweep also ends tracks (the processing states of an
episode's video and transcript) that stayed in one state for too long.
"""

import json

from tests.components.deployment_harness import arn, variables
from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, changed_preview, deployed, previewed


def test_deletion_events_reach_the_function_through_a_queue_with_a_dead_letter_queue() -> None:
    rule = deployed().one("cloudwatch.EventRule", "episode-deleted").inputs
    assert json.loads(rule["eventPattern"]) == {
        "source": ["polyphony-test.livestream"],
        "detail-type": ["Episode Deleted"],
    }
    target = deployed().one("cloudwatch.EventTarget", "episode-deleted").inputs
    assert target["arn"] == arn("sqs", f"{PREFIX}-deletions")
    queue = deployed().one("sqs.Queue", "livestream-deletions-queue").inputs
    assert json.loads(queue["redrivePolicy"])["deadLetterTargetArn"].endswith(f"{PREFIX}-deletions-dlq")
    mapping = deployed().one("lambda.EventSourceMapping", "livestream-deletions").inputs
    assert mapping["functionName"] == arn("lambda", f"function:{PREFIX}-care:live")


def test_the_sweep_runs_every_fifteen_minutes() -> None:
    schedule = deployed().one("scheduler.Schedule", "care-sweep").inputs
    assert schedule["scheduleExpression"] == "rate(15 minutes)"
    assert json.loads(schedule["target"]["input"]) == {"kind": "sweep"}
    assert schedule["target"]["deadLetterConfig"]["arn"].endswith("care-sweep-dlq")


def test_the_time_of_a_sweep_follows_the_function_timeout_up_to_a_maximum() -> None:
    assert variables(changed_preview(), "care")["SWEEP_SECONDS"] == "80", "20 seconds before the timeout"
    assert variables(previewed(care={"timeoutSeconds": 900}), "care")["SWEEP_SECONDS"] == "840", "the maximum"


def test_the_function_reads_the_time_limits_of_track_states() -> None:
    environment = variables(changed_preview(), "care")
    assert (environment["TABLE_NAME"], environment["BUCKET_NAME"]) == (TABLE, BUCKET)
    assert (environment["REQUESTED_MINUTES"], environment["UPLOADED_MINUTES"]) == ("720", "120")
    assert (environment["CHUNKING_MINUTES"], environment["ANALYZING_MINUTES"]) == ("31", "360")
    assert environment["SUMMARY_NAMESPACE"] == "/summaries/{actorId}/{sessionId}/"

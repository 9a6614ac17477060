"""Tests of the video processing, which lets MediaConvert cut videos into chunks: rules, queue, function and role."""

import json
from typing import Any

import pytest

from tests.components.deployment_harness import arn, trust_statement, variables
from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, changed_preview, deployed

QUEUE = arn("sqs", f"{PREFIX}-videos")
RULES = ("video-created", "video-completed", "video-jobs")
ROLE = f"arn:aws:iam::123456789012:role/{PREFIX}-media-convert"


def pattern(rule: str) -> Any:
    return json.loads(deployed().one("cloudwatch.EventRule", rule).inputs["eventPattern"])


def test_the_rule_matches_uploaded_videos_but_not_chunks() -> None:
    assert pattern("video-created") == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "videos/"}]}},
    }


def test_the_other_rules_match_upload_events_of_this_stack_and_jobs_of_its_bucket() -> None:
    assert pattern("video-completed") == {
        "source": ["polyphony-test.livestream"],
        "detail-type": ["Video Upload Completed"],
    }
    assert pattern("video-jobs") == {
        "source": ["aws.mediaconvert"],
        "detail-type": ["MediaConvert Job State Change"],
        "detail": {
            "userMetadata": {"bucket": [BUCKET]},
            "status": ["PROGRESSING", "STATUS_UPDATE", "COMPLETE", "ERROR", "CANCELED"],
        },
    }


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_retries_and_has_a_dead_letter_queue(rule: str) -> None:
    target = deployed().one("cloudwatch.EventTarget", rule).inputs
    assert target["arn"] == QUEUE
    assert target["retryPolicy"]["maximumRetryAttempts"] == 8
    assert target["deadLetterConfig"]["arn"] == arn("sqs", f"{PREFIX}-{rule}-dlq")


def test_only_the_rules_may_send_to_the_queue() -> None:
    policy = json.loads(deployed().one("sqs.QueuePolicy", "livestream-videos-policy").inputs["policy"])
    allowed = [statement for statement in policy["Statement"] if statement["Effect"] == "Allow"]
    assert {statement["Principal"]["Service"] for statement in allowed} == {"events.amazonaws.com"}
    source_arns = {statement["Condition"]["ArnEquals"]["aws:SourceArn"] for statement in allowed}
    assert source_arns == {arn("events", f"rule/{PREFIX}-{rule}") for rule in RULES}


def test_each_invocation_handles_one_event_which_is_delivered_up_to_twenty_times() -> None:
    """If an invocation times out, only its own event is delivered again."""
    queue = deployed().one("sqs.Queue", "livestream-videos-queue").inputs
    assert json.loads(queue["redrivePolicy"])["maxReceiveCount"] == 20
    mapping = deployed().one("lambda.EventSourceMapping", "livestream-videos-source").inputs
    assert (mapping["batchSize"], mapping["functionResponseTypes"]) == (1, ["ReportBatchItemFailures"])


def test_the_function_reads_exactly_the_listed_variables() -> None:
    expected = {
        "TABLE_NAME": TABLE,
        "BUCKET_NAME": BUCKET,
        "EVENT_SOURCE": "polyphony-test.livestream",
        "MEDIACONVERT_ROLE_ARN": ROLE,
        "CHUNK_SECONDS": "120",
        "LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": "livestream",
    }
    assert variables(deployed(), "video-chunks") == expected
    assert variables(changed_preview(), "video-chunks")["CHUNK_SECONDS"] == "12"


def test_only_media_convert_in_this_account_may_assume_its_role() -> None:
    statement = trust_statement(deployed(), "media-convert")
    assert statement["Principal"] == {"Service": "mediaconvert.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": arn("mediaconvert", "*")},
    }


def test_this_stacks_events_are_archived_for_two_weeks() -> None:
    archive = deployed().one("cloudwatch.EventArchive").inputs
    assert json.loads(archive["eventPattern"]) == {"source": ["polyphony-test.livestream"]}
    assert archive["eventSourceArn"] == arn("events", "event-bus/default")
    assert archive["retentionDays"] == 14

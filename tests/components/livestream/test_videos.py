"""Videos: which events reach the queue, who may send to it, and what MediaConvert is let do."""

import json
from typing import Any

import pytest

from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, changed, complete, livestream
from tests.components.subsystem_tests import ACCOUNT, variables

QUEUE = f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-videos"
RULES = ("video-created", "video-completed", "video-jobs")
ROLE = f"arn:aws:iam::123456789012:role/{PREFIX}-media-convert"


def pattern(rule: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(complete().one("cloudwatch.EventRule", rule).inputs["eventPattern"])
    return found


def test_uploads_are_heard_and_what_media_convert_writes_is_not() -> None:
    assert pattern("video-created") == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": "videos/"}]}},
    }


def test_our_own_event_is_heard_by_its_name_to_the_letter() -> None:
    assert pattern("video-completed") == {
        "source": ["polyphony-test.livestream"],
        "detail-type": ["Video Upload Completed"],
    }


def test_jobs_are_heard_that_are_of_this_bucket() -> None:
    heard = pattern("video-jobs")
    assert (heard["source"], heard["detail-type"]) == (["aws.mediaconvert"], ["MediaConvert Job State Change"])
    assert heard["detail"]["userMetadata"] == {"bucket": [BUCKET]}
    assert {"COMPLETE", "ERROR", "PROGRESSING"} <= set(heard["detail"]["status"])


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_retries_and_parks_what_it_cannot_deliver(rule: str) -> None:
    target = complete().one("cloudwatch.EventTarget", rule).inputs
    assert target["arn"] == QUEUE
    assert target["retryPolicy"]["maximumRetryAttempts"] == 8
    assert target["deadLetterConfig"]["arn"] == f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-{rule}-dlq"


def test_the_queue_takes_from_the_rules_and_from_nobody_else() -> None:
    policy = json.loads(complete().one("sqs.QueuePolicy", "livestream-videos-policy").inputs["policy"])
    allowed = [one for one in policy["Statement"] if one["Effect"] == "Allow"]
    assert {one["Principal"]["Service"] for one in allowed} == {"events.amazonaws.com"}
    named = {one["Condition"]["ArnEquals"]["aws:SourceArn"] for one in allowed}
    assert named == {f"arn:aws:events:{ACCOUNT}:rule/{PREFIX}-{rule}" for rule in RULES}


def test_an_event_is_delivered_often_enough_for_a_busy_media_convert() -> None:
    queue = complete().one("sqs.Queue", "livestream-videos-queue").inputs
    assert json.loads(queue["redrivePolicy"])["maxReceiveCount"] == 20


def test_each_event_has_a_call_of_its_own_so_that_one_cut_off_repeats_no_other() -> None:
    source = complete().one("lambda.EventSourceMapping", "livestream-videos-source").inputs
    assert (source["batchSize"], source["functionResponseTypes"]) == (1, ["ReportBatchItemFailures"])


def test_the_function_reads_what_is_listed_here() -> None:
    expected = {
        "TABLE_NAME": TABLE,
        "BUCKET_NAME": BUCKET,
        "EVENT_SOURCE": "polyphony-test.livestream",
        "MEDIACONVERT_ROLE_ARN": ROLE,
        "CHUNK_SECONDS": "120",
        "MAX_HOURS": "11",
        "LOG_LEVEL": "INFO",
        "POWERTOOLS_SERVICE_NAME": "livestream",
    }
    assert variables(complete(), "video-chunks") == expected
    told = variables(changed(), "video-chunks")
    assert (told["CHUNK_SECONDS"], told["MAX_HOURS"]) == ("12", "8")
    assert "MAX_HOURS" not in variables(livestream(video={"maxHours": None}), "video-chunks")


def test_media_convert_alone_takes_its_role_and_for_this_account() -> None:
    [statement] = json.loads(complete().one("iam.Role", "media-convert").inputs["assumeRolePolicy"])["Statement"]
    assert statement["Principal"] == {"Service": "mediaconvert.amazonaws.com"}
    assert statement["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "123456789012"},
        "ArnLike": {"aws:SourceArn": f"arn:aws:mediaconvert:{ACCOUNT}:*"},
    }


def test_our_own_events_can_be_replayed_for_two_weeks() -> None:
    archive = complete().one("cloudwatch.EventArchive").inputs
    assert json.loads(archive["eventPattern"]) == {"source": ["polyphony-test.livestream"]}
    assert archive["retentionDays"] == 14

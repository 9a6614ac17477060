"""Tests of the meetings backend: lifecycle, upload events, variables and sizes of functions, and frontend outputs.

The function `start` receives the events of uploads. It starts the workflow, which calls `steps` and `bedrock-summarize`.
"""

import json
from typing import Any

from tests.components.deployment_harness import arn, variables
from tests.components.deployments import MEETINGS
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    HAIKU,
    KEY,
    PAGE,
    PREFIX,
    TABLE,
    changed_deployment,
    deployed,
)
from tests.fake_engine import Recorded

SONNET = "us.anthropic.claude-sonnet-5-5"


def lifecycle_actions(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """Return the actions of the bucket's lifecycle rules by key prefix."""
    rules = recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]
    names = {"id", "status", "filter"}
    return {rule["filter"]["prefix"]: {key: rule[key] for key in rule if key not in names} for rule in rules}


def test_each_kind_of_object_has_its_lifecycle() -> None:
    """Uploads and intermediate objects expire after a week, and audio after a month. Videos use
    Intelligent-Tiering and are never archived.
    """

    def expiring(days: int, old_days: int = 1) -> dict[str, Any]:
        return {"expiration": {"days": days}, "noncurrentVersionExpiration": {"noncurrentDays": old_days}}

    unlimited = {"noncurrentVersionExpiration": {"noncurrentDays": 1}}
    assert lifecycle_actions(deployed()) == {
        "": {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}},
        "raw/": expiring(7),
        "audio/": expiring(30),
        "work/": expiring(7),
        "video/": {**unlimited, "transitions": [{"storageClass": "INTELLIGENT_TIERING", "days": 0}]},
        "transcripts/": unlimited,
        "summaries/": unlimited,
    }
    changed_actions = lifecycle_actions(changed_deployment())
    assert {prefix: actions for prefix, actions in changed_actions.items() if "expiration" in actions} == {
        "raw/": expiring(3, 6),
        "audio/": expiring(5, 6),
        "work/": expiring(3, 6),
    }


def test_the_partition_key_is_the_user_and_an_index_sorts_by_date() -> None:
    table = deployed().one("dynamodb.Table").inputs
    assert (table["name"], table["hashKey"], table["rangeKey"]) == (TABLE, "user", "meetingId")
    [index] = table["globalSecondaryIndexes"]
    keys = {key["keyType"]: key["attributeName"] for key in index["keySchemas"]}
    assert (index["name"], index["projectionType"], keys) == ("GSI-1", "ALL", {"HASH": "user", "RANGE": "startedAt"})


def test_the_encryption_key_of_the_table_is_a_setting() -> None:
    default, changed = (recorded.one("dynamodb.Table").inputs for recorded in (deployed(), changed_deployment()))
    assert default["serverSideEncryption"] == {"enabled": False}, "DynamoDB then encrypts with its own key"
    assert changed["serverSideEncryption"] == {"enabled": True, "kmsKeyArn": KEY}


def test_only_events_of_uploads_reach_the_queue() -> None:
    pattern = json.loads(deployed().one("cloudwatch.EventRule", "recording-uploaded").inputs["eventPattern"])
    assert pattern["detail"] == {"bucket": {"name": [BUCKET]}, "object": {"key": [{"wildcard": "raw/*/complete.json"}]}}
    target = deployed().one("cloudwatch.EventTarget", "recording-uploaded").inputs
    assert target["arn"] == arn("sqs", f"{PREFIX}-uploads")
    assert deployed().one("s3.BucketNotification").inputs["eventbridge"] is True


def test_a_deletion_that_times_out_does_not_delay_another_one() -> None:
    sources = [source.inputs for source in deployed().all("lambda.EventSourceMapping")]
    assert {
        (item["eventSourceArn"], item["functionName"], item["batchSize"], item["scalingConfig"]["maximumConcurrency"])
        for item in sources
    } == {
        (arn("sqs", f"{PREFIX}-uploads"), arn("lambda", f"function:{PREFIX}-start:live"), 10, 5),
        (arn("sqs", f"{PREFIX}-deletions"), arn("lambda", f"function:{PREFIX}-meeting-cleanup:live"), 1, 5),
    }


def test_settings_reach_the_functions_that_read_them() -> None:
    summarize, exchange, storage = (
        variables(changed_deployment(), name)
        for name in ("bedrock-summarize", "auth-exchange", "meetings-storage-function")
    )
    models = {"SUMMARY_MODEL_ID": SONNET, "ACTION_MODEL_ID": SONNET}
    assert models.items() <= variables(deployed(), "bedrock-summarize").items(), "no cheaper model by default"
    assert {**models, "ACTION_MODEL_ID": HAIKU, "ANSWER_SECONDS": "99"}.items() <= summarize.items()
    assert exchange["ORIGIN"] == PAGE
    assert storage["MAX_USERS"] == "13"


def test_each_function_has_its_memory_and_timeout() -> None:
    functions = [function.inputs for function in deployed().all("lambda.Function")]
    sizes = {item["name"].removeprefix(f"{PREFIX}-"): (item["memorySize"], item["timeout"]) for item in functions}
    assert sizes == {
        "auth-exchange": (1024, 15),
        "start": (1024, 60),
        "meeting-cleanup": (512, 300),
        "steps": (512, 60),
        "bedrock-summarize": (1024, 900),
        "storage": (512, 300),
    }


def test_the_storage_is_counted_daily() -> None:
    schedule = deployed().one("scheduler.Schedule").inputs
    assert (schedule["scheduleExpression"], schedule["scheduleExpressionTimezone"]) == ("cron(0 2 * * ? *)", "UTC")


def test_pages_of_the_origin_may_use_the_bucket_and_the_api_within_its_rate_limit() -> None:
    [rule] = changed_deployment().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == ([PAGE], ["GET", "PUT", "HEAD"])
    assert rule["exposeHeaders"] == ["ETag"], "a page needs the ETags to complete its upload"
    settings = changed_deployment().one("apigateway.MethodSettings").inputs["settings"]
    assert (settings["throttlingRateLimit"], settings["throttlingBurstLimit"]) == (16, 32)


def test_invalid_bodies_reach_the_function_whose_errors_name_the_field() -> None:
    document = json.loads(deployed().one("apigateway.RestApi").inputs["body"])
    [validator] = document["x-amazon-apigateway-request-validators"].values()
    assert validator["validateRequestBody"] is False


def test_the_client_role_is_created_after_the_role_that_may_assume_it() -> None:
    earlier = {ancestor.name for ancestor in deployed().ancestors(deployed().one("iam.Role", "meetings-client"))}
    assert "meetings-auth-exchange-role" in earlier


LOAD: dict[str, float] = {"meetingsPerMonth": 6_000, "encodedShare": 0.5}
"""A hundred times the default load."""


def test_the_monthly_cost_follows_from_the_load_and_the_settings() -> None:
    """A change of a formula, an assumption or a price changes an amount."""
    assert MEETINGS.monthly_cost(LOAD) == 3_674.71
    assert MEETINGS.monthly_cost({"meetingsPerMonth": 1, "hoursEach": 0.1}) == 3.32
    assert MEETINGS.monthly_cost(LOAD, processing={"engine": "fargate", "pollSeconds": 5}) == 3_756.87
    long_meetings = {"meetingsPerMonth": 6_000, "hoursEach": 2}
    assert MEETINGS.monthly_cost(long_meetings, models={"actionItems": HAIKU}) == 6_702.42

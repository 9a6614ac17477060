"""Tests of the meetings backend: table, bucket, functions, upload events and frontend outputs.

The function `start` receives the events of uploads. It starts the workflow, which calls `steps` and `bedrock-summarize`.
"""

import json
from typing import Any

import pytest

from handlers.meetings.s3_keys import RAW
from tests.components.deployment_harness import arn, variables
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    HAIKU,
    KEY,
    MEETINGS,
    PREFIX,
    TABLE,
    changed_preview,
    deployed,
    previewed,
)
from tests.fake_engine import Engine, Recorded

WORKFLOW = arn("states", f"stateMachine:{PREFIX}-workflow")


def lifecycle_actions(recorded: Recorded) -> dict[str, dict[str, Any]]:
    """Return the actions of the bucket's lifecycle rules by key prefix."""
    actions = {}
    for rule in recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]:
        assert rule["status"] == "Enabled"
        prefix = rule["filter"]["prefix"]
        actions[prefix] = {name: value for name, value in rule.items() if name not in {"id", "status", "filter"}}
    return actions


def table(recorded: Recorded) -> dict[str, Any]:
    return recorded.one("dynamodb.Table").inputs


def test_each_kind_of_object_has_its_lifecycle() -> None:
    """Uploads expire after a week, intermediate objects a day later, and audio after a month. Videos use
    Intelligent-Tiering and are never archived.
    """

    def expiring(days: int, old_days: int = 1) -> dict[str, Any]:
        return {"expiration": {"days": days}, "noncurrentVersionExpiration": {"noncurrentDays": old_days}}

    unlimited = {"noncurrentVersionExpiration": {"noncurrentDays": 1}}
    assert lifecycle_actions(deployed()) == {
        "": {"abortIncompleteMultipartUpload": {"daysAfterInitiation": 1}},
        "raw/": expiring(7),
        "audio/": expiring(30),
        "work/": expiring(8),
        "video/": {**unlimited, "transitions": [{"storageClass": "INTELLIGENT_TIERING", "days": 0}]},
        "transcripts/": unlimited,
        "summaries/": unlimited,
    }
    changed_actions = lifecycle_actions(changed_preview())
    assert {prefix: actions for prefix, actions in changed_actions.items() if "expiration" in actions} == {
        "raw/": expiring(3, 6),
        "audio/": expiring(5, 6),
        "work/": expiring(4, 6),
    }
    assert deployed().one("s3.BucketVersioning").inputs["versioningConfiguration"]["status"] == "Enabled"


def test_no_upload_may_name_a_kms_key() -> None:
    _, deny = json.loads(previewed().one("s3.BucketPolicy", "recordings").inputs["policy"])["Statement"]
    assert (deny["Sid"], deny["Resource"]) == ("NoNamedKmsKey", f"arn:aws:s3:::{BUCKET}/{RAW}*")


def test_the_partition_key_is_the_user_and_an_index_sorts_by_date() -> None:
    table_inputs = table(deployed())
    assert (table_inputs["name"], table_inputs["hashKey"], table_inputs["rangeKey"]) == (TABLE, "user", "meetingId")
    assert table_inputs["billingMode"] == "PAY_PER_REQUEST"
    [index] = table_inputs["globalSecondaryIndexes"]
    keys = {key["keyType"]: key["attributeName"] for key in index["keySchemas"]}
    assert (index["name"], index["projectionType"]) == ("GSI-1", "ALL")
    assert keys == {"HASH": "user", "RANGE": "startedAt"}
    assert {attribute["name"] for attribute in table_inputs["attributes"]} == {"user", "meetingId", "startedAt"}


def test_the_table_is_backed_up_and_its_encryption_key_is_a_setting() -> None:
    assert table(deployed())["tags"]["Backup"] == "polyphony-test-daily"
    assert table(deployed())["serverSideEncryption"] == {"enabled": False}, "the default key of DynamoDB is free"
    assert table(changed_preview())["serverSideEncryption"] == {"enabled": True, "kmsKeyArn": KEY}


def test_only_events_of_uploads_reach_the_queue() -> None:
    pattern = json.loads(deployed().one("cloudwatch.EventRule", "recording-uploaded").inputs["eventPattern"])
    assert (pattern["source"], pattern["detail-type"]) == (["aws.s3"], ["Object Created"])
    assert pattern["detail"] == {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": RAW}]}}
    target = deployed().one("cloudwatch.EventTarget", "recording-uploaded").inputs
    assert target["arn"] == arn("sqs", f"{PREFIX}-uploads")
    assert deployed().one("s3.BucketNotification").inputs["eventbridge"] is True


def test_upload_events_arrive_in_small_batches_and_each_failed_message_is_reported() -> None:
    source = deployed().one("lambda.EventSourceMapping").inputs
    assert source["functionName"] == arn("lambda", f"function:{PREFIX}-start:live")
    assert (source["batchSize"], source["functionResponseTypes"]) == (10, ["ReportBatchItemFailures"])
    assert source["scalingConfig"] == {"maximumConcurrency": 5}
    queue = deployed().one("sqs.Queue", "meetings-uploads-queue").inputs
    assert queue["visibilityTimeoutSeconds"] >= 6 * 60
    assert json.loads(queue["redrivePolicy"])["deadLetterTargetArn"].endswith(f"{PREFIX}-uploads-dlq")


STORAGE_VARIABLES = {"TABLE_NAME": TABLE, "BUCKET_NAME": BUCKET}
COMMON_VARIABLES = {"LOG_LEVEL": "INFO", "POWERTOOLS_SERVICE_NAME": "meetings"}
SONNET = "us.anthropic.claude-sonnet-5-5"
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "start": {**STORAGE_VARIABLES, "STATE_MACHINE_ARN": WORKFLOW},
    "steps": {**STORAGE_VARIABLES, "STATE_MACHINE_ARN": WORKFLOW, "STACK": "polyphony-test"},
    "bedrock-summarize": {
        "BUCKET_NAME": BUCKET,
        "STACK": "polyphony-test",
        "SUMMARY_MODEL_ID": SONNET,
        "ACTION_MODEL_ID": SONNET,
        "MAX_OUTPUT_TOKENS": "5200",
        "ANSWER_SECONDS": "180",
        "PART_CHARACTERS": "100000",
        "OVERLAP_CHARACTERS": "2000",
        "AT_ONCE": "3",
    },
}


@pytest.mark.parametrize("function", ENVIRONMENTS)
def test_every_function_has_exactly_these_variables(function: str) -> None:
    for recorded in (deployed(), previewed()):
        assert variables(recorded, f"meetings-{function}-function") == {**ENVIRONMENTS[function], **COMMON_VARIABLES}


def test_the_models_and_their_answer_time_are_settings() -> None:
    environment = variables(changed_preview(), "bedrock-summarize")
    assert (environment["SUMMARY_MODEL_ID"], environment["ACTION_MODEL_ID"]) == (SONNET, HAIKU)
    assert environment["ANSWER_SECONDS"] == "99"


def test_each_function_has_its_memory_and_timeout() -> None:
    functions = [function.inputs for function in deployed().all("lambda.Function")]
    sizes = {item["name"].removeprefix(f"{PREFIX}-"): (item["memorySize"], item["timeout"]) for item in functions}
    assert sizes == {
        "auth-exchange": (1024, 15),
        "start": (1024, 60),
        "steps": (512, 60),
        "bedrock-summarize": (1024, 900),
        "storage": (512, 300),
    }


def test_the_frontend_outputs_name_the_meetings_resources() -> None:
    outputs: dict[str, Any] = {}

    def program() -> None:
        outputs.update(MEETINGS.program(kept={"rawDays": 5})().frontend)

    Engine().run(program)
    assert {name: value for name, value in outputs.items() if name != "api_url"} == {
        "bucket": BUCKET,
        "table": TABLE,
        "index": "GSI-1",
        "credential_seconds": 3600,
        "raw_days": 5,
        "routes": ["POST /exchange"],
    }
    assert "api_url" in outputs

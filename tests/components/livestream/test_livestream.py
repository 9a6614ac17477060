"""Tests of the livestream backend's resources: functions, rules and queues, table, bucket, API, and the agent's memory.

The function `episodes` serves the API, and the function `authorizer` verifies the tokens of its callers. The other
functions process uploads and deletions.
"""

import json
from typing import Any

import pytest

from components.settings.livestream import AuthorizerKind
from local.property_values import Secret
from tests.components.deployment_harness import arn, rest_document, variables
from tests.components.deployments import LIVESTREAM, SECRET
from tests.fake_engine import Recorded

PREFIX, deployed = LIVESTREAM.prefix, LIVESTREAM.deployed
BUCKET = f"{PREFIX}-transcripts-123456789012"
SOURCE = "polyphony-test.livestream"
VARIABLES = {
    "episodes": {"ORIGIN", "TABLE_NAME", "BUCKET_NAME", "ENCRYPTION_KEY"},
    "video-chunks": {"MEDIACONVERT_ROLE_ARN", "CHUNK_SECONDS"},
    "fact-check-agent": {"MEMORY_ID", "MODEL_ID"},
}
"""Variables of the requirements. The flows on the local platform use the values of all variables."""
CHANGED_SETTINGS: dict[str, dict[str, Any]] = {
    "uploads": {"multipartMegabytes": 11, "maxVideoGigabytes": 5, "maxTranscriptMegabytes": 4, "objectDays": 3},
    "api": {"corsOrigin": "https://app.example.com", "requestsPerSecond": 7},
    "agent": {"memoryDays": 30, "windowCharacters": 2_000, "answerSeconds": 66, "atOnce": 6},
    "video": {"chunkSeconds": 12},
}
"""Settings in which no two numbers are equal, so that a number in the resources identifies its setting."""
CHANGED_VARIABLES: dict[str, dict[str, str]] = {
    "episodes": {
        "ORIGIN": "https://app.example.com",
        "MULTIPART_MEGABYTES": "11",
        "MAX_VIDEO_GIGABYTES": "5",
        "MAX_TRANSCRIPT_MEGABYTES": "4",
    },
    "video-chunks": {"CHUNK_SECONDS": "12"},
    "transcript-windows": {"WINDOW_CHARACTERS": "2000"},
    "fact-check-agent": {"ANSWER_SECONDS": "66"},
}


def changed_deployment() -> Recorded:
    return deployed(**CHANGED_SETTINGS)


def test_each_function_reads_the_listed_variables() -> None:
    for function, names in VARIABLES.items():
        assert names <= variables(deployed(), f"livestream-{function}-function").keys()
    assert variables(deployed(), "video-chunks")["CHUNK_SECONDS"] == "120"


def test_the_settings_reach_the_functions_that_read_them() -> None:
    for function, expected in CHANGED_VARIABLES.items():
        assert variables(changed_deployment(), f"livestream-{function}-function").items() >= expected.items(), function


def test_each_function_has_its_memory_and_timeout() -> None:
    functions = [function.inputs for function in deployed().all("lambda.Function")]
    sizes = {item["name"].removeprefix(f"{PREFIX}-"): (item["memorySize"], item["timeout"]) for item in functions}
    assert sizes == {
        "authorizer": (512, 10),
        "fact-check-agent": (1024, 2 * 65 + 20),
        **dict.fromkeys(("episodes", "video-chunks"), (1024, 25)),
        **dict.fromkeys(("transcript-windows", "episode-cleanup"), (1024, 60)),
    }
    assert {(*item["architectures"], item["tracingConfig"]["mode"]) for item in functions} == {("arm64", "Active")}


def test_only_the_ssm_parameter_contains_the_encryption_key() -> None:
    assert {item.kind for item in deployed().graph if SECRET in str(item.request)} == {"Parameter"}
    parameter = deployed().one("ssm.Parameter").inputs
    assert (parameter["type"], parameter["value"]) == ("SecureString", Secret(SECRET))


def object_created(prefix: str) -> dict[str, Any]:
    detail = {"bucket": {"name": [BUCKET]}, "object": {"key": [{"prefix": prefix}]}}
    return {"source": ["aws.s3"], "detail-type": ["Object Created"], "detail": detail}


RULES: dict[str, tuple[str, dict[str, Any]]] = {
    "video-created": ("videos", object_created("videos/")),
    "video-completed": ("videos", {"source": [SOURCE], "detail-type": ["Video Upload Completed"]}),
    "video-jobs": (
        "videos",
        {
            "source": ["aws.mediaconvert"],
            "detail-type": ["MediaConvert Job State Change"],
            "detail": {
                "userMetadata": {"bucket": [BUCKET]},
                "status": ["PROGRESSING", "COMPLETE", "ERROR", "CANCELED"],
            },
        },
    ),
    "transcript-created": ("transcript-events", object_created("transcripts/")),
}
"""Queue and event pattern of each rule. No pattern matches the chunks that MediaConvert writes."""


@pytest.mark.parametrize("rule", RULES)
def test_each_rule_sends_its_events_to_its_queue(rule: str) -> None:
    queue, pattern = RULES[rule]
    assert json.loads(deployed().one("cloudwatch.EventRule", rule).inputs["eventPattern"]) == pattern
    target = deployed().one("cloudwatch.EventTarget", rule).inputs
    assert target["arn"] == arn("sqs", f"{PREFIX}-{queue}")
    policy = deployed().one("sqs.QueuePolicy", f"livestream-{queue}-policy").inputs["policy"]
    assert arn("events", f"rule/{PREFIX}-{rule}") in policy, "the queue admits the rule"


def test_each_invocation_handles_one_message() -> None:
    """If an invocation times out, only its own message is delivered again: a video event up to twenty times."""
    sources = [item.inputs for item in deployed().all("lambda.EventSourceMapping")]
    names = ("functionName", "eventSourceArn")
    assert {tuple(item[name].rpartition(f"{PREFIX}-")[2] for name in names) for item in sources} == {
        ("video-chunks:live", "videos"),
        ("transcript-windows:live", "transcript-events"),
        ("fact-check-agent:live", "agent-windows"),
        ("episode-cleanup:live", "deletions"),
    }
    assert {(item["batchSize"], item["scalingConfig"]["maximumConcurrency"]) for item in sources} == {(1, 5)}
    changed = changed_deployment().one("lambda.EventSourceMapping", "agent-windows").inputs
    assert changed["scalingConfig"] == {"maximumConcurrency": 6}
    earlier = {ancestor.name for ancestor in deployed().ancestors(deployed().one("lambda.Function", "video-chunks"))}
    assert "livestream-media-convert-grants" in earlier, "the function passes the role with its first call"
    videos = deployed().one("sqs.Queue", "livestream-videos-queue").inputs
    assert json.loads(videos["redrivePolicy"])["maxReceiveCount"] == 20


def test_log_lines_of_failed_videos_and_windows_raise_alarms() -> None:
    filters = [item.inputs for item in deployed().all("cloudwatch.LogMetricFilter")]
    patterns = {(item["logGroupName"].rpartition(f"{PREFIX}-")[2], item["pattern"]) for item in filters}
    assert patterns >= {
        ("video-chunks", '{ $.message = "video_failed" }'),
        ("fact-check-agent", '{ $.message = "window_failed" }'),
    }


def test_this_stacks_events_are_archived_for_two_weeks() -> None:
    archive = deployed().one("cloudwatch.EventArchive").inputs
    assert (json.loads(archive["eventPattern"]), archive["retentionDays"]) == ({"source": [SOURCE]}, 14)


def test_the_memory_has_the_required_name_retention_and_strategies() -> None:
    for recorded, days in ((deployed(), 90), (changed_deployment(), 30)):
        memory = recorded.one("bedrock.AgentcoreMemory").inputs
        assert (memory["name"], memory["eventExpiryDuration"]) == ("polyphony_test_clipAgentMemory", days)
    facts, summaries = deployed().all("bedrock.AgentcoreMemoryStrategy")
    assert (facts.inputs["type"], summaries.inputs["type"]) == ("SEMANTIC", "SUMMARIZATION")
    assert facts.inputs["namespaceTemplates"] == ["/facts/{actorId}/{sessionId}/"]
    assert summaries.inputs["namespaceTemplates"] == ["/summaries/{actorId}/{sessionId}/"]
    assert summaries in list(deployed().ancestors(facts)), "AgentCore refuses concurrent updates of one memory"


def test_the_table_has_the_required_keys_indexes_and_ttl() -> None:
    table = deployed().one("dynamodb.Table").inputs
    assert (table["hashKey"], table["rangeKey"], table["ttl"]["attributeName"]) == ("pk", "sk", "ttl")
    assert (table["tags"]["Name"], table["billingMode"]) == ("NullCheckTable", "PAY_PER_REQUEST")
    [index] = table["globalSecondaryIndexes"]
    keys = [key["attributeName"] for key in index["keySchemas"]]
    assert (index["name"], keys) == ("GSI1", ["GSI1PK", "GSI1SK"])


def test_objects_expire_after_seven_days_and_old_versions_a_day_later() -> None:
    for recorded, days in ((deployed(), 7), (changed_deployment(), 3)):
        _, rule = recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]
        assert rule["filter"] == {"prefix": ""}
        assert (rule["expiration"], rule["noncurrentVersionExpiration"]) == ({"days": days}, {"noncurrentDays": 1})


def test_the_bucket_sends_events_to_eventbridge_and_allows_the_origin_by_cors() -> None:
    assert deployed().one("s3.BucketNotification").inputs["eventbridge"] is True
    assert deployed().one("s3.BucketVersioning").inputs["versioningConfiguration"] == {"status": "Enabled"}
    [rule] = changed_deployment().one("s3.BucketCorsConfiguration").inputs["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com"]
    assert rule["exposeHeaders"] == ["ETag"], "a page needs the ETags to complete its upload"


def test_the_stage_is_throttled_measured_traced_and_logs_errors() -> None:
    for recorded, rate in ((deployed(), 50), (changed_deployment(), 7)):
        stage, settings = recorded.one("apigateway.Stage").inputs, recorded.one("apigateway.MethodSettings").inputs
        assert (stage["stageName"], stage["xrayTracingEnabled"]) == ("api", True)
        assert (settings["stageName"], settings["methodPath"]) == ("api", "*/*")
        assert settings["settings"] == {
            "metricsEnabled": True,
            "loggingLevel": "ERROR",
            "dataTraceEnabled": False,
            "throttlingRateLimit": rate,
            "throttlingBurstLimit": 2 * rate,
        }


def test_the_gateway_validates_all_requests_and_allows_the_origin() -> None:
    for recorded, origin in ((deployed(), "*"), (changed_deployment(), "https://app.example.com")):
        document = rest_document(recorded)
        [validator] = document["x-amazon-apigateway-request-validators"].values()
        assert validator == {"validateRequestBody": True, "validateRequestParameters": True}
        for response in document["x-amazon-apigateway-gateway-responses"].values():
            header = response["responseParameters"]["gatewayresponse.header.Access-Control-Allow-Origin"]
            assert header == f"'{origin}'"


def test_a_setting_selects_the_authorizer_of_the_api() -> None:
    def schemes(**api: str) -> dict[str, Any]:
        return rest_document(deployed(api=api))["components"]["securitySchemes"]  # type: ignore[no-any-return]

    assert schemes(authorizer=AuthorizerKind.NONE) == {}
    [scheme] = schemes().values()
    assert scheme["x-amazon-apigateway-authorizer"]["authorizerResultTtlInSeconds"] == 60


LOAD: dict[str, float] = {"episodesPerDay": 400}
"""A hundred times the default load."""


def test_the_monthly_cost_follows_from_the_load_and_the_settings() -> None:
    """A change of a formula, an assumption or a price changes an amount."""
    assert LIVESTREAM.monthly_cost(LOAD) == 7_373.31
    assert LIVESTREAM.monthly_cost({"episodesPerDay": 1, "videoMinutes": 0.1}) == 33.71
    agent, uploads, video = {"windowCharacters": 50_000}, {"objectDays": 7}, {"chunkSeconds": 30}
    assert LIVESTREAM.monthly_cost(LOAD, agent=agent, uploads=uploads, video=video) == 7_106.69
    assert LIVESTREAM.monthly_cost(LOAD, episodes={"provisionedConcurrency": 2}) == 7_390.03
    assert LIVESTREAM.monthly_cost(LOAD, episodes={"snapStart": True}) == 7_382.30

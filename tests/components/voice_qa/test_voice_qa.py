"""Tests of voice Q&A's resources: functions, queues, bucket, table, API, guest credentials, and the frontend output.

`websocket-handler` receives the messages of guests, who are browser users without a login. `query-worker` lets the agent
answer a question, and `validate-lecture` checks the recordings (lectures) that guests ask about.
"""

import json
from typing import Any

import pulumi
import pytest
from pydantic import TypeAdapter

from components.frontend_output import build_frontend
from handlers.voice_qa import s3_prefixes
from handlers.voice_qa.environment import AnswerSeconds
from handlers.voice_qa.table_records import CHECK_GRACE_SECONDS
from handlers.voice_qa.websocket_messages import REQUESTS
from local.preview import program_run
from local.preview.preview_provider import PreviewProvider
from local.preview.property_value_conversion import UNKNOWN
from local.preview.stack_files import StackConfig
from tests.components.deployment_harness import IDENTITY_POOL_ID, arn, variables
from tests.components.voice_qa.recorded_deployment import (
    BUCKET,
    CALLBACK,
    ENDPOINT,
    GUEST_ID_KEY,
    HANDLER,
    PREFIX,
    RUNTIME,
    TABLE,
    VALIDATOR,
    VOICE_QA,
    WORKER,
    changed_preview,
    deployed,
    deployed_with_bedrock_agent,
    previewed,
)
from tests.fake_engine import Recorded

QUEUES = arn("sqs", f"{PREFIX}")
COMMON_VARIABLES = {
    "S3_BUCKET": BUCKET,
    "DYNAMODB_TABLE": TABLE,
    "LOG_LEVEL": "INFO",
    "POWERTOOLS_SERVICE_NAME": "voice-qa",
}
"""Environment variables of all functions."""
CALLBACK_VARIABLE = "AWS_ENDPOINT_URL_APIGATEWAYMANAGEMENTAPI"
MAX_DELAY_SECONDS = 900
"""Maximum delay of an SQS message."""
ENVIRONMENTS: dict[str, dict[str, str]] = {
    "websocket-handler": {
        **COMMON_VARIABLES,
        "WORKER": f"{WORKER}:live",
        "IDENTITY_POOL": IDENTITY_POOL_ID,
        "GUEST_ID_KEY": f"/{PREFIX}-guest-ids",
        "GUEST_ID_KEY_VERSION": "3",
        "LECTURE_UPLOADS": "off",
        "SESSION_DAYS": "7",
        "URL_SECONDS": "3600",
        "ACCELERATED": "false",
        "MAX_QUERY_BYTES": "10000000",
        "MAX_LECTURE_BYTES": "2000000000",
        "LECTURES_PER_DAY": "20",
        "QUERIES_AT_ONCE": "2",
        "QUERIES_PER_HOUR": "60",
        "ANSWER_SECONDS": "600.0",
        "TIME_LIMIT_QUEUE": f"https://sqs.us-east-1.amazonaws.com/123456789012/{PREFIX}-time-limits",
        CALLBACK_VARIABLE: CALLBACK,
    },
    "query-worker": {
        **COMMON_VARIABLES,
        "AGENTCORE_ENDPOINT": ENDPOINT,
        "AGENTCORE_QUALIFIER": "DEFAULT",
        "SESSION_DAYS": "7",
        "MAX_QUERY_BYTES": "10000000",
        "CONNECT_SECONDS": "2.0",
        "FIRST_BYTE_SECONDS": "10.0",
        "SILENCE_SECONDS": "20.0",
        "ANSWER_SECONDS": "600.0",
        CALLBACK_VARIABLE: CALLBACK,
    },
    "validate-lecture": {
        **COMMON_VARIABLES,
        "LECTURE_MIN_SECONDS": "10",
        "LECTURE_MAX_SECONDS": "14400",
        "LECTURE_MAX_BYTES": "2000000000",
        "LECTURE_FORMATS": "mp3,mp4,wav,flac,ogg,webm",
        CALLBACK_VARIABLE: CALLBACK,
    },
}


@pytest.mark.parametrize(
    ("function", "unknown_in_preview"),
    [
        ("websocket-handler", {"IDENTITY_POOL", "GUEST_ID_KEY_VERSION", "TIME_LIMIT_QUEUE", CALLBACK_VARIABLE}),
        ("query-worker", {CALLBACK_VARIABLE}),
        ("validate-lecture", {CALLBACK_VARIABLE}),
    ],
)
def test_each_function_reads_the_listed_variables(function: str, unknown_in_preview: set[str]) -> None:
    """Only ids that AWS generates are unknown in a preview."""
    assert variables(deployed(), function) == ENVIRONMENTS[function]
    assert variables(previewed(), function) == ENVIRONMENTS[function] | dict.fromkeys(unknown_in_preview, UNKNOWN)


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (
            "websocket-handler",
            {
                "LECTURE_UPLOADS": "guests",
                "MAX_LECTURE_BYTES": "1500000000",
                "ACCELERATED": "true",
                "SESSION_DAYS": "6",
                "QUERIES_AT_ONCE": "4",
                "QUERIES_PER_HOUR": "5",
                "URL_SECONDS": "61",
                "LECTURES_PER_DAY": "8",
                "ANSWER_SECONDS": "50.0",
            },
        ),
        (
            "query-worker",
            {"SESSION_DAYS": "6", "AGENTCORE_ENDPOINT": "http://10.0.0.5:5000/v1", "ANSWER_SECONDS": "50.0"},
        ),
        ("validate-lecture", {"LECTURE_MAX_BYTES": "1500000000"}),
    ],
)
def test_each_changed_setting_changes_only_its_variables(function: str, expected: dict[str, str]) -> None:
    default, changed = variables(previewed(), function), variables(changed_preview(), function)
    assert {name: changed[name] for name in changed if changed[name] != default[name]} == expected
    assert set(changed) == set(default)


def test_a_worker_with_an_agent_in_agentcore_runtime_has_no_endpoint() -> None:
    environment = variables(deployed_with_bedrock_agent(), "query-worker")
    assert (environment["AGENTCORE_RUNTIME_ARN"], environment["AGENTCORE_QUALIFIER"]) == (RUNTIME, "spring")
    assert "AGENTCORE_ENDPOINT" not in environment
    both = {"endpoint": ENDPOINT, "mode": "bedrock", "runtimeArn": RUNTIME}
    assert "AGENTCORE_ENDPOINT" not in variables(previewed(agentcore=both), "query-worker")


def test_a_runtime_that_the_mode_does_not_use_is_neither_configured_nor_permitted() -> None:
    recorded = previewed(agentcore={"endpoint": ENDPOINT, "runtimeArn": RUNTIME})
    assert "AGENTCORE_RUNTIME_ARN" not in variables(recorded, "query-worker")
    assert not [policy for policy in recorded.all("iam.RolePolicy") if "bedrock" in str(policy.inputs["policy"])]


@pytest.mark.parametrize(
    ("function", "handler", "seconds"),
    [
        ("websocket-handler", "handlers.voice_qa.websocket_handler.handler.handler", 29),
        ("query-worker", "handlers.voice_qa.query_worker.handler.handler", 900),
        ("validate-lecture", "handlers.voice_qa.validate_lecture.handler.handler", 300),
    ],
)
def test_each_function_has_512_mb_its_timeout_tracing_and_a_version(function: str, handler: str, seconds: int) -> None:
    inputs = deployed().one("lambda.Function", function).inputs
    assert (inputs["handler"], inputs["memorySize"], inputs["timeout"]) == (handler, 512, seconds)
    assert (inputs["runtime"], inputs["publish"], inputs["tracingConfig"]) == ("python3.13", True, {"mode": "Active"})
    alias = deployed().one("lambda.Alias", function).inputs
    assert (alias["name"], alias["functionName"], alias["functionVersion"]) == ("live", inputs["name"], "7")


def test_the_workers_concurrency_is_reserved() -> None:
    functions = [function.inputs for function in deployed().all("lambda.Function")]
    reserved = {function["name"]: function.get("reservedConcurrentExecutions") for function in functions}
    assert {name: count for name, count in reserved.items() if count} == {f"{PREFIX}-query-worker": 50}
    worker = previewed(queryWorker={"reservedConcurrency": None}).one("lambda.Function", "query-worker").inputs
    assert worker.get("reservedConcurrentExecutions") is None


def test_one_execution_environment_of_the_handler_is_warm_by_default() -> None:
    configuration = deployed().one("lambda.ProvisionedConcurrencyConfig").inputs
    assert (configuration["functionName"], configuration["qualifier"]) == (f"{PREFIX}-websocket-handler", "live")
    assert configuration["provisionedConcurrentExecutions"] == 1
    assert previewed(socketHandler={"provisionedConcurrency": 0}).all("lambda.ProvisionedConcurrencyConfig") == []


def test_an_invocation_of_the_worker_is_tried_three_times_and_then_moved_to_the_dead_letter_queue() -> None:
    """A late answer to a question is useless, so its invocation is discarded after five minutes."""
    assert deployed().one("lambda.FunctionEventInvokeConfig").inputs == {
        "functionName": f"{PREFIX}-query-worker",
        "qualifier": "live",
        "maximumRetryAttempts": 2,
        "maximumEventAgeInSeconds": 300,
        "destinationConfig": {"onFailure": {"destination": f"{QUEUES}-queries-failed"}},
    }


def test_every_new_object_below_lectures_is_reported_to_the_queue() -> None:
    (notification,) = deployed().one("s3.BucketNotification", "audio").inputs["queues"]
    assert (notification["queueArn"], notification["filterPrefix"], notification["filterSuffix"]) == (
        f"{QUEUES}-uploads",
        "lectures/",
        "",
    )
    assert notification["events"] == ["s3:ObjectCreated:*"]
    (_, allowed) = json.loads(deployed().one("sqs.QueuePolicy", "uploads-policy").inputs["policy"])["Statement"]
    assert (allowed["Principal"], allowed["Action"]) == ({"Service": "s3.amazonaws.com"}, "sqs:SendMessage")
    assert allowed["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"}


def test_the_visibility_timeout_is_six_times_the_validators_timeout() -> None:
    assert deployed().one("sqs.Queue", "uploads-queue").inputs["visibilityTimeoutSeconds"] == 6 * 300
    assert changed_preview().one("sqs.Queue", "uploads-queue").inputs["visibilityTimeoutSeconds"] == 6 * 100


def test_the_validator_gets_batches_of_five_uploads_and_returns_only_failed_messages() -> None:
    source = deployed().one("lambda.EventSourceMapping", "uploads").inputs
    assert (source["functionName"], source["eventSourceArn"]) == (f"{VALIDATOR}:live", f"{QUEUES}-uploads")
    assert (source["batchSize"], source["scalingConfig"]) == (5, {"maximumConcurrency": 5})
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"]


def test_time_limit_checks_are_delivered_to_the_handler_and_can_be_delayed_long_enough() -> None:
    """A time limit check is a message that is delivered when a question must have ended."""
    source = deployed().one("lambda.EventSourceMapping", "time-limits").inputs
    assert (source["functionName"], source["eventSourceArn"]) == (f"{HANDLER}:live", f"{QUEUES}-time-limits")
    assert source["functionResponseTypes"] == ["ReportBatchItemFailures"]
    max_answer_seconds = TypeAdapter(AnswerSeconds).json_schema()["maximum"]
    assert max_answer_seconds + CHECK_GRACE_SECONDS <= MAX_DELAY_SECONDS


def test_only_the_ssm_parameter_contains_the_key_of_guest_ids() -> None:
    parameter = deployed().one("ssm.Parameter").inputs
    assert (parameter["name"], parameter["type"]) == (f"/{PREFIX}-guest-ids", "SecureString")
    for resource in deployed().graph:
        if resource.kind != "Parameter":
            assert GUEST_ID_KEY not in str(resource.request), resource.name


def bucket_inputs(kind: str, recorded: Recorded | None = None) -> dict[str, Any]:
    return (recorded or deployed()).one(f"s3.{kind}", "audio").inputs


def test_browsers_can_use_the_bucket_as_the_requirement_states() -> None:
    (rule,) = bucket_inputs("BucketCorsConfiguration")["corsRules"]
    assert (rule["allowedOrigins"], rule["allowedMethods"]) == (["*"], ["GET", "PUT", "POST"])
    assert (rule["allowedHeaders"], rule["maxAgeSeconds"]) == (["*"], 3600)
    (rule,) = bucket_inputs("BucketCorsConfiguration", changed_preview())["corsRules"]
    assert rule["allowedOrigins"] == ["https://app.example.com", "http://localhost:3000"]


def expiry_days(recorded: Recorded) -> tuple[dict[str, int], dict[str, int]]:
    """Return by prefix the days after which objects expire, and the days after which noncurrent versions do."""
    rules = bucket_inputs("BucketLifecycleConfiguration", recorded)["rules"]
    assert all(rule["status"] == "Enabled" for rule in rules)
    assert not [rule for rule in rules if "transitions" in rule]
    current, noncurrent = {}, {}
    for rule in rules:
        prefix = rule["filter"]["prefix"]
        if "expiration" in rule:
            current[prefix] = rule["expiration"]["days"]
        if "noncurrentVersionExpiration" in rule:
            noncurrent[prefix] = rule["noncurrentVersionExpiration"]["noncurrentDays"]
    return current, noncurrent


def test_questions_and_answers_expire_after_a_week_and_lectures_stay() -> None:
    """An expired object becomes a noncurrent version, which is kept for a day. A replaced lecture is kept for a week."""
    assert (s3_prefixes.QUERIES, s3_prefixes.RESPONSES, s3_prefixes.LECTURES) == ("queries/", "responses/", "lectures/")
    noncurrent = {"queries/": 1, "responses/": 1, "": 7}
    assert expiry_days(deployed()) == ({"queries/": 7, "responses/": 7}, noncurrent)
    assert expiry_days(changed_preview()) == ({"queries/": 11, "responses/": 12}, noncurrent)


def test_the_bucket_is_private_encrypted_and_versioned_by_default() -> None:
    assert bucket_inputs("BucketPublicAccessBlock")["restrictPublicBuckets"] is True
    (rule,) = bucket_inputs("BucketServerSideEncryptionConfiguration")["rules"]
    assert rule["applyServerSideEncryptionByDefault"] == {"sseAlgorithm": "AES256"}
    assert bucket_inputs("BucketVersioning")["versioningConfiguration"] == {"status": "Enabled"}
    assert previewed(audio={"versioned": False}).all("s3.BucketVersioning") == []


def test_uploads_can_use_transfer_acceleration() -> None:
    assert deployed().all("s3.BucketAccelerateConfiguration") == []
    assert changed_preview().one("s3.BucketAccelerateConfiguration").inputs["status"] == "Enabled"


def test_the_tables_keys_are_session_and_lecture_and_its_items_expire() -> None:
    table = deployed().one("dynamodb.Table").inputs
    assert (table["name"], table["hashKey"], table["rangeKey"]) == (TABLE, "sessionId", "lectureId")
    assert table["attributes"] == [{"name": "sessionId", "type": "S"}, {"name": "lectureId", "type": "S"}]
    assert table["ttl"] == {"attributeName": "expiresAt", "enabled": True}
    assert (table["billingMode"], table["globalSecondaryIndexes"]) == ("PAY_PER_REQUEST", [])
    assert table["serverSideEncryption"] == {"enabled": False}, "the table is encrypted with a key that DynamoDB owns"


def test_the_handler_serves_a_route_for_every_action_and_a_default_route() -> None:
    routes = deployed().all("apigatewayv2.Route")
    assert {route.inputs["routeKey"] for route in routes} == {"$connect", "$default", "$disconnect", *REQUESTS}
    (integration,) = deployed().all("apigatewayv2.Integration")
    assert integration.inputs["integrationUri"].endswith(f"/functions/{HANDLER}:live/invocations")


def test_only_the_handshake_requires_a_signature() -> None:
    for route in deployed().all("apigatewayv2.Route"):
        is_handshake = route.inputs["routeKey"] == "$connect"
        assert route.inputs["authorizationType"] == ("AWS_IAM" if is_handshake else "NONE")
    assert "CallersCheckedBy" not in deployed().one("apigatewayv2.Api").inputs["tags"]


def test_the_stage_is_called_prod_and_its_rate_limit_is_a_setting() -> None:
    for recorded, expected in ((previewed(), (100, 200)), (changed_preview(), (17, 34))):
        stage = recorded.one("apigatewayv2.Stage").inputs
        limits = stage["defaultRouteSettings"]
        assert (limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == expected
        assert stage["name"] == "Prod"


def test_guests_get_credentials_only_by_the_enhanced_flow() -> None:
    pool = deployed().one("cognito.IdentityPool").inputs
    assert (pool["allowUnauthenticatedIdentities"], pool["allowClassicFlow"]) == (True, False)
    attachment = deployed().one("cognito.IdentityPoolRoleAttachment")
    assert attachment.inputs["identityPoolId"] == IDENTITY_POOL_ID
    assert set(attachment.inputs["roles"]) == {"unauthenticated"}
    created_before = {ancestor.name for ancestor in deployed().ancestors(attachment)}
    assert {"voice-qa-guests-guest-grants", "voice-qa-guests-guest-grants-2"} <= created_before
    role = deployed().one("iam.Role", "guests").inputs
    assert "maxSessionDuration" not in role, "an hour is Cognito's default"


def frontend_output(**changes: Any) -> Any:
    """Return the output for frontends in a preview."""

    def program() -> None:
        subsystem = VOICE_QA.program(**changes)()
        pulumi.export("frontend", build_frontend("prod", "us-east-1", {"voice_qa": subsystem.frontend}))

    recorded = program_run.run_function(program, StackConfig("polyphony", "test", {}), PreviewProvider(), preview=True)
    return recorded.outputs["frontend"]["voiceQa"]


def test_the_frontend_output_of_a_preview_contains_everything_except_generated_ids() -> None:
    assert frontend_output(sessions={"pingSeconds": 60}, lectures={"uploads": "guests"}) == {
        "url": UNKNOWN,
        "identityPoolId": UNKNOWN,
        "pingSeconds": 60,
        "lectureUploads": "guests",
        "maxQueryBytes": 10_000_000,
        "lectureMinSeconds": 10,
        "lectureMaxSeconds": 14_400,
        "maxLectureBytes": 2_000_000_000,
        "lectureFormats": ["mp3", "mp4", "wav", "flac", "ogg", "webm"],
        "routes": ["lecture", "ping", "query", "upload"],
    }

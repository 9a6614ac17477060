"""Tests of voice Q&A's resources.

`websocket-handler` receives the messages of guests, who are browser users without a login. `query-worker` lets the agent
answer a question, and `validate-lecture` checks the recordings (lectures) that guests ask about.
"""

import json
from typing import Any

import pytest
from pydantic import TypeAdapter

from components.settings.voice_qa import AnswerSeconds
from handlers.voice_qa.records import (
    CHECK_GRACE_SECONDS,
    connection_key,
    conversation_key,
    counter_key,
    lecture_key,
    query_key,
)
from local.emulation.iam.policy_evaluator import AccessRequest, evaluate_policies
from tests.components.deployment_harness import IDENTITY_POOL_ID, arn, permissions, variables
from tests.components.deployments import ENDPOINT, SECRET, VOICE_QA
from tests.fake_engine import Recorded

PREFIX, deployed = VOICE_QA.prefix, VOICE_QA.deployed
BUCKET, TABLE = f"{PREFIX}-audio-123456789012", f"{PREFIX}-sessions"
SESSIONS = arn("dynamodb", f"table/{TABLE}")
HANDLER, WORKER, VALIDATOR = (
    arn("lambda", f"function:{PREFIX}-{name}:live")
    for name in ("websocket-handler", "query-worker", "validate-lecture")
)
RUNTIME = arn("bedrock-agentcore", "runtime/lecturer-a1B2c3")
MAX_DELAY_SECONDS = 900
"""Maximum delay of an SQS message."""
VARIABLES = {
    "websocket-handler": {"S3_BUCKET", "DYNAMODB_TABLE"},
    "query-worker": {"S3_BUCKET", "DYNAMODB_TABLE", "AGENTCORE_ENDPOINT"},
    "validate-lecture": {"S3_BUCKET", "DYNAMODB_TABLE"},
}
"""Variables of the requirements. The flows on the local platform use the values of all variables."""
CHANGED_SETTINGS: dict[str, Any] = {
    "lectures": {"uploads": "guests", "maxGigabytes": 1.5},
    "audio": {
        "origins": ["https://app.example.com"],
        "queryDays": 11,
        "responseDays": 12,
        "accelerated": True,
        "versioned": False,
    },
    "sessions": {
        "days": 6,
        "queriesPerHour": 5,
        "urlSeconds": 61,
        "lecturesPerDay": 8,
        "maxWriteUnits": 70,
        "maxReadUnits": 90,
    },
    "agentcore": {"endpoint": "http://10.0.0.5:5000/v1", "answerSeconds": 50},
    "requestsPerSecond": 17,
}
"""Settings in which no two numbers are equal, so that a test can recognise each of them."""
CHANGED_VARIABLES: dict[str, dict[str, str]] = {
    "websocket-handler": {
        "LECTURE_UPLOADS": "guests",
        "MAX_LECTURE_BYTES": "1500000000",
        "ACCELERATED": "true",
        "SESSION_DAYS": "6",
        "QUERIES_PER_HOUR": "5",
        "URL_SECONDS": "61",
        "LECTURES_PER_DAY": "8",
        "ANSWER_SECONDS": "50.0",
    },
    "query-worker": {"SESSION_DAYS": "6", "ANSWER_SECONDS": "50.0", "AGENTCORE_ENDPOINT": "http://10.0.0.5:5000/v1"},
    "validate-lecture": {"MAX_LECTURE_BYTES": "1500000000"},
}


def changed_deployment() -> Recorded:
    return deployed(**CHANGED_SETTINGS)


def test_each_function_reads_the_listed_variables() -> None:
    for function, names in VARIABLES.items():
        assert names <= variables(deployed(), function).keys()


@pytest.mark.parametrize("function", CHANGED_VARIABLES)
def test_each_changed_setting_changes_only_its_variables(function: str) -> None:
    default, changed = variables(deployed(), function), variables(changed_deployment(), function)
    assert {name: changed[name] for name in changed if changed[name] != default[name]} == CHANGED_VARIABLES[function]


def test_each_function_has_its_memory_timeout_and_concurrency() -> None:
    names = ("memorySize", "timeout", "reservedConcurrentExecutions")
    functions = [item.inputs for item in deployed().all("lambda.Function")]
    assert {item["name"].removeprefix(f"{PREFIX}-"): [item.get(name) for name in names] for item in functions} == {
        "websocket-handler": [512, 29, None],
        "query-worker": [512, 900, 50],
        "validate-lecture": [512, 300, None],
    }
    warm = deployed().one("lambda.ProvisionedConcurrencyConfig").inputs
    assert (warm["functionName"], warm["provisionedConcurrentExecutions"]) == (f"{PREFIX}-websocket-handler", 1)


def test_the_worker_knows_and_may_invoke_only_the_agent_of_its_mode() -> None:
    agent = {"endpoint": ENDPOINT, "runtimeArn": RUNTIME, "qualifier": "spring"}
    http, bedrock = (deployed(agentcore={**agent, "mode": mode}) for mode in ("http", "bedrock"))
    assert "AGENTCORE_RUNTIME_ARN" not in variables(http, "query-worker")
    environment = variables(bedrock, "query-worker")
    assert (environment["AGENTCORE_RUNTIME_ARN"], environment["AGENTCORE_QUALIFIER"]) == (RUNTIME, "spring")
    assert "AGENTCORE_ENDPOINT" not in environment
    assert permissions(bedrock, "query-worker") - permissions(http, "query-worker") == {
        ("bedrock-agentcore:InvokeAgentRuntime", RUNTIME),
        ("bedrock-agentcore:InvokeAgentRuntime", f"{RUNTIME}/runtime-endpoint/spring"),
    }


def test_only_the_worker_is_attached_to_the_network_of_a_private_agent() -> None:
    network = {"vpcId": "vpc-0a", "cidr": "172.31.0.0/16", "subnetIds": ["subnet-0a"]}
    recorded = deployed(agentcore={"endpoint": "http://172.31.10.9:5000", "network": network})
    rules = [rule.inputs for rule in recorded.all("vpc.SecurityGroupEgressRule")]
    assert {(rule["cidrIpv4"], rule["toPort"]) for rule in rules} == {("172.31.0.0/16", 5000), ("0.0.0.0/0", 443)}
    [function] = [item.inputs for item in recorded.all("lambda.Function") if item.inputs.get("vpcConfig")]
    assert (function["name"], function["vpcConfig"]["subnetIds"]) == (f"{PREFIX}-query-worker", ["subnet-0a"])


def test_a_failed_invocation_of_the_worker_is_not_repeated_and_moved_to_the_dead_letter_queue() -> None:
    """The guest gets an error at once and asks again. An invocation that does not start within five minutes is useless."""
    assert deployed().one("lambda.FunctionEventInvokeConfig").inputs == {
        "functionName": f"{PREFIX}-query-worker",
        "qualifier": "live",
        "maximumRetryAttempts": 0,
        "maximumEventAgeInSeconds": 300,
        "destinationConfig": {"onFailure": {"destination": arn("sqs", f"{PREFIX}-queries-failed")}},
    }


def test_uploaded_lectures_reach_the_validator_and_time_limit_checks_the_handler() -> None:
    """A time limit check is a delayed message. Each invocation gets one, so its retries do not delay another check."""
    (notification,) = deployed().one("s3.BucketNotification").inputs["queues"]
    assert (notification["queueArn"], notification["filterPrefix"]) == (arn("sqs", f"{PREFIX}-uploads"), "lectures/")
    sources = [source.inputs for source in deployed().all("lambda.EventSourceMapping")]
    assert {
        (item["eventSourceArn"], item["functionName"], item["batchSize"], item["scalingConfig"]["maximumConcurrency"])
        for item in sources
    } == {(arn("sqs", f"{PREFIX}-uploads"), VALIDATOR, 5, 5), (arn("sqs", f"{PREFIX}-time-limits"), HANDLER, 1, 10)}
    max_answer_seconds = TypeAdapter(AnswerSeconds).json_schema()["maximum"]
    assert max_answer_seconds + CHECK_GRACE_SECONDS <= MAX_DELAY_SECONDS


def test_only_the_ssm_parameter_contains_the_key_of_guest_ids() -> None:
    assert {item.kind for item in deployed().graph if SECRET in str(item.request)} == {"Parameter"}


def test_browsers_can_use_the_bucket_as_the_requirement_states() -> None:
    for recorded, origins in ((deployed(), ["*"]), (changed_deployment(), ["https://app.example.com"])):
        (rule,) = recorded.one("s3.BucketCorsConfiguration").inputs["corsRules"]
        assert (rule["allowedOrigins"], rule["allowedMethods"]) == (origins, ["GET", "PUT", "POST"])
        assert (rule["allowedHeaders"], rule["maxAgeSeconds"]) == (["*"], 3600)


def test_questions_and_answers_expire_after_a_week_and_lectures_stay() -> None:
    """An expired object becomes a noncurrent version, which is kept for a day. A replaced lecture is kept for a week."""
    for recorded, query_days, response_days in ((deployed(), 7, 7), (changed_deployment(), 11, 12)):
        _, *rules = recorded.one("s3.BucketLifecycleConfiguration").inputs["rules"]
        assert {
            rule["filter"]["prefix"]: (rule.get("expiration"), rule["noncurrentVersionExpiration"]["noncurrentDays"])
            for rule in rules
        } == {"queries/": ({"days": query_days}, 1), "responses/": ({"days": response_days}, 1), "": (None, 7)}


def test_versions_and_transfer_acceleration_are_settings() -> None:
    for recorded, versioned, accelerated in ((deployed(), 1, 0), (changed_deployment(), 0, 1)):
        assert len(recorded.all("s3.BucketVersioning")) == versioned
        assert len(recorded.all("s3.BucketAccelerateConfiguration")) == accelerated


def test_the_tables_keys_are_session_and_lecture_and_its_items_expire() -> None:
    table = deployed().one("dynamodb.Table").inputs
    assert (table["hashKey"], table["rangeKey"]) == ("sessionId", "lectureId")
    assert (table["tags"]["Name"], table["billingMode"]) == ("SynapScribe-Sessions", "PAY_PER_REQUEST")
    assert table["ttl"] == {"attributeName": "expiresAt", "enabled": True}


def test_the_stage_is_called_prod_and_its_rate_limit_is_a_setting() -> None:
    for recorded, expected in ((deployed(), (100, 200)), (changed_deployment(), (17, 34))):
        stage = recorded.one("apigatewayv2.Stage").inputs
        limits = stage["defaultRouteSettings"]
        assert (stage["name"], limits["throttlingRateLimit"], limits["throttlingBurstLimit"]) == ("Prod", *expected)


def test_everyone_gets_credentials_with_which_a_guest_can_only_connect_and_read_conversations() -> None:
    pool = deployed().one("cognito.IdentityPool").inputs
    assert (pool["allowUnauthenticatedIdentities"], pool["allowClassicFlow"]) == (True, False)
    roles = deployed().one("cognito.IdentityPoolRoleAttachment").inputs
    assert roles["identityPoolId"] == IDENTITY_POOL_ID
    assert roles["roles"] == {"unauthenticated": arn("iam", f"role/{PREFIX}-guests-guest").replace(":us-east-1:", "::")}
    assert permissions(deployed(), "guests-guest") == {
        ("dynamodb:GetItem", SESSIONS),
        ("execute-api:Invoke", arn("execute-api", "a1b2c3/Prod/$connect")),
    }, "guests upload with forms only"


def test_settings_decide_whether_guests_upload_lectures_and_write_items() -> None:
    added = permissions(changed_deployment(), "websocket-handler")
    assert added - permissions(deployed(), "websocket-handler") == {
        ("s3:PutObject", f"arn:aws:s3:::{BUCKET}/lectures/*")
    }
    added = permissions(deployed(sessions={"guestWrites": True}), "guests-guest")
    assert added - permissions(deployed(), "guests-guest") == {("dynamodb:PutItem", SESSIONS)}


def test_the_throughput_of_the_table_is_limited_because_guests_reach_it_without_an_api() -> None:
    for recorded, writes, reads in ((deployed(), 500, 1_000), (changed_deployment(), 70, 90)):
        throughput = recorded.one("dynamodb.Table").inputs["onDemandThroughput"]
        assert throughput == {"maxWriteRequestUnits": writes, "maxReadRequestUnits": reads}


def test_a_guest_reads_and_writes_only_the_guests_own_conversations() -> None:
    """The guardrail policies check the condition; the keys of the items decide what it covers."""
    guest, other = ("us-east-1:" + digit * 8 for digit in "12")
    policies = [item.inputs for item in deployed(sessions={"guestWrites": True}).all("iam.RolePolicy")]
    documents = [json.loads(item["policy"]) for item in policies if item["role"] == f"{PREFIX}-guests-guest"]

    def is_allowed(*keys: str) -> bool:
        values: dict[str, str | list[str]] = {
            "cognito-identity.amazonaws.com:sub": guest,
            "dynamodb:LeadingKeys": list(keys),
        }
        requests = [AccessRequest(f"dynamodb:{action}", SESSIONS, values) for action in ("GetItem", "PutItem")]
        [allowed] = {evaluate_policies(documents, request).allowed for request in requests}
        return allowed

    own = conversation_key(guest, "session", "lecture")["sessionId"]
    foreign_items = (
        *(lecture_key("lecture"), connection_key("c1"), query_key(guest, "question"), counter_key(guest, "queries", 1)),
        conversation_key(other, "session", "lecture"),
    )
    assert is_allowed(own)
    for key in (guest, *(item["sessionId"] for item in foreign_items)):
        assert not is_allowed(key)
        assert not is_allowed(own, key)


LOAD: dict[str, float] = {"questionsPerDay": 20_000, "lecturesPerDay": 500}
"""A hundred times the default load."""


def test_the_monthly_cost_follows_from_the_load_and_the_settings() -> None:
    """A change of a formula, an assumption or a price changes an amount."""
    assert VOICE_QA.monthly_cost(LOAD) == 387.18
    assert VOICE_QA.monthly_cost({"questionsPerDay": 1, "lecturesPerDay": 0.1}) == 6.46
    assert VOICE_QA.monthly_cost(LOAD, audio={"versioned": False}, sessions={"days": 14}) == 386.80
    assert VOICE_QA.monthly_cost(LOAD, audio={"accelerated": True}) == 427.02

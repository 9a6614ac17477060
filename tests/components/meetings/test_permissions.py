"""Tests of the permissions of every role in the meetings backend.

The function `start` receives the events of uploads, and `steps` runs steps of the workflow. The media job has the role
`media`, and Batch starts it with the role `media-start`.
"""

import json
from typing import Any

import pytest

from handlers.common.identity import user_ids
from tests.components.deployment_harness import (
    Permission,
    arn,
    may,
    may_consume,
    may_log_and_trace,
    permissions,
    roles,
    trust_statement,
)
from tests.components.meetings.recorded_deployment import (
    BUCKET,
    KEY,
    PREFIX,
    TABLE,
    changed_preview,
    deployed,
    previewed,
)
from tests.fake_engine import Recorded

OBJECTS = f"arn:aws:s3:::{BUCKET}"
ITEMS = arn("dynamodb", f"table/{TABLE}")
CLIENT_ROLE = f"arn:aws:iam::123456789012:role/{PREFIX}-client"
WORKFLOW = arn("states", f"stateMachine:{PREFIX}-workflow")
IMAGES = arn("ecr", f"repository/{PREFIX}-media-images")
NAMESPACE_CONDITION = '{"StringEquals": {"cloudwatch:namespace": "Polyphony/Meetings"}}'
USER_TAG = "${aws:PrincipalTag/user}"
"""Policy variable with the session tag `user` of the caller's credentials."""
SESSION_TAG_CONDITION = {
    "ForAllValues:StringEquals": {"aws:TagKeys": "user"},
    "Null": {"aws:RequestTag/user": "false", "aws:TagKeys": "false"},
    "StringLike": {"aws:RequestTag/user": "?" * user_ids.USER_ID_LENGTH},
}
OWN_ITEMS_CONDITION = json.dumps(
    {"ForAllValues:StringEquals": {"dynamodb:LeadingKeys": USER_TAG}, "Null": {"dynamodb:LeadingKeys": "false"}}
)
SONNET = "anthropic.claude-sonnet-5-5"


def function(name: str) -> str:
    return arn("lambda", f"function:{PREFIX}-{name}:live")


def queue(name: str) -> str:
    return arn("sqs", f"{PREFIX}-{name}")


def below(*kinds: str) -> list[str]:
    return [f"{OBJECTS}/{kind}/*" for kind in kinds]


MAY_UPDATE_MEETINGS: set[Permission] = {
    *may("dynamodb", "GetItem PutItem", ITEMS),
    # complete.json is read. Without ListBucket, S3 answers 403 instead of 404 for missing objects.
    *may("s3", "GetObject", f"{OBJECTS}/raw/*/complete.json"),
    *may("s3", "ListBucket", OBJECTS),
    *may("states", "StartExecution", WORKFLOW),
    # An execution that was aborted or timed out is found when complete.json is uploaded again.
    *may("states", "DescribeExecution", f"{WORKFLOW.replace(':stateMachine:', ':execution:')}:*"),
}
"""Permissions of the functions that update meetings: for uploads and for steps."""
MAY_PUT_METRICS = may("cloudwatch", "PutMetricData", "*", condition=NAMESPACE_CONDITION)
MAY_SEND_FAILURES = may("sqs", "SendMessage", queue("care-failures"))
"""Permission to send failed calls to the dead-letter queue of the scheduled function."""
MAY_CLIENT: set[Permission] = {
    *may("dynamodb", "GetItem", ITEMS, condition=OWN_ITEMS_CONDITION),
    *may("dynamodb", "Query", f"{ITEMS}/index/GSI-1", condition=OWN_ITEMS_CONDITION),
    *may("s3", "PutObject", f"{OBJECTS}/raw/{USER_TAG}/*"),
    # Clients list their uploads to resume an interrupted upload.
    *may("s3", "ListBucket", OBJECTS, condition=json.dumps({"StringLike": {"s3:prefix": f"raw/{USER_TAG}/*"}})),
    *may("s3", "GetObject", *below(*(f"{kind}/{USER_TAG}" for kind in ("video", "audio", "transcripts", "summaries")))),
}
MAY_JOB: set[Permission] = {
    *may("s3", "GetObject", *below("raw")),
    # The job finds existing output, and uploads in parts.
    *may("s3", "AbortMultipartUpload GetObject PutObject", *below("video", "audio", "work")),
    *may("s3", "ListBucket", OBJECTS),
}
MAY_START_JOB: set[Permission] = {
    # Batch pulls the image and writes the log with these permissions.
    *may("ecr", "GetAuthorizationToken", "*"),
    *may("ecr", "BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer", IMAGES),
    *may("logs", "CreateLogStream PutLogEvents", arn("logs", f"log-group:/aws/batch/{PREFIX}-media:*")),
}
MAY_WORKFLOW: set[Permission] = {
    # Jobs are submitted by the definition's name, with any revision, to the backend's queues.
    *may("batch", "SubmitJob", *(arn("batch", f"job-definition/{PREFIX}-media{end}") for end in ("", ":*"))),
    *may(
        "batch",
        "SubmitJob",
        *(arn("batch", f"job-queue/{PREFIX}-media-{capacity}") for capacity in ("spot", "on-demand")),
    ),
    *may("batch", "DescribeJobs ListJobs", "*"),
    *may("batch", "CancelJob TerminateJob", arn("batch", "job/*")),
    *may("lambda", "InvokeFunction", function("bedrock-summarize"), function("steps")),
    *may("transcribe", "StartTranscriptionJob", "*"),
    *may("transcribe", "GetTranscriptionJob", arn("transcribe", "transcription-job/polyphony-test-*")),
    # Transcribe reads and writes with the permissions of its caller.
    *may("s3", "GetObject", *below("audio")),
    *may("s3", "PutObject", *below("work")),
    *may("logs", "CreateLogDelivery DeleteLogDelivery DescribeLogGroups DescribeResourcePolicies", "*"),
    *may("logs", "GetLogDelivery ListLogDeliveries PutResourcePolicy UpdateLogDelivery", "*"),
    *may("xray", "PutTelemetryRecords PutTraceSegments GetSamplingRules GetSamplingTargets", "*"),
}
MAY_SUMMARIZE: set[Permission] = {
    *may("s3", "GetObject PutObject", *below("work", "transcripts", "summaries")),
    *may("s3", "ListBucket", OBJECTS),
    *may("bedrock", "InvokeModel", arn("bedrock", f"inference-profile/us.{SONNET}")),
    *(
        ("bedrock:InvokeModel", f"arn:aws:bedrock:{region}::foundation-model/{SONNET}", None)
        for region in ("us-east-1", "us-east-2", "us-west-2")
    ),
    *MAY_PUT_METRICS,
}


def may_invoke(schedule: str) -> set[Permission]:
    return {
        *may("lambda", "InvokeFunction", function(schedule)),
        *may("sqs", "SendMessage", queue(f"{schedule}-schedule-dlq")),
    }


FUNCTION_ROLES: dict[str, set[Permission]] = {
    "auth-exchange": may(
        "sts", "AssumeRole TagSession", CLIENT_ROLE, condition=json.dumps(SESSION_TAG_CONDITION, sort_keys=True)
    ),
    "start": {*MAY_UPDATE_MEETINGS, *may_consume(f"{PREFIX}-uploads")},
    "steps": {*MAY_UPDATE_MEETINGS, *MAY_PUT_METRICS, *may("s3", "GetObject", *below("work"))},
    "bedrock-summarize": MAY_SUMMARIZE,
    # The count is stored and compared with earlier counts.
    "storage": {
        *MAY_SEND_FAILURES,
        *MAY_PUT_METRICS,
        *may("s3", "ListBucket", OBJECTS),
        *may("s3", "GetObject PutObject", *below("work/storage")),
    },
}
ROLES: dict[str, set[Permission]] = {
    **{name: {*permitted, *may_log_and_trace(f"{PREFIX}-{name}")} for name, permitted in FUNCTION_ROLES.items()},
    "client": MAY_CLIENT,
    "workflow": MAY_WORKFLOW,
    "media": MAY_JOB,
    "media-start": MAY_START_JOB,
    "storage-schedule": may_invoke("storage"),
}


def test_every_role_has_exactly_these_permissions() -> None:
    assert {role.removeprefix(f"{PREFIX}-"): permissions(deployed(), role) for role in roles(deployed())} == ROLES


def test_only_the_exchange_assumes_the_clients_role_for_one_user() -> None:
    assert trust_statement(deployed(), "meetings-client-role") == {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::123456789012:role/{PREFIX}-auth-exchange"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": SESSION_TAG_CONDITION,
    }
    assert len(user_ids.derive_user_id("https://login.example.com/", "ann")) == user_ids.USER_ID_LENGTH, (
        "the length that the tag's condition requires"
    )


def test_the_clients_role_is_created_after_the_role_that_it_trusts() -> None:
    client = deployed().one("iam.Role", "meetings-client")
    assert "meetings-auth-exchange-role" in [ancestor.name for ancestor in deployed().ancestors(client)]


@pytest.mark.parametrize("role", ["media", "media-start"])
def test_the_jobs_roles_trust_only_tasks_of_this_account(role: str) -> None:
    assert trust_statement(deployed(), f"meetings-{role}-role") == {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "ArnLike": {"aws:SourceArn": arn("ecs", "*")},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }


def test_a_preview_shows_all_policies() -> None:
    def documents(recorded: Recorded) -> dict[str, Any]:
        return {policy.name: policy.inputs["policy"] for policy in recorded.all("iam.RolePolicy")}

    assert documents(previewed()) == documents(deployed())


def invocable_models(recorded: Recorded) -> set[str]:
    summarize = permissions(recorded, f"{PREFIX}-bedrock-summarize")
    return {resource for action, resource, _ in summarize if action == "bedrock:InvokeModel"}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (
            {"actionItems": "us.anthropic.claude-haiku-5-5", "regions": ["us-east-1"]},
            {
                arn("bedrock", f"inference-profile/us.{SONNET}"),
                f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}",
                arn("bedrock", "inference-profile/us.anthropic.claude-haiku-5-5"),
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-5-5",
            },
        ),
        (dict.fromkeys(("summary", "actionItems"), SONNET), {f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}"}),
    ],
)
def test_only_the_configured_models_may_be_invoked(models: dict[str, Any], expected: set[str]) -> None:
    assert invocable_models(previewed(models=models)) == expected


def test_the_on_demand_engine_may_submit_to_one_queue() -> None:
    workflow = permissions(previewed(processing={"engine": "fargate"}), f"{PREFIX}-workflow")
    queues = {resource for action, resource, _ in workflow if action == "batch:SubmitJob" and ":job-queue/" in resource}
    assert queues == {arn("batch", f"job-queue/{PREFIX}-media-on-demand")}


def test_roles_with_table_access_may_use_the_customers_key_through_dynamodb() -> None:
    through_dynamodb = json.dumps({"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}})
    recorded = changed_preview()
    for role in roles(recorded):
        role_permissions = permissions(recorded, role)
        has_table_access = any(action.startswith("dynamodb:") for action, _, _ in role_permissions)
        key_permissions = {permission for permission in role_permissions if permission[0].startswith("kms:")}
        assert (("kms:Decrypt", KEY, through_dynamodb) in key_permissions) == has_table_access, role
        assert {(resource, condition) for _, resource, condition in key_permissions} <= {(KEY, through_dynamodb)}

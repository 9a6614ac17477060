"""Who may do what in the meetings backend: one list for each role, each grant with its reason."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from handlers.common import users
from tests.components.meetings.deployment import BUCKET, KEY, PREFIX, TABLE, changed, complete, meetings, plain
from tests.components.subsystem import ACCOUNT, Permission, permissions, roles
from tests.engine import Recorded

OBJECTS = f"arn:aws:s3:::{BUCKET}"
ITEMS = f"arn:aws:dynamodb:{ACCOUNT}:table/{TABLE}"
CLIENT = f"arn:aws:iam::123456789012:role/{PREFIX}-client"
WORKFLOW = f"arn:aws:states:{ACCOUNT}:stateMachine:{PREFIX}-workflow"
IMAGES = f"arn:aws:ecr:{ACCOUNT}:repository/{PREFIX}-media-images"
BATCH = f"arn:aws:batch:{ACCOUNT}"
OURS = '{"StringEquals": {"cloudwatch:namespace": "Polyphony/Meetings"}}'
OWN = "${aws:PrincipalTag/user}"
ONE_USER = {
    "ForAllValues:StringEquals": {"aws:TagKeys": "user"},
    "Null": {"aws:RequestTag/user": "false", "aws:TagKeys": "false"},
    "StringLike": {"aws:RequestTag/user": "?" * users.LENGTH},
}
OWN_KEYS = json.dumps(
    {
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": OWN},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
)
SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"

Reasons = Mapping[Permission, str]


def function(name: str) -> str:
    return f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-{name}:live"


def queue(name: str) -> str:
    return f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-{name}"


def lines(group: str) -> Reasons:
    arn = f"arn:aws:logs:{ACCOUNT}:log-group:{group}:*"
    return {(f"logs:{action}", arn, None): "its own lines" for action in ("CreateLogStream", "PutLogEvents")}


def traces() -> Reasons:
    return {(f"xray:{action}", "*", None): "traces" for action in ("PutTelemetryRecords", "PutTraceSegments")}


def runs(name: str) -> Reasons:
    return {**lines(f"/aws/lambda/{PREFIX}-{name}"), **traces()}


def objects(reason: str, *actions: str, below: str) -> Reasons:
    return {(f"s3:{action}", f"{OBJECTS}/{below}", None): reason for action in actions}


MOVES: Reasons = {
    **{
        (
            f"dynamodb:{action}",
            ITEMS,
            None,
        ): "an item is read and put on a condition; its place among the open ones goes"
        for action in ("DeleteItem", "GetItem", "PutItem")
    },
    ("s3:GetObject", f"{OBJECTS}/raw/*/complete.json", None): "what a client says of a recording is read",
    ("s3:ListBucket", OBJECTS, None): "or S3 answers 403 for a chunk that is not there yet",
    ("states:StartExecution", WORKFLOW, None): "a whole recording is worked on",
}
"""What moves a meeting on: whoever hears of an upload, makes a step, or finds one that stays where it is."""
METRIC: Reasons = {("cloudwatch:PutMetricData", "*", OURS): "one of the four metrics, in our namespace alone"}
FAILED: Reasons = {("sqs:SendMessage", queue("care-failures"), None): "a call that failed lands somewhere"}
EXCHANGE: Reasons = {
    (f"sts:{action}", CLIENT, json.dumps(ONE_USER, sort_keys=True)): "credentials for one user, who is named by the tag"
    for action in ("AssumeRole", "TagSession")
}
MAY_CLIENT: Reasons = {
    ("dynamodb:GetItem", ITEMS, OWN_KEYS): "a meeting of one's own is read",
    ("dynamodb:Query", f"{ITEMS}/index/GSI-1", OWN_KEYS): "as are all of them, by date",
    **objects("chunks are uploaded", "PutObject", below=f"raw/{OWN}/*"),
    ("s3:ListBucket", OBJECTS, json.dumps({"StringLike": {"s3:prefix": f"raw/{OWN}/*"}})): "an upload goes on",
    **{
        ("s3:GetObject", f"{OBJECTS}/{kind}/{OWN}/*", None): "what became of a recording is read"
        for kind in ("video", "audio", "transcripts", "summaries")
    },
}
MAY_JOB: Reasons = {
    **objects("chunks are joined", "GetObject", below="raw/*"),
    **{
        permission: reason
        for kind in ("video", "audio", "work")
        for permission, reason in objects(
            "what was made is not made twice, and goes out in parts",
            *("AbortMultipartUpload", "GetObject", "PutObject"),
            below=f"{kind}/*",
        ).items()
    },
    ("s3:ListBucket", OBJECTS, None): "or S3 answers 403 for a step that is not done yet",
}
STARTS_JOB: Reasons = {
    ("ecr:GetAuthorizationToken", "*", None): "the registry's token has no resource",
    **{
        (f"ecr:{action}", IMAGES, None): "the image is pulled"
        for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    },
    **lines(f"/aws/batch/{PREFIX}-media"),
}
MAY_WORKFLOW: Reasons = {
    ("batch:SubmitJob", f"{BATCH}:job-definition/{PREFIX}-media", None): "a job is submitted by name",
    ("batch:SubmitJob", f"{BATCH}:job-definition/{PREFIX}-media:*", None): "of which there are revisions",
    **{
        ("batch:SubmitJob", f"{BATCH}:job-queue/{PREFIX}-media-{one}", None): "to a queue of ours"
        for one in ("spot", "on-demand")
    },
    ("batch:DescribeJobs", "*", None): "what became of it is asked; the action has no resource",
    ("batch:ListJobs", "*", None): "nor has this: whether one of this recording lives already",
    ("batch:CancelJob", f"{BATCH}:job/*", None): "one that gets no machine goes elsewhere",
    ("batch:TerminateJob", f"{BATCH}:job/*", None): "one that nobody waits for any more is ended",
    **{
        ("lambda:InvokeFunction", function(one), None): "its steps are functions"
        for one in ("bedrock-summarize", "steps")
    },
    ("transcribe:StartTranscriptionJob", "*", None): "a new job has no ARN yet",
    (
        "transcribe:GetTranscriptionJob",
        f"arn:aws:transcribe:{ACCOUNT}:transcription-job/polyphony-test-*",
        None,
    ): "a job of this stack's is asked about",
    **objects("Transcribe reads with the rights of who calls it", "GetObject", below="audio/*"),
    **objects("and writes with them", "PutObject", below="work/*"),
    **{
        (f"logs:{action}", "*", None): "Step Functions delivers its log so; the actions have no resource"
        for action in (
            *("CreateLogDelivery", "DeleteLogDelivery", "DescribeLogGroups", "DescribeResourcePolicies"),
            *("GetLogDelivery", "ListLogDeliveries", "PutResourcePolicy", "UpdateLogDelivery"),
        )
    },
    **traces(),
    **{(f"xray:{action}", "*", None): "traces" for action in ("GetSamplingRules", "GetSamplingTargets")},
}
MAY_SUMMARIZE: Reasons = {
    **{
        permission: reason
        for kind in ("work", "transcripts", "summaries")
        for permission, reason in objects(
            "parts and answers are read, what is made of them is kept", "GetObject", "PutObject", below=f"{kind}/*"
        ).items()
    },
    ("s3:ListBucket", OBJECTS, None): "or S3 answers 403 for an answer that is not there yet",
    ("bedrock:InvokeModel", f"arn:aws:bedrock:{ACCOUNT}:inference-profile/us.{SONNET}", None): "the profile",
    **{
        ("bedrock:InvokeModel", f"arn:aws:bedrock:{region}::foundation-model/{SONNET}", None): "where it may send to"
        for region in ("us-east-1", "us-east-2", "us-west-2")
    },
    **METRIC,
}


def called(schedule: str) -> Reasons:
    return {
        ("lambda:InvokeFunction", function(schedule), None): "the function is called",
        ("sqs:SendMessage", queue(f"{schedule}-schedule-dlq"), None): "or parked",
    }


ROLES: Mapping[str, Reasons] = {
    "auth-exchange": {**runs("auth-exchange"), **EXCHANGE},
    "client": MAY_CLIENT,
    "start": {
        **runs("start"),
        **MOVES,
        **{
            (f"sqs:{action}", queue("uploads"), None): "news of uploads comes by a queue"
            for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
        },
    },
    "steps": {
        **runs("steps"),
        **MOVES,
        **METRIC,
        ("s3:GetObject", f"{OBJECTS}/work/*", None): "what the job says is read",
    },
    "bedrock-summarize": {**runs("bedrock-summarize"), **MAY_SUMMARIZE},
    "workflow": MAY_WORKFLOW,
    "media": MAY_JOB,
    "media-start": STARTS_JOB,
    "sweep": {
        **runs("sweep"),
        **MOVES,
        **FAILED,
        ("dynamodb:Query", ITEMS, None): "meetings that stay where they are",
        (
            "states:DescribeExecution",
            f"{WORKFLOW.replace(':stateMachine:', ':execution:')}:*",
            None,
        ): "what became of their executions",
    },
    "storage": {
        **runs("storage"),
        **FAILED,
        **METRIC,
        **MOVES,
        ("s3:ListBucket", OBJECTS, None): "everything is counted, and what nobody was told of is begun",
        **objects("and compared with the day before", "GetObject", "PutObject", below="work/storage/*"),
    },
    "sweep-schedule": called("sweep"),
    "storage-schedule": called("storage"),
}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_may_do_what_is_listed_here_and_nothing_else(role: str) -> None:
    assert permissions(complete(), f"{PREFIX}-{role}") == set(ROLES[role])


def test_there_are_no_other_roles() -> None:
    assert {role.removeprefix(f"{PREFIX}-") for role in roles(complete())} == set(ROLES)


@pytest.mark.parametrize("role", ROLES)
def test_each_grant_has_a_reason(role: str) -> None:
    assert all(ROLES[role].values())


def trust(role: str) -> dict[str, Any]:
    [one] = [one for one in complete().all("iam.Role") if one.inputs["name"] == f"{PREFIX}-{role}"]
    [statement] = json.loads(one.inputs["assumeRolePolicy"])["Statement"]
    found: dict[str, Any] = statement
    return found


def test_the_exchange_alone_takes_on_the_clients_role_and_for_one_user() -> None:
    assert trust("client") == {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::123456789012:role/{PREFIX}-auth-exchange"},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": ONE_USER,
    }
    assert len(users.user_id("https://login.example.com/", "ann")) == users.LENGTH, "what the tag is held to"


def test_the_clients_role_is_made_after_the_role_that_it_trusts() -> None:
    client = complete().one("iam.Role", "meetings-client")
    assert "meetings-auth-exchange-role" in [one.name for one in complete().ancestors(client)]


@pytest.mark.parametrize("role", ["media", "media-start"])
def test_the_jobs_roles_are_for_tasks_of_this_account(role: str) -> None:
    assert trust(role) == {
        "Effect": "Allow",
        "Principal": {"Service": "ecs-tasks.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {
            "ArnLike": {"aws:SourceArn": f"arn:aws:ecs:{ACCOUNT}:*"},
            "StringEquals": {"aws:SourceAccount": "123456789012"},
        },
    }


def test_all_of_it_is_known_before_anything_exists() -> None:
    def documents(recorded: Recorded) -> dict[str, Any]:
        return {one.name: one.inputs["policy"] for one in recorded.all("iam.RolePolicy")}

    assert documents(plain()) == documents(complete())


def asked(recorded: Recorded) -> set[str]:
    found = permissions(recorded, f"{PREFIX}-bedrock-summarize")
    return {resource for action, resource, _ in found if action == "bedrock:InvokeModel"}


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (
            {"actionItems": "us.anthropic.claude-haiku-4-5-20251001-v1:0", "regions": ["us-east-1"]},
            {
                f"arn:aws:bedrock:{ACCOUNT}:inference-profile/us.{SONNET}",
                f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}",
                f"arn:aws:bedrock:{ACCOUNT}:inference-profile/us.anthropic.claude-haiku-4-5-20251001-v1:0",
                "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0",
            },
        ),
        (
            dict.fromkeys(("summary", "actionItems"), SONNET),
            {f"arn:aws:bedrock:us-east-1::foundation-model/{SONNET}"},
        ),
    ],
)
def test_only_the_models_that_are_named_may_be_asked(models: dict[str, Any], expected: set[str]) -> None:
    assert asked(meetings(models=models)) == expected


def test_on_demand_alone_there_is_one_queue_to_submit_to() -> None:
    found = permissions(meetings(processing={"engine": "fargate"}), f"{PREFIX}-workflow")
    queues = {resource for action, resource, _ in found if action == "batch:SubmitJob" and ":job-queue/" in resource}
    assert queues == {f"{BATCH}:job-queue/{PREFIX}-media-on-demand"}


def test_with_a_customers_key_whoever_reaches_the_table_may_use_it_through_the_table() -> None:
    through = json.dumps({"StringEquals": {"kms:ViaService": "dynamodb.us-east-1.amazonaws.com"}})
    found = changed()
    for role in roles(found):
        may = permissions(found, role)
        reaches = any(action.startswith("dynamodb:") for action, _, _ in may)
        uses = {(action, resource, condition) for action, resource, condition in may if action.startswith("kms:")}
        assert (("kms:Decrypt", KEY, through) in uses) == reaches, role
        assert {(resource, condition) for _, resource, condition in uses} <= {(KEY, through)}

"""Who may do what in the livestream backend: one list for each role, the document's grants and those that were added."""

from tests.components.livestream.deployment import BUCKET, PREFIX, TABLE, complete, livestream
from tests.components.subsystem import ACCOUNT, Permission, permissions, roles

OBJECTS = f"arn:aws:s3:::{BUCKET}"
ITEMS = f"arn:aws:dynamodb:{ACCOUNT}:table/{TABLE}"
LOGS = f"arn:aws:logs:{ACCOUNT}:log-group:/aws/lambda/{PREFIX}"
OURS = '{"StringEquals": {"events:source": "polyphony-test.livestream"}}'


def runs(function: str) -> set[Permission]:
    """What every function needs to run: its own log lines, and traces."""
    return {
        ("logs:CreateLogStream", f"{LOGS}-{function}:*", None),
        ("logs:PutLogEvents", f"{LOGS}-{function}:*", None),
        ("xray:PutTelemetryRecords", "*", None),
        ("xray:PutTraceSegments", "*", None),
    }


DOCUMENTED: set[Permission] = {
    ("dynamodb:GetItem", ITEMS, None),
    ("dynamodb:PutItem", ITEMS, None),
    ("dynamodb:UpdateItem", ITEMS, None),
    ("dynamodb:Query", ITEMS, None),
    ("dynamodb:Query", f"{ITEMS}/index/GSI1", None),
    ("s3:PutObject", f"{OBJECTS}/videos/*", None),
    ("s3:PutObject", f"{OBJECTS}/transcripts/*", None),
}
"""What the document gives the functions for episodes."""
ADDED: dict[Permission, str] = {
    ("s3:GetObject", f"{OBJECTS}/videos/*", None): "an upload in parts is held to the size that was promised",
    (
        "ssm:GetParameter",
        f"arn:aws:ssm:{ACCOUNT}:parameter/{PREFIX}-cursors",
        None,
    ): "the environment names the key of cursors, and does not hold it",
    (
        "events:PutEvents",
        f"arn:aws:events:{ACCOUNT}:event-bus/default",
        OURS,
    ): "a deletion is told, so that what belongs to the episode goes too",
}
"""What the features need beyond that, each with its reason."""


EVERYBODY = {
    "episodes",
    "authorizer",
    "video-chunks",
    "media-convert",
    "transcript-windows",
    "agent",
    "care",
    "care-sweep",
}
VIDEOS_DOCUMENTED: set[Permission] = {
    ("dynamodb:UpdateItem", ITEMS, None),
    ("events:PutEvents", f"arn:aws:events:{ACCOUNT}:event-bus/default", OURS),
    ("mediaconvert:CreateJob", f"arn:aws:mediaconvert:{ACCOUNT}:queues/Default", None),
    (
        "iam:PassRole",
        f"arn:aws:iam::123456789012:role/{PREFIX}-media-convert",
        '{"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}',
    ),
}
"""What the document gives the functions for events and for MediaConvert, as far as cutting needs it."""
VIDEOS_ADDED: dict[Permission, str] = {
    ("s3:GetObject", f"{OBJECTS}/chunks/*", None): "the playlist says how many chunks there are",
    ("s3:ListBucket", OBJECTS, None): "or S3 answers 403 for a playlist that is gone, and it is tried for ever",
    **{
        (f"sqs:{action}", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-videos", None): "events come by a queue"
        for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
}
MEDIA_CONVERT_MAY: set[Permission] = {
    ("s3:GetObject", f"{OBJECTS}/videos/*", None),
    ("s3:GetObjectVersion", f"{OBJECTS}/videos/*", None),
    ("s3:PutObject", f"{OBJECTS}/chunks/*", None),
}


PROFILE = "us.anthropic.claude-haiku-4-5-20251001-v1:0"
AGENT_DOCUMENTED: set[Permission] = {
    ("bedrock:InvokeModel", f"arn:aws:bedrock:{ACCOUNT}:inference-profile/{PROFILE}", None),
    *(
        ("bedrock:InvokeModel", f"arn:aws:bedrock:{region}::foundation-model/{PROFILE.removeprefix('us.')}", None)
        for region in ("us-east-1", "us-east-2", "us-west-2")
    ),
}
"""What the document gives the agent, beside its memory; a profile needs its models by name, in each region."""
AGENT_ADDED: dict[Permission, str] = {
    ("s3:ListBucket", OBJECTS, None): "or S3 answers 403 for a transcript that is gone, and it is tried for ever",
    ("s3:GetObjectVersion", f"{OBJECTS}/transcripts/*", None): "the version that was announced is read, not the newest",
    **{
        (f"dynamodb:{action}", ITEMS, None): "findings are kept, windows are counted, and the track is moved"
        for action in ("GetItem", "PutItem", "Query", "UpdateItem")
    },
    ("dynamodb:DeleteItem", ITEMS, None): "findings are taken back where another upload came while they were written",
    **{
        (f"sqs:{action}", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-agent-windows", None): "windows come by a queue"
        for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
}
STARTER_ADDED: dict[Permission, str] = {
    ("s3:ListBucket", OBJECTS, None): "as for the agent",
    ("dynamodb:UpdateItem", ITEMS, None): "the track is moved",
    **{
        (f"dynamodb:{action}", ITEMS, None): "what was found in an earlier upload goes"
        for action in ("BatchWriteItem", "Query")
    },
    ("s3:GetObjectVersion", f"{OBJECTS}/transcripts/*", None): "a transcript is read to be cut",
    ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-agent-windows", None): "its windows are queued",
    **{
        (f"sqs:{action}", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-transcript-events", None): "events come by a queue"
        for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
}


CARE_ADDED: dict[Permission, str] = {
    ("dynamodb:Query", f"{ITEMS}/index/GSI2", None): "the sweep finds episodes that wait, and deleted ones",
    **{
        (f"dynamodb:{action}", ITEMS, None): "tracks are given up, and what was found in a deleted episode goes"
        for action in ("BatchWriteItem", "GetItem", "Query", "UpdateItem")
    },
    ("s3:ListBucketMultipartUploads", OBJECTS, None): "uploads in parts that nobody completes go with their episode",
    ("s3:AbortMultipartUpload", f"{OBJECTS}/videos/*", None): "and are ended",
    **{
        ("s3:ListBucketVersions", OBJECTS, f'{{"StringLike": {{"s3:prefix": "{prefix}/*"}}}}'): "as do all versions"
        for prefix in ("videos", "transcripts", "chunks")
    },
    **{
        (f"s3:{action}", f"{OBJECTS}/{prefix}/*", None): "objects go with their episode"
        for prefix in ("videos", "transcripts", "chunks")
        for action in ("DeleteObject", "DeleteObjectVersion")
    },
    ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-care-failures", None): "a sweep that failed lands somewhere",
    **{
        (f"sqs:{action}", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-deletions", None): "deletions come by a queue"
        for action in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")
    },
}
SCHEDULE_ADDED: dict[Permission, str] = {
    ("lambda:InvokeFunction", f"arn:aws:lambda:{ACCOUNT}:function:{PREFIX}-care:live", None): "the sweep is called",
    ("sqs:SendMessage", f"arn:aws:sqs:{ACCOUNT}:{PREFIX}-care-sweep-dlq", None): "or parked",
}


def test_the_agent_reaches_its_own_memory_and_no_other() -> None:
    found = {one for one in permissions(complete(), f"{PREFIX}-agent") if one[0].startswith("bedrock-agentcore:")}
    assert {action for action, _, _ in found} == {"bedrock-agentcore:CreateEvent", "bedrock-agentcore:ListEvents"}
    [resource] = {resource for _, resource, _ in found}
    assert resource.startswith(f"arn:aws:bedrock-agentcore:{ACCOUNT}:memory/")
    assert not resource.endswith(("*", "/"))


def test_who_tidies_up_reaches_the_agents_memory_to_delete() -> None:
    found = {one for one in permissions(complete(), f"{PREFIX}-care") if one[0].startswith("bedrock-agentcore:")}
    assert {action.partition(":")[2] for action, _, _ in found} == {
        "DeleteEvent",
        "DeleteMemoryRecord",
        "ListEvents",
        "ListMemoryRecords",
    }
    [resource] = {resource for _, resource, _ in found}
    assert resource.startswith(f"arn:aws:bedrock-agentcore:{ACCOUNT}:memory/")


def test_each_role_may_do_what_is_listed_here_and_nothing_else() -> None:
    found = {
        role: {one for one in permissions(complete(), role) if not one[0].startswith("bedrock-agentcore:")}
        for role in roles(complete())
    }
    assert found == {
        f"{PREFIX}-episodes": {*runs("episodes"), *DOCUMENTED, *ADDED},
        f"{PREFIX}-video-chunks": {*runs("video-chunks"), *VIDEOS_DOCUMENTED, *VIDEOS_ADDED},
        f"{PREFIX}-agent": {*runs("agent"), *AGENT_DOCUMENTED, *AGENT_ADDED},
        f"{PREFIX}-transcript-windows": {*runs("transcript-windows"), *STARTER_ADDED},
        f"{PREFIX}-media-convert": MEDIA_CONVERT_MAY,
        f"{PREFIX}-authorizer": runs("authorizer"),
        f"{PREFIX}-care": {*runs("care"), *CARE_ADDED},
        f"{PREFIX}-care-sweep": set(SCHEDULE_ADDED),
    }


def test_without_tokens_there_is_nobody_to_check_them() -> None:
    for authorizer in ("none", "apiKey"):
        found = livestream(api={"authorizer": authorizer})
        assert {role.removeprefix(f"{PREFIX}-") for role in roles(found)} == EVERYBODY - {"authorizer"}

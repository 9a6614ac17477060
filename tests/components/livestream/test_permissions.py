"""Tests of the permissions of each role of the livestream backend.

Each list contains the permissions that the customer's requirements name, and the added ones with their reasons. A track
is the processing state of an episode's video, or of its transcript. The agent analyses a transcript in sections
(windows), and stores what it finds in them as findings.
"""

from tests.components.deployment_harness import Permission, arn, may, may_consume, may_log_and_trace, permissions, roles
from tests.components.livestream.recorded_deployment import BUCKET, PREFIX, TABLE, deployed, previewed

OBJECTS = f"arn:aws:s3:::{BUCKET}"
ITEMS = arn("dynamodb", f"table/{TABLE}")
SOURCE_CONDITION = '{"StringEquals": {"events:source": "polyphony-test.livestream"}}'
PASSED_TO_MEDIA_CONVERT = '{"StringEquals": {"iam:PassedToService": "mediaconvert.amazonaws.com"}}'
MEMORY = arn("bedrock-agentcore", "memory/polyphony_test_clipAgentMemory-??????????")
BUS = arn("events", "event-bus/default")


EPISODES_MAY: set[Permission] = {
    # Permissions that the requirements name.
    *may("dynamodb", "GetItem PutItem UpdateItem Query", ITEMS),
    *may("dynamodb", "Query", f"{ITEMS}/index/GSI1"),
    *may("s3", "PutObject", f"{OBJECTS}/videos/*", f"{OBJECTS}/transcripts/*"),
    # The completed multipart upload must have the announced size.
    *may("s3", "GetObject", f"{OBJECTS}/videos/*"),
    # URLs for playing video chunks are signed with this role.
    *may("s3", "GetObject", f"{OBJECTS}/chunks/*"),
    # The environment contains the name of the cursor secret, not the secret.
    *may("ssm", "GetParameter", arn("ssm", f"parameter/{PREFIX}-cursors")),
    # The event of a deletion starts the cleanup.
    *may("events", "PutEvents", BUS, condition=SOURCE_CONDITION),
}
VIDEO_CHUNKS_MAY: set[Permission] = {
    # Permissions that the requirements name, as far as cutting videos needs them.
    *may("dynamodb", "UpdateItem", ITEMS),
    *may("events", "PutEvents", BUS, condition=SOURCE_CONDITION),
    *may("mediaconvert", "CreateJob", arn("mediaconvert", "queues/Default")),
    *may(
        "iam", "PassRole", f"arn:aws:iam::123456789012:role/{PREFIX}-media-convert", condition=PASSED_TO_MEDIA_CONVERT
    ),
    # The playlist gives the number of chunks.
    *may("s3", "GetObject", f"{OBJECTS}/chunks/*"),
    # Without ListBucket, S3 answers 403 for a missing playlist, and the event would be retried in vain.
    *may("s3", "ListBucket", OBJECTS),
    *may_consume(f"{PREFIX}-videos"),
}
MEDIA_CONVERT_MAY: set[Permission] = {
    *may("s3", "GetObject GetObjectVersion", f"{OBJECTS}/videos/*"),
    *may("s3", "PutObject", f"{OBJECTS}/chunks/*"),
}
PROFILE = "us.anthropic.claude-haiku-5-5"
AGENT_MAY: set[Permission] = {
    # An inference profile needs permission for its model in each Region.
    *may("bedrock", "InvokeModel", arn("bedrock", f"inference-profile/{PROFILE}")),
    *(
        ("bedrock:InvokeModel", f"arn:aws:bedrock:{region}::foundation-model/{PROFILE.removeprefix('us.')}", None)
        for region in ("us-east-1", "us-east-2", "us-west-2")
    ),
    # Without ListBucket, S3 answers 403 for a missing transcript. The announced version is read, not the newest one.
    *may("s3", "ListBucket", OBJECTS),
    *may("s3", "GetObjectVersion", f"{OBJECTS}/transcripts/*"),
    # The agent stores findings, counts windows and advances the transcript's track. It deletes its findings if a newer
    # upload was requested.
    *may("dynamodb", "GetItem PutItem Query UpdateItem DeleteItem", ITEMS),
    *may("bedrock-agentcore", "CreateEvent ListEvents", MEMORY),
    *may_consume(f"{PREFIX}-agent-windows"),
}
TRANSCRIPT_WINDOWS_MAY: set[Permission] = {
    *may("s3", "ListBucket", OBJECTS),
    *may("s3", "GetObjectVersion", f"{OBJECTS}/transcripts/*"),
    # The function advances the transcript's track, and deletes the findings of earlier uploads.
    *may("dynamodb", "UpdateItem BatchWriteItem Query", ITEMS),
    *may("sqs", "SendMessage", arn("sqs", f"{PREFIX}-agent-windows")),
    *may_consume(f"{PREFIX}-transcript-events"),
}
PREFIXES = ("videos", "transcripts", "chunks")
CARE_MAY: set[Permission] = {
    # The sweep finds waiting and deleted episodes, marks overdue tracks as failed, and deletes the items of episodes.
    *may("dynamodb", "Query", f"{ITEMS}/index/GSI2"),
    *may("dynamodb", "BatchWriteItem GetItem Query UpdateItem", ITEMS),
    # The cleanup aborts incomplete multipart uploads and deletes all object versions.
    *may("s3", "ListBucketMultipartUploads", OBJECTS),
    *may("s3", "AbortMultipartUpload", f"{OBJECTS}/videos/*"),
    *(("s3:ListBucketVersions", OBJECTS, f'{{"StringLike": {{"s3:prefix": "{prefix}/*"}}}}') for prefix in PREFIXES),
    *may("s3", "DeleteObject DeleteObjectVersion", *(f"{OBJECTS}/{prefix}/*" for prefix in PREFIXES)),
    *may("bedrock-agentcore", "DeleteEvent DeleteMemoryRecord ListEvents ListMemoryRecords", MEMORY),
    *may("sqs", "SendMessage", arn("sqs", f"{PREFIX}-care-failures")),
    *may_consume(f"{PREFIX}-deletions"),
}
CARE_SWEEP_MAY: set[Permission] = {
    *may("lambda", "InvokeFunction", arn("lambda", f"function:{PREFIX}-care:live")),
    *may("sqs", "SendMessage", arn("sqs", f"{PREFIX}-care-sweep-dlq")),
}
ROLES: dict[str, set[Permission]] = {
    "episodes": EPISODES_MAY | may_log_and_trace(f"{PREFIX}-episodes"),
    "video-chunks": VIDEO_CHUNKS_MAY | may_log_and_trace(f"{PREFIX}-video-chunks"),
    "agent": AGENT_MAY | may_log_and_trace(f"{PREFIX}-agent"),
    "transcript-windows": TRANSCRIPT_WINDOWS_MAY | may_log_and_trace(f"{PREFIX}-transcript-windows"),
    "media-convert": MEDIA_CONVERT_MAY,
    "authorizer": may_log_and_trace(f"{PREFIX}-authorizer"),
    "care": CARE_MAY | may_log_and_trace(f"{PREFIX}-care"),
    "care-sweep": CARE_SWEEP_MAY,
}


def test_each_role_has_exactly_the_listed_permissions() -> None:
    assert {role.removeprefix(f"{PREFIX}-"): permissions(deployed(), role) for role in roles(deployed())} == ROLES


def test_an_api_without_tokens_has_no_authorizer_role() -> None:
    recorded = previewed(api={"authorizer": "none"})
    assert {role.removeprefix(f"{PREFIX}-") for role in roles(recorded)} == ROLES.keys() - {"authorizer"}
